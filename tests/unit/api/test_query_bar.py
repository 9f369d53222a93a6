from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.findings.queries import FindingFilters
from sentrikat.web.query_bar import HELP, read_query

ZURICH = ZoneInfo("Europe/Zurich")
NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("", FindingFilters()),
        ("exploited:yes", FindingFilters(exploited=True)),
        ("Exploited:NO severity:High", FindingFilters(exploited=False, severity="high")),
        ("due:<7d", FindingFilters(due_after=NOON, due_before=NOON + timedelta(days=7))),  # overdue is apart
        ("due:overdue", FindingFilters(due_before=NOON)),
        # a day begins at midnight in the organization's time zone
        ("due:<2026-07-01", FindingFilters(due_before=datetime(2026, 7, 1, tzinfo=ZURICH))),
        ("opened:2d", FindingFilters(opened_after=NOON - timedelta(days=2))),
        (
            "opened:>2026-05-29T14:02:00+00:00",
            FindingFilters(opened_after=datetime(2026, 5, 29, 14, 2, tzinfo=UTC)),
        ),
        ("remedy:will-not-fix", FindingFilters(remedy="will_not_fix")),
        ("verdict:review", FindingFilters(verdict="unknown")),
        ('software:"Visual Studio Code"', FindingFilters(software="Visual Studio Code")),
        ("openssl", FindingFilters(software="openssl")),  # a bare word
        ("cve-2026-1234", FindingFilters(vulnerability="CVE-2026-1234")),
        ("GHSA-JFH8-c2jp-5v3q", FindingFilters(vulnerability="GHSA-jfh8-c2jp-5v3q")),
        ("asset-id:7 state:closed", FindingFilters(asset_id=7, state="closed")),
    ],
)
def test_what_people_write_is_read(text: str, filters: FindingFilters) -> None:
    query = read_query(text, ZURICH, NOON)

    assert query.problems == ()
    assert query.filters == filters


@pytest.mark.parametrize(
    "text",
    [
        "exploited:maybe",
        "color:red",
        "remedy:never",
        "due:soon",
        "asset-id:x",
        "severity:bad",
        'software:""',
        "a\x00b",
    ],
)
def test_what_cannot_be_read_is_said_and_narrows_nothing(text: str) -> None:
    query = read_query(text, ZURICH, NOON)

    assert len(query.problems) == 1
    assert query.filters == FindingFilters()


@pytest.mark.parametrize("text", [text for text, _ in HELP])
def test_every_example_of_the_help_works(text: str) -> None:
    query = read_query(text, ZURICH, NOON)

    assert query.problems == ()
    assert query.filters != FindingFilters()


@given(st.text(max_size=200))
def test_nothing_crashes_the_query_bar(text: str) -> None:
    read_query(text, ZURICH, NOON)
