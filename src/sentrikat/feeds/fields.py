"""Fields of foreign JSON records, with the type they must have.

Each reads one field and raises TypeError or ValueError with the field's name, so that a record of another
shape is set aside with a reason, and nothing of the wrong type gets further.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

H = TypeVar("H", bound=Hashable)

LONGEST_NAME = 2_000  # ids, names, versions: longer ones are an attack or an accident
LONGEST_TEXT = 60_000  # descriptions: cut there
MOST_REFERENCES = 60

CVE = re.compile(r"CVE-\d{4}-\d{4,19}")


def mapping(value: object, name: str = "record") -> Mapping[str, Any]:
    """Give `value` as an object."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not an object")
    return value


def sequence(value: object, name: str) -> list[Any]:
    """Give `value` as a list; absent is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{name} is not a list")
    return value


def objects(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Give the list of objects `name`; absent is empty."""
    return [mapping(one, name) for one in sequence(record.get(name), name)]


def child(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give the object `name`; absent is empty."""
    value = record.get(name)
    return {} if value is None else mapping(value, name)


def text(record: Mapping[str, Any], name: str) -> str:
    """Give the short text `name`, which must be there and not be empty."""
    value = optional(record, name)
    if value is None:
        raise ValueError(f"{name} is missing" if record.get(name) is None else f"{name} is empty")
    return value


def optional(record: Mapping[str, Any], name: str) -> str | None:
    """Give the short text `name`; absent or blank is None."""
    return short(record.get(name), name)


def short(value: object, name: str) -> str | None:
    """Give `value` as a short text; None or blank is None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    if len(value) > LONGEST_NAME:
        raise ValueError(f"{name} is longer than {LONGEST_NAME} characters")
    if "\x00" in value:
        raise ValueError(f"{name} holds a NUL character")
    return value.strip() or None


def texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Give the list of short texts `name`, each once, in order; absent is empty."""
    return unique(
        found for value in sequence(record.get(name), name) if (found := short(value, name)) is not None
    )


def prose(record: Mapping[str, Any], name: str) -> str | None:
    """Give the long text `name`, cut at a generous length; PostgreSQL takes no NUL."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value[:LONGEST_TEXT].replace("\x00", "\ufffd").strip() or None


def cve(record: Mapping[str, Any], name: str) -> str:
    """Give the CVE id `name`."""
    value = text(record, name)
    if not CVE.fullmatch(value):
        raise ValueError(f"{name} is not a CVE id")
    return value


def flag(record: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Give the boolean `name`."""
    value = record.get(name, default)
    if not isinstance(value, bool):
        raise TypeError(f"{name} is neither true nor false")
    return value


def moment(record: Mapping[str, Any], name: str) -> datetime | None:
    """Give the time `name` in UTC; absent is None, and so is the year 1, which Go uses for "unknown"."""
    value = optional(record, name)
    if value is None:
        return None
    try:
        found = instant(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is not a time") from None
    return None if found.year < 1970 else found


def instant(value: str) -> datetime:
    """Read an ISO 8601 time; without an offset UTC is meant."""
    found = datetime.fromisoformat(_SURPLUS_DIGITS.sub(r"\1", value))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_SURPLUS_DIGITS = re.compile(r"(\.\d{6})\d+")  # Go writes nanoseconds, datetime knows microseconds


def unique(values: Iterable[H]) -> tuple[H, ...]:
    """Give `values` without repetitions, in order."""
    return tuple(dict.fromkeys(values))
