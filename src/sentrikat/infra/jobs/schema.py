"""The queue's own tables (procrastinate), versioned by the files they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from procrastinate.schema import SchemaManager

from sentrikat.infra.jobs.queue import ENQUEUE_FUNCTION

_LEDGER = """
create table if not exists queue_migration (
    name text constraint pk_queue_migration primary key,
    applied_at timestamptz not null default now()
)
"""


def migration_files() -> list[Path]:
    """Return procrastinate's migrations in the order they apply."""
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def phase_of(name: str) -> str:
    """Return `pre` or `post`; files from before procrastinate had phases are `pre`."""
    return "post" if "_post_" in name else "pre"


def pending(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the names of the migrations this database lacks; all when it has no queue yet."""
    row = connection.execute("select to_regclass('queue_migration')").fetchone()
    applied: set[str] = set()
    if row is not None and row[0] is not None:
        applied = {str(name) for (name,) in connection.execute("select name from queue_migration")}
    return [path.name for path in migration_files() if path.name not in applied]


def apply(connection: psycopg.Connection[Any], phases: tuple[str, ...]) -> None:
    """Bring the queue's tables up to the installed procrastinate; needs the two roles."""
    with connection.transaction():
        connection.execute(_LEDGER)
        row = connection.execute("select to_regclass('procrastinate_jobs')").fetchone()
        if row is not None and row[0] is None:
            connection.execute(SchemaManager.get_schema())
            done = migration_files()
        else:
            missing = set(pending(connection))
            done = [f for f in migration_files() if f.name in missing and phase_of(f.name) in phases]
            for path in done:
                # Shipped inside the pinned package, so as trusted as its code.
                connection.execute(path.read_text(encoding="utf-8"))
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into queue_migration (name) values (%s)", [(path.name,) for path in done]
            )
        connection.execute(ENQUEUE_FUNCTION)
