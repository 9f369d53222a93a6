"""A PostgreSQL server of our own, started as a child process: no setup, no open port.

    <directory>/data        the cluster        <directory>/password   0600, made once
    <directory>/server.log  what it says       <directory>/lock       held while it runs

It listens on a Unix socket only and asks for a password (SCRAM). PostgreSQL refuses to run
as root; there, it runs in a user namespace that maps root to an ordinary user, so that files
stay root's and nothing needs to be readable to others, or, where namespaces are forbidden
(Docker's default), as the user `postgres` or `nobody`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from sentrikat.domain.errors import Conflict, Unavailable
from sentrikat.infra import processes
from sentrikat.infra.database.binaries import Binaries, find_binaries

SUPERUSER = "sentrikat"
DATABASE = "sentrikat"
PORT = 5432  # only names the socket file

# sockaddr_un holds 108 bytes with the closing zero; the file is called .s.PGSQL.5432.lock.
LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.5432.lock")

START_SECONDS = 60.0  # crash recovery after a power cut may replay max_wal_size
STOP_SECONDS = 30.0
ORPHAN_SECONDS = 15.0  # backends of a killed server notice within one statement
LOG_BYTES = 10 * 1024 * 1024  # rotated at start; the server says little

# Work of this program is a few large set-based statements and many tiny ones, on SSDs.
TUNING = {
    "max_connections": "100",
    "work_mem": "32MB",  # sorts and hashes of the matching join; few sessions at once
    "maintenance_work_mem": "256MB",  # index builds after bulk loads
    "max_wal_size": "4GB",  # one feed import without forced checkpoints
    "wal_compression": "on",
    "random_page_cost": "1.1",  # SSD; the default of 4 prefers scans over our indexes
    "jit": "off",  # compiling costs more than it saves on short statements
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
MEMORY_SHARE = 8  # one eighth of the machine for shared_buffers: Python and the page cache live here too
SMALLEST_BUFFERS_MB, LARGEST_BUFFERS_MB = 64, 1024

# For tests: a power cut may destroy the data, and nobody minds.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Launch:
    """How a program of PostgreSQL is run: as ourselves, in a namespace, or as another user."""

    prefix: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    uid: int = field(default_factory=os.geteuid)
    gid: int = field(default_factory=os.getegid)


def _launch() -> _Launch:
    if os.geteuid() != 0:
        return _Launch()
    if shutil.which("unshare"):
        prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return _Launch(prefix)
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        ids = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return _Launch((), ids, user.pw_uid, user.pw_gid)
    raise Unavailable(
        "The embedded database was not started: PostgreSQL refuses to run as root, and there is "
        "neither a user namespace nor a user postgres or nobody.",
        hint="Run SentriKat as an ordinary user, or set SENTRIKAT_DATABASE_URL.",
    )


class EmbeddedPostgres:
    """One server in one directory; start it, use `url()`, stop it."""

    def __init__(self, directory: Path, *, throwaway: bool = False, major: int | None = None) -> None:
        """Name the directory; `major` asks for a version of PostgreSQL where there is no data yet."""
        self.directory = directory.absolute()
        self.throwaway = throwaway
        self._wanted = major
        self._data = self.directory / "data"
        self._password = self.directory / "password"
        self._lock: IO[str] | None = None
        self._launch = _Launch()
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def socket_directory(self) -> Path:
        """Where the socket lies: beside the data, or in /tmp when that path is too long."""
        beside = self.directory / "run"
        if len(os.fsencode(beside)) <= LONGEST_SOCKET_DIRECTORY:
            return beside
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"sentrikat-{os.geteuid()}-{digest}"

    def url(self, database: str = DATABASE) -> str:
        """Return the address of a database of this server."""
        password = self._password.read_text(encoding="ascii").strip()
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql://{SUPERUSER}:{password}@/{database}?host={host}&port={PORT}"

    def is_running_elsewhere(self) -> bool:
        """Say whether another process holds this directory's server."""
        lock = self.directory / "lock"
        if not lock.exists():
            return False
        with lock.open("r+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def start(self) -> None:
        """Make the cluster if there is none, start the server, make the database."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._launch = _launch()
            if os.geteuid() == 0:  # what lies inside follows piece by piece
                os.chown(self.directory, self._launch.uid, self._launch.gid)
            version = self._data / "PG_VERSION"
            written_by = int(version.read_text(encoding="ascii")) if version.exists() else None
            binaries = find_binaries(written_by or self._wanted)
            if written_by is None:
                self._initialize(binaries)
            else:
                self._clear_remains()
            self._give_away(self._data)
            self._run(binaries)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server cleanly (SIGINT: PostgreSQL's "fast" shutdown) and let the lock go."""
        if self.process is not None:
            processes.stop(self.process, signal.SIGINT, STOP_SECONDS)
            self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        file = (self.directory / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise Conflict(
                f"The embedded database was not started: process {holder or '?'} already runs "
                f"the one in {self.directory}.",
                hint="Stop that one, or choose another SENTRIKAT_DATA_DIR.",
                code="database_in_use",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._lock = file

    def _initialize(self, binaries: Binaries) -> None:
        """Make a cluster under another name and rename it, so that half a cluster is never used."""
        unfinished = self.directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if not self._password.exists():
            self._password.touch(mode=0o600)
            self._password.write_text(secrets.token_urlsafe(32) + "\n", encoding="ascii")
        # initdb may run as another user, who cannot read our password file.
        reading, writing = os.pipe()
        os.write(writing, self._password.read_bytes())
        os.close(writing)
        if os.geteuid() == 0:
            os.fchown(reading, self._launch.uid, self._launch.gid)
        self._give_away(unfinished)
        command = [
            *self._launch.prefix,
            binaries.program("initdb"),
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            "--auth=scram-sha-256",
            f"--pwfile=/dev/fd/{reading}",
            "--encoding=UTF8",
            # The same order of text everywhere: the wheel has no ICU, and libc's orders differ.
            "--locale=C.UTF-8",
            "--no-instructions",
            *(["--no-sync"] if self.throwaway else []),
        ]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            pass_fds=(reading,),
            **self._launch.options,
        )
        os.close(reading)
        if result.returncode != 0:
            raise Unavailable(
                f"The embedded database was not created in {self.directory}: {result.stderr.strip()[-800:]}",
                hint="The directory must be writable, its file system must have 100 MB free, and the user "
                f"with id {self._launch.uid}, who runs the server, must be able to reach it.",
            )
        unfinished.rename(self._data)

    def _clear_remains(self) -> None:
        """Deal with what a killed supervisor or server left behind; we hold the lock.

        A server whose supervisor was killed is stopped. Backends whose server was killed are
        waited for: starting beside them would destroy data. A `postmaster.pid` whose number
        now belongs to some other program would make PostgreSQL refuse for ever.
        """
        orphans = processes.working_in(self._data)
        processes.send(orphans, signal.SIGINT)
        deadline = time.monotonic() + ORPHAN_SECONDS
        while orphans := processes.working_in(self._data):
            if time.monotonic() > deadline:
                processes.send(orphans, signal.SIGQUIT)  # "immediate": the start recovers from the log
            if time.monotonic() > deadline + ORPHAN_SECONDS:
                raise Unavailable(
                    f"The embedded database was not started: process {orphans[0]} of an earlier run "
                    "does not end.",
                    hint="Restart the machine, or end that process.",
                )
            time.sleep(0.05)
        if sys.platform == "linux":
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _give_away(self, path: Path) -> None:
        """Make the user who runs the server own `path`; nothing to do unless that changed."""
        if os.geteuid() != 0 or path.stat().st_uid == self._launch.uid:
            return
        for place, directories, files in os.walk(path):
            for name in [".", *directories, *files]:
                os.chown(Path(place, name), self._launch.uid, self._launch.gid, follow_symlinks=False)

    def _run(self, binaries: Binaries) -> None:
        sockets = self.socket_directory
        sockets.mkdir(mode=0o700, exist_ok=True)
        # In /tmp anybody may have made it first, or a link in its place.
        if self.directory not in sockets.parents and (
            sockets.is_symlink() or sockets.stat().st_uid not in {os.geteuid(), self._launch.uid}
        ):
            raise Unavailable(f"The embedded database was not started: {sockets} belongs to another user.")
        self._give_away(sockets)
        settings = TUNING | _memory_settings() | (THROWAWAY if self.throwaway else {})
        settings |= {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with _open_log(self.directory / "server.log") as log:
            self.process = subprocess.Popen(
                [*self._launch.prefix, binaries.program("postgres"), "-D", str(self._data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                # Runs between fork and exec, and calls nothing that needs a lock.
                preexec_fn=processes.die_with_parent(signal.SIGINT),  # noqa: PLW1509
                **self._launch.options,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        assert self.process is not None
        while True:
            try:
                with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                    _make_database(connection)
                    return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.directory / "server.log").read_text(encoding="utf-8", errors="replace")
                    raise Unavailable(
                        f"The embedded database did not start: {log.strip()[-800:] or error}",
                        hint=f"All it said is in {self.directory / 'server.log'}.",
                    ) from error
            time.sleep(0.02)


def _make_database(connection: psycopg.Connection[Any]) -> None:
    query = "select 1 from pg_database where datname = %s"
    if connection.execute(query, [DATABASE]).fetchone() is None:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def _memory_settings() -> dict[str, str]:
    try:
        machine_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    except (ValueError, OSError):
        machine_mb = 1024
    buffers = min(max(machine_mb // MEMORY_SHARE, SMALLEST_BUFFERS_MB), LARGEST_BUFFERS_MB)
    return {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{max(machine_mb // 2, 128)}MB"}


@contextmanager
def _open_log(path: Path) -> Iterator[IO[bytes]]:
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    with path.open("ab") as log:
        yield log
