"""Due dates: calendar days in the organization's time zone, up to the end of the last day.

Three days from any moment of Monday end when Thursday ends, wherever the clocks were set in between: a
clock change makes a day of 23 or 25 hours, and it stays one day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization.outcome import Outcome

_TICK = timedelta(microseconds=1)  # the finest moment PostgreSQL stores


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an outcome is due.

    `due_on`  the last day, in the organization's calendar
    `due_at`  the last moment of that day, UTC: late is what is open after it
    """

    outcome: Outcome
    started_on: date
    due_on: date
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Binding:
    """The deadline that counts, and why it and no other."""

    deadline: Deadline
    reasons: tuple[str, ...]


def time_zone(name: str) -> ZoneInfo:
    """Give the zone of an IANA name such as Europe/Zurich; InvalidInput for any other."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as reason:
        raise InvalidInput(
            f"“{name[:60]}” is not a time zone.",
            hint="Use a name of the IANA list, such as Europe/Zurich or UTC.",
            fields={"time_zone": "unknown"},
        ) from reason


def start_day(exploited_since: date | None, first_observed: datetime, zone: ZoneInfo) -> date:
    """Give the day that counting starts: KEV's dateAdded, else the day the finding was first observed.

    CISA prints a day without a zone; it is that day in every zone.
    """
    return exploited_since if exploited_since is not None else local_day(first_observed, zone)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """Give the calendar day of a moment in a zone; InvalidInput for a moment without a zone of its own."""
    if moment.tzinfo is None:
        raise InvalidInput("A moment without a time zone cannot be placed on a calendar.")
    try:
        return moment.astimezone(zone).date()
    except (OverflowError, ValueError) as reason:
        raise InvalidInput("The moment lies outside the calendar.") from reason


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Give the last moment of a calendar day in a zone, UTC.

    It is the moment before the next day begins. Where clocks jump over midnight the next day begins
    with the jump, and where they fall back over it, with the first of the two midnights.
    """
    try:
        midnight = datetime.combine(day + timedelta(days=1), time.min, zone)
        return midnight.astimezone(UTC) - _TICK
    except (OverflowError, ValueError) as reason:
        raise InvalidInput(f"{day.isoformat()} lies at the end of the calendar.") from reason


def deadline(outcome: Outcome, started_on: date, zone: ZoneInfo) -> Deadline | None:
    """Give the deadline of an outcome; None where it sets none ("when next upgraded").

    The day of the start is day 0. A date that the outcome prints stands as printed.
    """
    due_on = outcome.due_on
    if due_on is None:
        if outcome.days is None:
            return None
        if outcome.days < 0:
            raise InvalidInput(
                f"A deadline of {outcome.days} days is not possible.", fields={"days": "0 or more"}
            )
        try:
            due_on = started_on + timedelta(days=outcome.days)
        except OverflowError as reason:
            raise InvalidInput(f"{outcome.days} days lead outside the calendar.") from reason
    return Deadline(outcome, started_on, due_on, end_of_day(due_on, zone))


def binding(deadlines: Iterable[Deadline | None]) -> Binding | None:
    """Give the earliest deadline, saying what it won against; None when there is none.

    Of two on the same day the one that asks for a forensic triage binds, then the one given first.
    """
    given = [each for each in deadlines if each is not None]
    if not given:
        return None
    chosen = min(given, key=lambda each: (each.due_at, not each.outcome.forensic))
    reasons = [*chosen.outcome.reasons, f"Due on {chosen.due_on.isoformat()} by {chosen.outcome.policy}."]
    for other in given:
        if other is chosen:
            continue
        same = other.due_on == chosen.due_on
        how = "asks for the same day" if same else f"would allow until {other.due_on.isoformat()}"
        reasons.append(f"{other.outcome.policy} {how}.")
    return Binding(chosen, tuple(reasons))


def days_left(due: Deadline, now: datetime, zone: ZoneInfo) -> int:
    """Give the calendar days left: 0 on the last day, negative when overdue."""
    return (due.due_on - local_day(now, zone)).days


def overdue(due: Deadline, now: datetime) -> bool:
    """Say whether the last moment has passed."""
    return now > due.due_at
