"""Moments as documents write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sentrikat.inventory.readers.document import Problems, type_name

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_BEYOND_MICROSECONDS = re.compile(r"(\.[0-9]{6})[0-9]+")


def moment_of(value: object, path: str, problems: Problems) -> datetime | None:
    """Read an SBOM's time of making; without a time zone it is taken as UTC."""
    if value is None:
        return None
    if not isinstance(value, str):
        problems.add(path, f"is {type_name(value)}, not a string")
        return None
    if _MOMENT.fullmatch(value):
        moment = calendar_moment(value)
        if moment is not None:
            return moment
    problems.add(path, "is not a moment such as 2026-08-22T09:30:00Z")
    return None


def calendar_moment(value: str) -> datetime | None:
    """Give the moment in UTC, or None when the calendar has no such day or time."""
    try:
        moment = datetime.fromisoformat(_BEYOND_MICROSECONDS.sub(r"\1", value.upper()))
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
