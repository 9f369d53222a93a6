"""How the web server takes connections: with patience for slow people, and none for slow machines.

uvicorn waits for ever for the rest of a request's headers, so a few thousand connections that send one byte a
minute would keep everybody else out. Here a head has `HEAD_SECONDS` to arrive; the body has a limit of its own
(api/bodies.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sentrikat.infra.settings import Settings

HEAD_SECONDS = 20.0  # a head is one packet or two; a phone in a tunnel has recovered by then
LARGEST_HEAD = 64 * 1024  # bytes that are read before a head must have ended; what is fit is judged later
GRACE_SECONDS = 10  # running requests get as long as the slowest page may take


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with a limit of time for a request's head."""

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as above it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take data in; the head is waited for until it has come whole."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self.conn.trailing_data[0]:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


def server_config(app: Any, settings: Settings, **changes: Any) -> uvicorn.Config:
    """Give the configuration of the web server."""
    return uvicorn.Config(
        app,
        **{
            "host": settings.host,
            "port": settings.port,
            "http": PatientProtocol,
            "ws": "none",  # there is none; without this, an Upgrade is answered by whatever is installed
            "h11_max_incomplete_event_size": LARGEST_HEAD,
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "proxy_headers": True,
            "forwarded_allow_ips": settings.trusted_proxies,
            "timeout_graceful_shutdown": GRACE_SECONDS,
            **changes,
        },
    )
