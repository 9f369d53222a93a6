"""The embedded server: first start, second start, and what is left after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sentrikat.domain.errors import Conflict, Unavailable
from sentrikat.infra import processes
from sentrikat.infra.database.binaries import find_binaries
from sentrikat.infra.database.embedded import LONGEST_SOCKET_DIRECTORY, EmbeddedPostgres


@pytest.fixture(scope="module")
def stopped_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a server that was started once and stopped."""
    directory = tmp_path_factory.mktemp("embedded") / "postgresql"
    with EmbeddedPostgres(directory, throwaway=True):
        return directory


@pytest.fixture
def server(tmp_path: Path, stopped_server: Path) -> Iterator[EmbeddedPostgres]:
    """A running server on a copy of its own; making one anew takes a second."""
    shutil.copytree(
        stopped_server, tmp_path / "postgresql", ignore=shutil.ignore_patterns("run"), symlinks=True
    )
    server = EmbeddedPostgres(tmp_path / "postgresql", throwaway=True)
    server.start()
    yield server
    server.stop()


def _count(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
        assert row is not None
        return int(row[0])


def _fill(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute("set synchronous_commit = on")  # a commit survives the server, not a power cut
        connection.execute("create table kept as select generate_series(1, 3)")


def test_it_listens_on_a_socket_only_and_asks_for_a_password(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url(), password="wrong")
    password = server.directory / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600


def test_what_was_written_is_there_at_the_next_start(server: EmbeddedPostgres) -> None:
    _fill(server)
    server.stop()
    server.start()
    assert _count(server) == 3


def test_it_starts_again_after_the_server_was_killed(server: EmbeddedPostgres) -> None:
    _fill(server)
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.stop()
    server.start()
    assert _count(server) == 3


def test_a_postmaster_file_that_names_a_stranger_is_no_obstacle(server: EmbeddedPostgres) -> None:
    """After a restart of the machine the old number may belong to any program."""
    server.stop()
    lock = server.directory / "data" / "postmaster.pid"
    lock.write_text(f"{os.getppid()}\n{server.directory / 'data'}\n1\n5432\n\n\n")
    server.start()
    assert server.process is not None


def test_a_server_whose_supervisor_was_killed_is_stopped_first(server: EmbeddedPostgres) -> None:
    _fill(server)
    orphan, server.process = server.process, None  # as if we had died without stopping it
    assert orphan is not None
    server.stop()
    successor = EmbeddedPostgres(server.directory, throwaway=True)
    successor.start()
    try:
        assert orphan.wait(5) == 0
        assert _count(successor) == 3
    finally:
        successor.stop()


def test_a_child_is_told_when_its_parent_is_killed(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:  # becomes the supervisor, and is killed
        server = EmbeddedPostgres(tmp_path / "postgresql", throwaway=True)
        server.start()
        assert server.process is not None
        os.write(writing, f"{server.process.pid}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
    child = int(os.read(reading, 32))
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 10
    while processes.is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes.is_alive(child)


def test_two_cannot_run_on_one_directory(server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(server.directory, throwaway=True)
    assert second.is_running_elsewhere()
    with pytest.raises(Conflict, match=f"process {os.getpid()} already runs"):
        second.start()


def test_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    """A socket's path holds 107 bytes, whatever the file system allows."""
    with EmbeddedPostgres(tmp_path / ("d" * 90) / "postgresql", throwaway=True) as server:
        assert len(str(server.socket_directory)) <= LONGEST_SOCKET_DIRECTORY
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_data_of_another_major_version_are_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "postgresql" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")
    with pytest.raises(Unavailable, match="written by PostgreSQL 14") as refused:
        EmbeddedPostgres(tmp_path / "postgresql").start()
    assert "Nothing was changed" in (refused.value.hint or "")
    assert not EmbeddedPostgres(tmp_path / "postgresql").is_running_elsewhere()


def test_a_start_that_was_cut_short_leaves_no_half_cluster(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgresql" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("15\n")
    with EmbeddedPostgres(tmp_path / "postgresql", throwaway=True) as server:
        assert server.process is not None
    assert not unfinished.exists()


def test_without_user_namespaces_it_runs_as_another_user_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker forbids namespaces by default; the same data may later run where they are allowed."""
    base = Path(tempfile.mkdtemp(prefix="sentrikat-test-"))
    base.chmod(0o755)  # pytest's own folders are closed to other users
    server = EmbeddedPostgres(base / "postgresql", throwaway=True)
    try:
        with monkeypatch.context() as without:
            without.setenv("PATH", "/nonexistent")  # no `unshare` there
            with server:
                _fill(server)
        with server:
            assert _count(server) == 3
    finally:
        shutil.rmtree(base)


def test_the_programs_of_the_wheel_are_found() -> None:
    """A machine without PostgreSQL of its own uses those; version 18 is only there."""
    assert find_binaries(18).major == 18
