"""People who ask for much and do not take it: others are served all the same, and their connection ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvicorn

from sentrikat import app as application
from sentrikat.audit.journal import record_many
from sentrikat.domain.permissions import Caller
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.infra.web_server import server_config
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, session_of

SMALL_POOL = 2
MUCH = 5


@pytest.fixture
def port(database: Database, estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with few connections, a long log to export, and little patience."""
    with database.as_system() as session:
        entries = (("test:log", {"words": "w" * 2_000}) for _number in range(6_000))
        record_many(session, Caller(estate.acme, "system", frozenset()), "test.filled", entries, now=NOON)
    monkeypatch.setattr(application, "TAKING_SECONDS", 5.0)
    settings = Settings(database_pool_size=SMALL_POOL)
    app = application.create_app(settings, database.url, clock=FrozenClock(NOON))
    listening = socket.create_server(("127.0.0.1", 0))
    web = uvicorn.Server(server_config(app, settings))
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listening]})
    thread.start()
    while not web.started:
        time.sleep(0.02)
    yield listening.getsockname()[1]
    web.should_exit = True
    thread.join(15)
    listening.close()


def asked(port: int, path: str, cookie: str) -> socket.socket:
    """Ask, and take nothing yet."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(8)
    connection.connect(("127.0.0.1", port))
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sentrikat_session={cookie}\r\n\r\n".encode()
    )
    return connection


def is_begun(port: int, cookie: str) -> bool:
    time.sleep(0.5)
    with asked(port, "/api/v1/audit/export", cookie) as later:
        return status_of(later) == b"200"


def status_of(connection: socket.socket) -> bytes:
    return connection.recv(12)[9:]


def test_exports_that_nobody_takes_keep_nobody_else_waiting_and_end(
    port: int, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    cookie = session_of(database, clock, estate, "administrator")
    with ExitStack() as kept:
        exports = [kept.enter_context(asked(port, "/api/v1/audit/export", cookie)) for _number in range(MUCH)]
        statuses = sorted(status_of(one) for one in exports)
        assert statuses == [b"200"] * application.EXPORTS_AT_ONCE + [b"503"] * (
            MUCH - application.EXPORTS_AT_ONCE
        )
        with asked(port, "/api/v1/me", cookie) as page:
            assert status_of(page) == b"200"
        assert any(is_begun(port, cookie) for _try in range(20))  # once the server is out of patience
    time.sleep(0.5)  # the server notices that they have gone
