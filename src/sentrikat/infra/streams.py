"""Answers of any length, made while they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

import anyio
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Streamed(StreamingResponse):
    """An answer in pieces, which hold something: a connection to the database, until they are closed.

    The first piece is made now: what goes wrong before it, such as that no connection is free, can still be said. They
    are closed when the answer has ended, however it did; left to the interpreter, that may be much later.
    """

    def __init__(self, pieces: Iterator[bytes], *, media_type: str, headers: Mapping[str, str]) -> None:
        self._pieces = pieces
        first = next(pieces, b"")
        super().__init__(chain((first,), pieces), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._close)

    def _close(self) -> None:
        if close := getattr(self._pieces, "close", None):
            close()
