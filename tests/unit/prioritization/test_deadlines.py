"""Calendar days: clock changes, leap days, zones far from UTC, and which deadline binds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization.deadlines import (
    Deadline,
    binding,
    days_left,
    deadline,
    end_of_day,
    local_day,
    overdue,
    start_day,
    time_zone,
)
from sentrikat.domain.prioritization.outcome import Outcome

MICROSECOND = timedelta(microseconds=1)


def in_days(days: int | None, policy: str = "p", outcome: str = "x", due_on: date | None = None) -> Outcome:
    return Outcome(policy, outcome, days, ("Because.",), due_on)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "started", "days", "due_on", "first_late_moment"),
    [
        ("UTC", "2026-11-23T09:00", 3, "2026-11-26", "2026-11-27T00:00"),
        ("UTC", "2026-11-23T23:59:59", 3, "2026-11-26", "2026-11-27T00:00"),
        ("UTC", "2026-11-23T00:00", 0, "2026-11-23", "2026-11-24T00:00"),
        # far from UTC: the day in the organization's zone counts
        (
            "Pacific/Kiritimati",
            "2026-11-23T11:00",
            3,
            "2026-11-27",
            "2026-11-27T10:00",
        ),  # UTC+14: already the 24th
        (
            "Pacific/Pago_Pago",
            "2026-11-23T09:00",
            3,
            "2026-11-25",
            "2026-11-26T11:00",
        ),  # UTC-11: still the 22nd
        ("Asia/Kathmandu", "2026-11-23T18:14", 3, "2026-11-26", "2026-11-26T18:15"),  # UTC+5:45
        ("Asia/Kathmandu", "2026-11-23T18:15", 3, "2026-11-27", "2026-11-27T18:15"),
        # clock changes between start and end: the day count does not notice
        (
            "Europe/Zurich",
            "2026-03-27T12:00",
            3,
            "2026-03-30",
            "2026-03-30T22:00",
        ),  # spring: UTC+2 at the end
        (
            "Europe/Zurich",
            "2026-10-23T12:00",
            3,
            "2026-10-26",
            "2026-10-26T23:00",
        ),  # autumn: UTC+1 at the end
        ("America/New_York", "2026-03-06T12:00", 3, "2026-03-09", "2026-03-10T04:00"),
        ("Australia/Lord_Howe", "2026-04-03T12:00", 3, "2026-04-06", "2026-04-06T13:30"),  # half an hour back
        # the last day is the day of the change
        ("Europe/Zurich", "2026-03-26T12:00", 3, "2026-03-29", "2026-03-29T22:00"),  # 23 hours long
        ("Europe/Zurich", "2026-10-22T12:00", 3, "2026-10-25", "2026-10-25T23:00"),  # 25 hours long
        # clocks that change at midnight
        (
            "America/Sao_Paulo",
            "2018-10-31T12:00",
            3,
            "2018-11-03",
            "2018-11-04T03:00",
        ),  # next day begins at 01:00
        (
            "America/Havana",
            "2026-10-29T12:00",
            2,
            "2026-10-31",
            "2026-11-01T04:00",
        ),  # next day has two midnights
        ("America/Sao_Paulo", "2018-02-14T12:00", 3, "2018-02-17", "2018-02-18T03:00"),  # 23:00 comes twice
        # a day that never was: Samoa went from 29 to 31 December 2011
        ("Pacific/Apia", "2011-12-27T12:00", 2, "2011-12-29", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-27T12:00", 3, "2011-12-30", "2011-12-30T10:00"),
        # leap days and turns of the year
        ("UTC", "2028-02-26T12:00", 3, "2028-02-29", "2028-03-01T00:00"),
        ("UTC", "2027-02-26T12:00", 3, "2027-03-01", "2027-03-02T00:00"),
        ("UTC", "2028-02-29T12:00", 60, "2028-04-29", "2028-04-30T00:00"),
        ("UTC", "2026-12-30T12:00", 14, "2027-01-13", "2027-01-14T00:00"),
        ("UTC", "2100-02-26T12:00", 3, "2100-03-01", "2100-03-02T00:00"),  # 2100 is no leap year
    ],
)
def test_a_deadline_ends_with_its_last_local_day(
    zone: str, started: str, days: int, due_on: str, first_late_moment: str
) -> None:
    local = time_zone(zone)
    due = deadline(in_days(days), local_day(utc(started), local), local)

    assert due is not None
    assert due.due_on == date.fromisoformat(due_on)
    assert due.due_at + MICROSECOND == utc(first_late_moment)
    assert not overdue(due, due.due_at)
    assert overdue(due, due.due_at + MICROSECOND)


def test_counting_starts_with_kev_and_else_with_the_first_sight() -> None:
    zone = time_zone("Pacific/Kiritimati")
    seen = utc("2026-11-23T11:00")

    assert start_day(date(2026, 11, 20), seen, zone) == date(2026, 11, 20)  # the day as CISA prints it
    assert start_day(None, seen, zone) == date(2026, 11, 24)


def test_no_days_is_no_deadline() -> None:
    assert deadline(in_days(None), date(2026, 1, 1), time_zone("UTC")) is None


def test_a_printed_date_stands_whatever_the_start() -> None:
    due = deadline(in_days(None, due_on=date(2026, 2, 23)), date(2026, 5, 1), time_zone("Europe/Zurich"))

    assert due is not None
    assert due.due_on == date(2026, 2, 23)
    assert due.due_at + MICROSECOND == utc("2026-02-23T23:00")


def due(days: int, policy: str, outcome: str = "x") -> Deadline:
    found = deadline(in_days(days, policy, outcome), date(2026, 1, 1), time_zone("UTC"))
    assert found is not None
    return found


def test_the_earliest_of_several_binds_and_says_against_what() -> None:
    bound = binding([due(30, "sla"), None, due(14, "directive"), due(14, "contract")])

    assert bound is not None
    assert bound.deadline.outcome.policy == "directive"
    assert bound.reasons == (
        "Because.",
        "Due on 2026-01-15 by directive.",
        "sla would allow until 2026-01-31.",
        "contract asks for the same day.",
    )


def test_on_the_same_day_the_forensic_one_binds() -> None:
    bound = binding([due(3, "first", "3_days"), due(3, "second", "3_days_forensic")])

    assert bound is not None
    assert bound.deadline.outcome.policy == "second"


def test_of_no_deadlines_none_binds() -> None:
    assert binding([None]) is None


def test_days_left_are_calendar_days() -> None:
    zone = time_zone("Europe/Zurich")
    found = deadline(in_days(3), date(2026, 11, 23), zone)
    assert found is not None

    assert days_left(found, utc("2026-11-23T22:59"), zone) == 3
    assert days_left(found, utc("2026-11-26T22:59"), zone) == 0
    assert days_left(found, utc("2026-11-26T23:00"), zone) == -1  # midnight in Zurich


@pytest.mark.parametrize(
    "name", ["", "Nowhere/Land", "America", "../../etc/passwd", "\x00", "x" * 300, "Zürich"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        time_zone(name)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput):
        local_day(datetime(2026, 1, 1), time_zone("UTC"))  # noqa: DTZ001 - it is what the test is about


@pytest.mark.parametrize(
    ("days", "start"), [(-1, date(2026, 1, 1)), (10**12, date(2026, 1, 1)), (1, date.max)]
)
def test_impossible_deadlines_are_refused(days: int, start: date) -> None:
    with pytest.raises(InvalidInput):
        deadline(in_days(days), start, time_zone("UTC"))


ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Zurich",
        "America/New_York",
        "Pacific/Apia",
        "Africa/Cairo",
        "America/Havana",
        "Asia/Kathmandu",
    ]
)


@given(st.integers(0, 110 * 365 * 86_400), st.integers(0, 400), ZONES)
def test_more_days_are_never_earlier_and_the_start_is_always_in_time(
    seconds: int, days: int, name: str
) -> None:
    moment, zone = utc("1990-01-01") + timedelta(seconds=seconds), time_zone(name)
    start = local_day(moment, zone)
    one, more = deadline(in_days(days), start, zone), deadline(in_days(days + 1), start, zone)

    assert one is not None
    assert more is not None
    assert moment <= one.due_at <= more.due_at


@given(st.dates(), ZONES)
def test_every_day_has_an_end_or_is_refused(day: date, name: str) -> None:
    try:
        end = end_of_day(day, time_zone(name))
    except InvalidInput:
        return
    assert end.tzinfo is UTC


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=23)), timezone(-timedelta(hours=23))])
    ),
    ZONES,
)
def test_every_moment_has_a_day_or_is_refused(moment: datetime, name: str) -> None:
    try:
        local_day(moment, time_zone(name))
    except InvalidInput:
        assert moment.year in (1, 9999)  # only the ends of the calendar
