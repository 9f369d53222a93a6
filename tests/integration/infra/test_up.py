"""`sentrikat up`: real children on a real database, killed one after the other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from sqlalchemy import text

from sentrikat.cli import up
from sentrikat.domain.errors import Conflict
from sentrikat.infra import processes
from sentrikat.infra.database import Database
from sentrikat.infra.settings import load
from sentrikat.infra.supervision import ChildProcess, Supervisor
from tests.postgres import SharedServer

PATIENCE_SECONDS = 30  # two Python processes start on a busy machine


class Running:
    """A supervisor that looks after a worker and a web server, in a thread."""

    def __init__(self, database: Database) -> None:
        self.database = database
        settings = load(port=0)
        self.listener = up._listen(settings)
        parts = up._children(settings, database.url, self.listener)
        self.worker, self.web = (part for part in parts if isinstance(part, ChildProcess))
        self.supervisor = Supervisor(parts)
        self.supervisor.start()  # here, because children are tied to the thread that starts them
        up._wait_until_ready(self.listener, parts)
        self.url = up._address(settings, self.listener)

    def look_until(self, reached: Callable[[], bool]) -> None:
        """Do what `run` does until something is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not reached():
            assert time.monotonic() < deadline, "it did not come about"
            self.supervisor.look()
            time.sleep(0.05)

    def pids(self) -> list[int]:
        """Return the children's ids."""
        return [part.process.pid for part in (self.worker, self.web) if part.process is not None]


@pytest.fixture(scope="module")
def running(database_server: SharedServer) -> Iterator[Running]:
    """One pair of children for all tests here, on a database of their own."""
    name = f"test_up_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name))
    running = Running(database)
    yield running
    children = running.pids()
    running.supervisor.stop()
    running.listener.close()
    database.close()
    database_server.drop(name)
    assert not any(processes.is_alive(pid) for pid in children), "stopping left a process"


def _status(url: str) -> int:
    return httpx2.get(f"{url}/api/v1/health/ready", timeout=PATIENCE_SECONDS).status_code


def test_a_killed_web_server_comes_back_and_requests_wait_for_it(running: Running) -> None:
    first = running.pids()
    os.kill(first[1], signal.SIGKILL)
    running.look_until(lambda: running.web.is_running() and running.pids() != first)
    # The socket was open all the time: this request waited in its line.
    assert _status(running.url) == 200


def test_a_killed_worker_comes_back(running: Running) -> None:
    workers = text("select count(*) from procrastinate_workers")

    def registered() -> int:
        with running.database.engine.connect() as connection:
            return int(connection.execute(workers).scalar_one())

    running.look_until(lambda: registered() == 1)
    first = running.pids()
    os.kill(first[0], signal.SIGKILL)
    running.look_until(lambda: registered() == 2)  # the dead one's row stays until its heartbeat is old


def test_no_answer_tells_the_kind_or_version_of_the_server(running: Running) -> None:
    for path in ("/sign-in", "/api/v1/health/ready", "/api/v1/me", "/nothing"):
        names = set(httpx2.get(f"{running.url}{path}", timeout=PATIENCE_SECONDS).headers)
        assert names & {"server", "x-powered-by", "via", "x-aspnet-version"} == set()


def test_a_taken_port_is_said_before_anything_is_started() -> None:
    listener = up._listen(load(port=0))
    port = listener.getsockname()[1]
    with pytest.raises(Conflict, match=f"cannot listen on 127.0.0.1:{port}"):
        up._listen(load(port=port))
    listener.close()
