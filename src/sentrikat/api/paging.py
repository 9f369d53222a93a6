"""Pages of lists: an opaque cursor, and a limit that no request can lift."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.domain.errors import InvalidInput

LARGEST_PAGE = 200
DEFAULT_PAGE = 50

CursorValue = str | int | float | bool | datetime | date | None


class PageParams(BaseModel):
    """Which page of a list is wanted."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next_cursor` of the page before; opaque.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Rows on the page.")] = DEFAULT_PAGE


def encode_cursor(list_name: str, position: Sequence[CursorValue] | None) -> str | None:
    """Give the text of a position in a list; None after the last page."""
    if position is None:
        return None
    values = [
        {"t": value.isoformat()}
        if isinstance(value, datetime)
        else {"d": value.isoformat()}
        if isinstance(value, date)
        else value
        for value in position
    ]
    return base64.urlsafe_b64encode(orjson.dumps([list_name, *values])).decode().rstrip("=")


def decode_cursor(list_name: str, text: str | None, shape: str) -> tuple[CursorValue, ...] | None:
    """Read a cursor of this list; InvalidInput for anything else.

    `shape` has one letter per value: i integer, f number, s text, t moment, d day; upper case where it
    may be missing. A cursor is not signed: whoever changes one only chooses where their own list goes on.
    """
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        name, *values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if name != list_name or len(values) != len(shape):
            raise ValueError("of another list")
        return tuple(_read(letter, value) for letter, value in zip(shape, values, strict=True))
    except (ValueError, TypeError, binascii.Error, KeyError) as error:
        raise InvalidInput(
            "The list was not continued: the cursor is not one of this list.",
            hint="Use next_cursor of the page before as it is, or start without a cursor.",
            code="bad_cursor",
            fields={"cursor": "not a cursor of this list"},
        ) from error


def _read(letter: str, value: object) -> CursorValue:
    if value is None and letter.isupper():
        return None
    match letter.lower():
        case "i" if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return value
        case "f" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        case "s" if isinstance(value, str) and "\x00" not in value:
            return value
        case "t" if isinstance(value, dict):
            moment = datetime.fromisoformat(value["t"])
            if moment.tzinfo is not None:
                return moment
        case "d" if isinstance(value, dict):
            return date.fromisoformat(value["d"])
    raise ValueError("wrong type")
