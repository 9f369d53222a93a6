"""Unchanged is a normal answer: what a program holds already is not sent again.

`answers.json` names every single resource by a tag of its bytes; a request that brings the tag in `If-None-Match`
gets 304 and no body. The work of reading is done all the same: what is saved is the transfer, and the program's
own work of comparing.
"""

from __future__ import annotations

from hashlib import blake2b

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT = frozenset({b"etag", b"cache-control", b"date", b"vary"})  # what a 304 repeats of the answer


def tag_of(body: bytes) -> str:
    """Give the tag of an answer's bytes."""
    return f'"{blake2b(body, digest_size=16).hexdigest()}"'


def is_held(given: str | None, tag: str) -> bool:
    """Say whether `If-None-Match` names this tag; a tag that proxies have weakened counts, and so does a star."""
    if given is None:
        return False
    tags = {one.strip().removeprefix("W/") for one in given.split(",")}
    return tag in tags or "*" in tags


class Unchanged:
    """Answer 304 where the asker holds what would be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        given = Headers(scope=scope).get("if-none-match") if scope["type"] == "http" else None
        if given is None or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        unchanged = False

        async def sparing(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start" and message["status"] == 200:
                tag = next((value for name, value in message["headers"] if name == b"etag"), None)
                unchanged = tag is not None and is_held(given, tag.decode("latin-1"))
                if unchanged:
                    kept = [pair for pair in message["headers"] if pair[0] in _KEPT]
                    message = {**message, "status": 304, "headers": kept}
            elif message["type"] == "http.response.body" and unchanged:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, sparing)
