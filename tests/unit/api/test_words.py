from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sentrikat.domain.errors import InvalidInput
from sentrikat.web import cursors, words
from sentrikat.web.sign_in import own_path

ZURICH = ZoneInfo("Europe/Zurich")
NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (datetime(2026, 6, 2, 21, 59, 59, tzinfo=UTC), "due today"),  # the end of the day in Zurich
        (datetime(2026, 6, 3, 21, 59, 59, tzinfo=UTC), "1 day left"),
        (datetime(2026, 6, 9, 21, 59, 59, tzinfo=UTC), "7 days left"),
        (datetime(2026, 6, 2, 11, tzinfo=UTC), "overdue today"),
        (datetime(2026, 6, 1, 21, 59, 59, tzinfo=UTC), "1 day overdue"),
    ],
)
def test_days_are_calendar_days_of_the_organization(due: datetime, said: str) -> None:
    assert words.due_words(due, ZURICH, NOON) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (90, "1 min"), (7200, "2 h"), (86400, "24 h"), (9 * 86400, "9 days")]
)
def test_a_span_is_said_in_its_largest_unit(seconds: int, said: str) -> None:
    assert words.span(timedelta(seconds=seconds)) == said


def test_a_year_is_said_when_it_is_not_this_one() -> None:
    assert words.day(NOON, ZURICH, NOON) == "Tue 2 Jun"
    assert words.day(NOON, ZURICH, NOON + timedelta(days=365)) == "Tue 2 Jun 2026"


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/findings?q=a", True),
        ("//evil.example", False),
        ("/\\evil.example", False),  # browsers read a backslash as a slash
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ("/a\nLocation: x", False),
        ("findings", False),
        ("", False),
    ],
)
def test_after_sign_in_only_our_own_pages_follow(path: str, own: bool) -> None:
    assert own_path(path) == (path if own else "/")


def test_a_position_in_a_list_comes_back_or_is_refused() -> None:
    assert cursors.read(cursors.write((NOON, 7)), "ti") == (NOON, 7)
    assert cursors.read(None, "ti") is None
    for wrong in ("AAAA", "é", cursors.write((7, "x"))):
        with pytest.raises(InvalidInput):
            cursors.read(wrong, "ti")
