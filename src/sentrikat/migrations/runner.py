"""Bring a database to the schema of this release; safe to start from many replicas at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from sentrikat.domain.errors import Unavailable
from sentrikat.infra.database import row_security
from sentrikat.infra.database.engine import make_engine
from sentrikat.infra.database.locks import lock_number
from sentrikat.infra.database.tenancy import APPLICATION_ROLE, SYSTEM_ROLE
from sentrikat.infra.jobs import schema as queue_schema
from sentrikat.migrations import all_metadata

Phase = Literal["pre", "post", "all"]

OLDEST_SERVER = 150000
# A migration that waits for a lock makes everybody behind it wait as well: give up soon, and
# leave the running release working.
LOCK_TIMEOUT = "10s"
# Longer work belongs into a job that goes in portions, not into a migration.
STATEMENT_TIMEOUT = "15min"
# Another replica migrates: wait for it as long as its longest statement may take.
WAIT_FOR_OTHERS_SECONDS = 15 * 60

# Tables that are not made from our models: the queue's, and the two ledgers.
_FOREIGN_TABLES = ("procrastinate_", "queue_migration", "alembic_version")


def belongs_to_us(name: str | None, kind: str, _parents: object) -> bool:
    """Say whether a database object is one our models should describe."""
    return not (kind == "table" and name is not None and name.startswith(_FOREIGN_TABLES))


def phases_of(phase: Phase) -> tuple[str, ...]:
    """Return the phases to run, in order."""
    return ("pre", "post") if phase == "all" else (phase,)


def upgrade(database_url: str, phase: Phase = "all") -> list[str]:
    """Apply what is missing of `phase`; return the names of the revisions applied."""
    with _connect(database_url) as connection, _only_one(connection):
        _refuse_old_server(connection)
        for setting, value in (("lock_timeout", LOCK_TIMEOUT), ("statement_timeout", STATEMENT_TIMEOUT)):
            connection.execute(
                text("select set_config(:name, :value, false)"), {"name": setting, "value": value}
            )
        connection.commit()
        before = set(_pending_revisions(connection))
        if "pre" in phases_of(phase):
            _create_roles(connection)
        queue_schema.apply(_raw(connection), phases_of(phase))
        connection.commit()
        for head in _heads(phases_of(phase)):
            command.upgrade(_config(connection), head)
            connection.commit()
        after = set(_pending_revisions(connection))
        return sorted(before - after)


def pending(database_url: str, phase: Phase = "all") -> list[str]:
    """Return what `upgrade` would apply, ours and the queue's."""
    with _connect(database_url) as connection:
        queue = [
            n for n in queue_schema.pending(_raw(connection)) if queue_schema.phase_of(n) in phases_of(phase)
        ]
        ours = [n for n in _pending_revisions(connection) if n.startswith(phases_of(phase))]
        return [*(["queue: " + queue[-1]] if queue else []), *ours]


def differences(database_url: str) -> list[Any]:
    """Return how the migrated database differs from the models (a test wants none)."""
    with _connect(database_url) as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": belongs_to_us, "compare_type": True}
        )
        return list(compare_metadata(context, all_metadata()))


def _create_roles(connection: Connection) -> None:
    try:
        row_security.create_roles(_Plain(connection))
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        user = _raw(connection).info.user
        roles = (APPLICATION_ROLE, SYSTEM_ROLE)
        create = " ".join(f"create role {role} nologin;" for role in roles)
        raise Unavailable(
            f"The database was not migrated: the login {user} may not set up the roles that keep "
            "organizations apart.",
            hint=f"Let an administrator of the server run: {create} grant {', '.join(roles)} to {user}; "
            "Nothing was changed.",
            code="database_roles",
        ) from error
    connection.commit()


class _Plain:
    """Runs statements as Alembic's `op` does, outside a revision."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sqltext: str) -> None:
        self._connection.exec_driver_sql(sqltext.replace("%", "%%"))


@contextmanager
def _connect(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, application_name="sentrikat migrate", pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _only_one(connection: Connection) -> Iterator[None]:
    """Hold the migration lock; a session lock, because revisions commit in between."""
    number = {"number": lock_number("migrate")}
    deadline = time.monotonic() + WAIT_FOR_OTHERS_SECONDS
    while not connection.execute(text("select pg_try_advisory_lock(:number)"), number).scalar_one():
        connection.commit()
        if time.monotonic() > deadline:
            raise Unavailable(
                "The database was not migrated: another process has been migrating it for "
                f"{WAIT_FOR_OTHERS_SECONDS // 60} minutes.",
                hint="See what it waits for in pg_stat_activity (application sentrikat migrate).",
            )
        time.sleep(0.1)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:number)"), number)
        connection.commit()


def _refuse_old_server(connection: Connection) -> None:
    version = _raw(connection).info.server_version
    if version < OLDEST_SERVER:
        raise Unavailable(
            f"The database was not migrated: the server is PostgreSQL {version // 10000}, "
            f"and SentriKat needs {OLDEST_SERVER // 10000} or newer.",
            hint="Upgrade the server. Nothing was changed.",
        )


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def scripts() -> ScriptDirectory:
    """Return the revisions of this release."""
    return ScriptDirectory.from_config(_config())


def _heads(phases: tuple[str, ...]) -> list[str]:
    heads = scripts().get_heads()
    return [head for phase in phases for head in heads if head.startswith(phase)]


def _pending_revisions(connection: Connection) -> list[str]:
    """Return the revisions not yet applied, oldest first."""
    context = MigrationContext.configure(connection)
    directory = scripts()
    applied: set[str] = set()
    for head in context.get_current_heads():
        applied |= {
            script.revision for script in directory.iterate_revisions(head, "base", implicit_base=True)
        }
    connection.rollback()
    return [s.revision for s in reversed(list(directory.walk_revisions())) if s.revision not in applied]
