"""One PostgreSQL server for all workers of a test run, and clean databases on it."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psycopg
from psycopg import sql

from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
from sentrikat.migrations import runner

TEMPLATE = "template_sentrikat"

# Left as the migrations made them.
LEDGERS = ("alembic_version", "queue_migration")


class SharedServer:
    """The first worker that needs the server starts it, and stops it when no other uses it.

    `starting` is held while somebody looks or starts; `users` is held, shared, by every user.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._embedded = EmbeddedPostgres(directory / "server", throwaway=True)
        self._ready = directory / "ready"
        self._starting = directory / "starting"
        self._users = (directory / "users").open("w")
        self._started_here = False

    def __enter__(self) -> Self:
        with _held(self._starting):
            if not self._ready.exists():
                self._embedded.start()
                self._started_here = True
                if not self._exists(TEMPLATE):
                    runner.upgrade(self.create(TEMPLATE))
                self._ready.touch()
            fcntl.flock(self._users, fcntl.LOCK_SH)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._users, fcntl.LOCK_UN)
        while self._started_here:
            with _held(self._starting):
                try:
                    fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # another worker still runs tests on it
                else:
                    self._ready.unlink()
                    self._embedded.stop()
                    self._started_here = False
            time.sleep(0.05)
        self._users.close()

    def url(self, name: str) -> str:
        """Return the address of a database."""
        return self._embedded.url(name)

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database and return its address."""
        statement = sql.SQL("create database {} template {}")
        with self._administer() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, and whoever is still connected to it."""
        with self._administer() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def clone_template(self, name: str) -> str:
        """Return the address of a fresh, migrated database."""
        with _held(self._starting):  # a template cannot be copied by two at once
            self.drop(name)
            return self.create(name, TEMPLATE)

    def _administer(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def _exists(self, name: str) -> bool:
        with self._administer() as connection:
            query = "select 1 from pg_database where datname = %s"
            return connection.execute(query, [name]).fetchone() is not None


class DatabaseCleaner:
    """Empties the tables that a test has filled; those the migrations filled stay."""

    def __init__(self, database: Database) -> None:
        self._url = conninfo(database.url)
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "select quote_ident(relname) from pg_class where relkind in ('r', 'p')"
                " and relnamespace = 'public'::regnamespace and not relispartition"
            )
            tables = sorted(str(name) for (name,) in rows if name not in LEDGERS)
            seeded = self._filled(connection, tables)
        self._tables = [table for table in tables if table not in seeded]

    def clean(self) -> None:
        """Empty what has rows; a lock that a test forgot fails here, with its name."""
        with psycopg.connect(self._url) as connection:
            connection.execute("set lock_timeout = '5s'")
            if filled := self._filled(connection, self._tables):
                names = sql.SQL(", ").join(map(sql.SQL, filled))
                connection.execute(sql.SQL("truncate {} restart identity cascade").format(names))

    @staticmethod
    def _filled(connection: psycopg.Connection[Any], tables: list[str]) -> list[str]:
        if not tables:
            return []
        query = " union all ".join(f"(select '{t}' from {t} limit 1)" for t in tables)
        return [str(name) for (name,) in connection.execute(query)]


def _held(path: Path) -> IO[str]:
    """Hold an exclusive lock on `path` until the returned file is closed."""
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
