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


_CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (_CHROME, "Chrome 142 on Windows"),
        (f"{_CHROME} Edg/142.0.3595.80", "Edge 142 on Windows"),  # says that it is Chrome, too
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox 145 on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari 18 on iOS",
        ),
        ("Mozilla/5.0 (compatible; something)", "Mozilla/5.0 (compatible; something)"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_browser_is_called_as_people_know_it(user_agent: str | None, said: str) -> None:
    assert words.browser(user_agent) == said
