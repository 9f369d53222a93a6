"""How answers are written: orjson straight from rows, described by models.

The models are the contract (docs/develop/openapi.json is made from them) and do no work when answering:
building and validating thousands of model instances costs three times the query. The flow tests hold every
answer against its model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, ConfigDict

from sentrikat.api.etags import tag_of

# A browser that is led to an answer keeps it as a file of this name and never shows what somebody typed as a page.
AS_FILE = {"Content-Disposition": 'attachment; filename="api.json"'}


class Answer(BaseModel):
    """Base of all answers: exactly these fields."""

    model_config = ConfigDict(extra="forbid")


def json(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Give a JSON answer, a single resource with its tag; times are RFC 3339 in UTC, integers stay integers."""
    body = orjson.dumps(content, default=_plain, option=orjson.OPT_UTC_Z)
    sent = {"Cache-Control": "no-store", **AS_FILE, **(headers or {})}
    if status == 200:
        sent["ETag"] = tag_of(body)
    return Response(body, status_code=status, media_type="application/json", headers=sent)


def page(items: list[dict[str, Any]], next_cursor: str | None, **more: Any) -> Response:
    """Give one page of a list; without a tag, for pages change with every row that comes or goes."""
    answer = json({"items": items, "next_cursor": next_cursor, **more})
    del answer.headers["ETag"]
    return answer


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, tuple):  # named tuples, which orjson does not take for lists
        return list(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
