"""Where a list goes on, as a value in the address."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime

import orjson

from sentrikat.domain.errors import InvalidInput

Value = str | int | float | datetime


def write(position: Sequence[Value] | None) -> str | None:
    """Give the text of a position; None after the last page."""
    if position is None:
        return None
    values = [value.isoformat() if isinstance(value, datetime) else value for value in position]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def read(text: str | None, shape: str) -> tuple[Value, ...] | None:
    """Read a position of this shape: s text, i integer, f number, t moment; InvalidInput for anything else."""
    if not text:
        return None
    try:
        values = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(shape):
            raise ValueError("another shape")
        return tuple(_value(letter, value) for letter, value in zip(shape, values, strict=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "The list was not continued: the address is not one of this list.",
            hint="Go back to its first page.",
            code="bad_cursor",
        ) from error


def _value(letter: str, value: object) -> Value:
    if letter == "i" and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if letter == "f" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if letter == "s" and isinstance(value, str) and "\x00" not in value:
        return value
    if letter == "t" and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment
    raise ValueError("wrong type")
