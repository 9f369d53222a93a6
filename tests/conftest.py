"""What every test may ask for: a real database, a clock that stands still, the large data.

The database is PostgreSQL itself, started once for all xdist workers (tests/postgres.py),
migrated by our migrations, and emptied before each test that asks for it.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from tests.peers.fixtures import active_directory, authority, openldap  # noqa: F401 - fixtures
from tests.postgres import DatabaseCleaner, SharedServer

REPOSITORY = Path(__file__).parent.parent

# Timings on a machine shared with a database say nothing about the code under test.
hypothesis.settings.register_profile("sentrikat", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "thorough", parent=hypothesis.settings.get_profile("sentrikat"), max_examples=5_000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "sentrikat"))


def _refuse_the_outside(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail the test that talks to anything but this machine (promise: nothing leaves it).

    An audit hook sees every socket of the process, and pytest's failure is no `Exception`, so
    no handler in the code under test can swallow it.
    """
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host in {None, "", b"", "localhost", b"localhost", "testserver"}:
        return
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        pytest.fail(f"a test looked up the host {host!r}; tests talk to this machine only")
    if not (address.is_loopback or address.is_unspecified):
        pytest.fail(f"a test connected to {address}; tests talk to this machine only")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long binary arguments by their place: a packed file holds the second it was made in.

    The two workers collect in different seconds, and then disagree on the tests there are.
    """
    return argname if isinstance(val, bytes) and len(val) > 32 else None


def pytest_configure() -> None:
    """Watch the sockets, and let no SENTRIKAT_ variable of the developer's shell reach a test."""
    sys.addaudithook(_refuse_the_outside)
    for name in [n for n in os.environ if n.startswith("SENTRIKAT_")]:
        if name not in {"SENTRIKAT_SHARED", "SENTRIKAT_NO_SKIPS"}:
            del os.environ[name]
    # Otherwise the first key of a test would make a file in the developer's data directory.
    os.environ["SENTRIKAT_API_KEY_PEPPER"] = "a pepper for tests that is long enough"
    # Peers of tests listen here. What is refused without it: tests/unit/infra/test_outbound.py.
    os.environ["SENTRIKAT_OUTBOUND_ALLOW"] = "127.0.0.0/8,::1"
    # Sweeps over all routes send thousands of requests in one frozen moment; tests of the limits set their own.
    for client in ("API", "AGENTS", "SIGN_IN", "ADMIN"):
        for period in ("HOUR", "DAY"):
            os.environ[f"SENTRIKAT_RATE_LIMIT_{client}_PER_{period}"] = "0"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under SENTRIKAT_NO_SKIPS a skipped test fails the run: CI has everything tests ask for."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("SENTRIKAT_NO_SKIPS", "") in {"", "0"}:
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            reporter.write_line(f"SKIPPED BUT REQUIRED  {report.nodeid}  {reason}", red=True)


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """The PostgreSQL server of this test run."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent  # the directory all workers of a run have in common
    with SharedServer(base / "postgresql") as server:
        yield server


@pytest.fixture(scope="session")
def _worker_database(database_server: SharedServer) -> Iterator[tuple[Database, DatabaseCleaner]]:
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    yield database, DatabaseCleaner(database)
    database.close()


@pytest.fixture
def database(_worker_database: tuple[Database, DatabaseCleaner]) -> Database:
    """A migrated database without data; the test may commit."""
    database, cleaner = _worker_database
    cleaner.clean()
    return database


@pytest.fixture
def empty_database_url(database_server: SharedServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database that nobody has migrated, dropped after the test."""
    name = f"empty_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}_{abs(hash(request.node.nodeid)) % 10**8}"
    yield database_server.create(name)
    database_server.drop(name)


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands at noon on a Tuesday."""
    return FrozenClock(datetime(2026, 6, 2, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of large real data; the test is skipped, by name, where there is none."""
    shared = Path(os.environ.get("SENTRIKAT_SHARED", REPOSITORY.parent / "shared"))
    if not (shared / "data").is_dir():
        pytest.skip(f"needs the large data, and there is none in {shared} (SENTRIKAT_SHARED)")
    return shared


@pytest.fixture(scope="session")
def samples() -> Path:
    """The small recorded samples of the repository."""
    return REPOSITORY / "tests" / "samples"
