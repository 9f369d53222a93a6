"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

from sentrikat.api.answers import AS_FILE
from sentrikat.domain.errors import SentriKatError


class Problem(BaseModel):
    """What did not happen, why, and what to do about it."""

    type: str = Field(
        description="urn:sentrikat:problem:<code>", examples=["urn:sentrikat:problem:not_found"]
    )
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(description="Stable, for programs.", examples=["not_found"])
    detail: str = Field(description="What did not happen, to which thing, and why.")
    hint: str | None = Field(description="What to do, and in which state the system is.")
    fields: dict[str, str] = Field(description="Input fields that are wrong: path to message.")
    request_id: str | None = Field(description="Names this request in the server's log.")


def problem_answer(
    status: int, error: SentriKatError, *, request_id: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """Give the answer for an error."""
    body = {
        "type": f"urn:sentrikat:problem:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": error.code,
        "detail": error.message,
        "hint": error.hint,
        "fields": error.fields,
        "request_id": request_id,
    }
    sent = {"Cache-Control": "no-store", **AS_FILE, **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = 'Bearer realm="SentriKat"'
    return Response(
        orjson.dumps(body), status_code=status, media_type="application/problem+json", headers=sent
    )
