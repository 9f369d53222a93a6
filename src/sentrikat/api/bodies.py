"""Raw bodies, with limits before and after decompression."""

from __future__ import annotations

import zlib

import anyio
import structlog
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentrikat.domain.errors import InvalidInput

log = structlog.get_logger()

REPORT_PATH = "/api/v1/agent/reports"


class BodyTooLarge(InvalidInput):
    """The body is larger than allowed."""

    code = "too_large"


class UnsupportedMedia(InvalidInput):
    """The body is in a form or an encoding that is not read here."""

    code = "unsupported_media_type"


class BodyLimit:
    """Refuse bodies that are too large, by their announced length or, chunked, while they come in, or too slow."""

    def __init__(self, app: ASGIApp, *, largest: int, largest_report: int, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._largest = largest
        self._largest_report = largest_report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._largest_report if scope["path"] == REPORT_PATH else self._largest
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = HTTPException(413, f"The request was refused: its body is larger than {limit:,} bytes.")
        seen = 0
        ended = False
        deadline = anyio.current_time() + self._seconds

        async def counted() -> Message:
            nonlocal seen, ended
            if ended:  # what is asked for now is whether the other end is still there
                return await receive()
            # The announcement is judged here and not before, so that the refusal takes the way of
            # every other error and carries its form.
            if announced.isdigit() and int(announced) > limit:
                raise too_large
            try:
                with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408,
                    f"The request was refused: its body did not arrive within {self._seconds:g} seconds.",
                    {"Connection": "close"},
                ) from None
            ended = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > limit:
                raise too_large
            return message

        await self._app(scope, counted, send)


class _NotTaken(Exception):
    """The other end does not read what it asked for."""


class TakingLimit:
    """Give up an answer that nobody takes: what it is read from, such as a connection to the database, waits with it."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def patient(message: Message) -> None:
            try:
                with anyio.fail_after(self._seconds):
                    await send(message)
            except TimeoutError:
                raise _NotTaken from None

        try:
            await self._app(scope, receive, patient if scope["type"] == "http" else send)
        except _NotTaken:
            # The server closes the connection of an answer that was not finished.
            log.warning("answer not taken", path=scope["path"], seconds=self._seconds)


async def read_body(request: Request) -> bytes:
    """Read the whole body; BodyLimit sees to it that it ends."""
    return await request.body()


def unpack(body: bytes, encoding: str | None, limit: int) -> bytes:
    """Undo the Content-Encoding of a body, giving up as soon as it grows over `limit` bytes."""
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _gunzip(body, limit)
        case other:
            raise UnsupportedMedia(
                f"The report was not accepted: Content-Encoding “{other[:40]}” is not read here.",
                hint="Send it plain or with gzip.",
            )


def _gunzip(body: bytes, limit: int) -> bytes:
    unpacked = bytearray()
    rest = body
    try:
        while rest:  # a gzip file may have several members
            member = zlib.decompressobj(wbits=31)
            unpacked += member.decompress(rest, limit + 1 - len(unpacked))
            if len(unpacked) > limit:
                raise BodyTooLarge(
                    f"The report was not accepted: it unpacks to more than {limit:,} bytes.",
                    hint="The limit is SENTRIKAT_MAX_REPORT_BYTES.",
                )
            if not member.eof:
                raise InvalidInput(
                    "The report was not accepted: its gzip data ends in the middle.",
                    hint="Send it again.",
                    code="truncated",
                )
            rest = member.unused_data
    except zlib.error as error:
        raise InvalidInput(
            "The report was not accepted: it says it is gzip, and it is not.",
            hint="Send it again, or without Content-Encoding.",
            code="bad_gzip",
        ) from error
    return bytes(unpacked)
