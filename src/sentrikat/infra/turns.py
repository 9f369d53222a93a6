"""Few at once, the others waiting without a thread: for what keeps a core busy, such as hashing a password.

Requests run in as many threads as there are database connections. One that waits for its turn inside a thread
takes that thread from everybody; one that waits here is only a coroutine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from sentrikat.domain.errors import Unavailable

LONGEST_WAIT_SECONDS = 60.0  # as long as proxies usually wait


class Turns:
    """Lets so many in at once, in the order they came."""

    def __init__(self, at_once: int) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
        self._at_once = at_once

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn; Unavailable when it takes too long."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._at_once)  # belongs to the running loop
        holder = object()
        with anyio.move_on_after(LONGEST_WAIT_SECONDS) as waited:
            await self._limiter.acquire_on_behalf_of(holder)
        if waited.cancelled_caught:
            raise Unavailable(
                "The password was not checked: too many sign-ins are waiting.",
                hint="Try again in a minute. Nothing was changed.",
                code="busy",
            )
        try:
            yield
        finally:
            self._limiter.release_on_behalf_of(holder)
