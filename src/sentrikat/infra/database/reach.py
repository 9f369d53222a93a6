"""Reach the installation's database, whichever it is and whoever runs it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings


def embedded_directory(settings: Settings) -> Path:
    """Return where the embedded server of these settings lives."""
    return settings.data_dir / "postgresql"


_OTHERS = (
    "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
)
_LOOK_SECONDS = 0.5


@contextmanager
def reach_server(settings: Settings) -> Iterator[str]:
    """Yield the database's address; start the embedded server if it is ours and not running.

    A command line call beside a running `sentrikat up` uses that one's server; without one it
    starts the server for as long as the block lasts.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    server = EmbeddedPostgres(embedded_directory(settings))
    if server.is_running_elsewhere():
        yield server.url()
        return
    with server:
        try:
            yield server.url()
        finally:
            _wait_for_others(server.url())


def _wait_for_others(url: str) -> None:
    """Keep the server running while another command uses it: we started it, so our end would be theirs."""
    told = False
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        while connection.execute(_OTHERS).fetchone() != (0,):
            if not told:
                told = True
                sys.stderr.write("Waiting for another command that uses the same database.\n")
            time.sleep(_LOOK_SECONDS)


@contextmanager
def open_database(settings: Settings, *, application_name: str = "sentrikat") -> Iterator[Database]:
    """Yield a Database for a command line call (see `reach_server`)."""
    with reach_server(settings) as url:
        database = Database(url, application_name=application_name)
        try:
            yield database
        finally:
            database.close()
