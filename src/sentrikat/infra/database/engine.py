"""The SQLAlchemy engine and the forms of a database address."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import URL, Engine, PoolResetState, create_engine, event, make_url

from sentrikat.domain.errors import InvalidInput

# Web threads of one process plus a margin; anyio's thread limit is set to the same number
# (app.py), so a request never waits for a connection inside a thread.
POOL_SIZE = 10
# A burst may open a few more; PostgreSQL's default max_connections is 100.
POOL_OVERFLOW = 5
POOL_TIMEOUT_SECONDS = 10  # a request that waits longer is better answered with 503
CONNECT_TIMEOUT_SECONDS = 5  # libpq's default is to wait forever


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def parse_url(url: str) -> URL:
    """Read a database address; InvalidInput if it is not one of PostgreSQL."""
    try:
        parsed = make_url(url)
    except Exception as error:  # SQLAlchemy raises several types here, all mean the same
        raise InvalidInput(
            "The database address cannot be read.",
            hint="Write it as postgresql://user:password@host:5432/name.",
            fields={"SENTRIKAT_DATABASE_URL": str(error)},
        ) from error
    if parsed.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise InvalidInput(
            f"SentriKat stores its data in PostgreSQL 15 or newer, not in {parsed.drivername}.",
            hint="Write the address as postgresql://user:password@host:5432/name.",
        )
    return parsed.set(drivername="postgresql+psycopg")


def conninfo(url: str) -> str:
    """Return the address in the form that libpq (psycopg, procrastinate, pg_dump) reads."""
    return parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(
    url: str,
    *,
    application_name: str = "sentrikat",
    pool_size: int = POOL_SIZE,
    statement_timeout_ms: int | None = None,
    overflow: int = POOL_OVERFLOW,
    wait_seconds: float = POOL_TIMEOUT_SECONDS,
) -> Engine:
    """Return an engine whose sessions speak UTC and read JSON with orjson."""
    options = "-c timezone=UTC"
    if statement_timeout_ms is not None:
        options += f" -c statement_timeout={statement_timeout_ms}"
    engine = create_engine(
        parse_url(url),
        pool_size=pool_size,
        max_overflow=overflow,
        pool_timeout=wait_seconds,
        hide_parameters=True,  # or every error, and so the log, repeats what was to be stored
        pool_pre_ping=True,  # the database may have been restarted under us
        pool_reset_on_return=None,  # `_forget` does it, and more
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        connect_args={
            "application_name": application_name,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": options,
        },
    )
    event.listen(engine, "reset", _forget)
    return engine


# What somebody may have left on a connection: a role, settings of the session, temporary tables that would be found
# before ours. Role and organization are set anew in each transaction anyway; a search path is not.
_FORGET = "reset session authorization; reset role; reset all; unlisten *; discard temp"


def _forget(connection: Any, _record: object, state: PoolResetState) -> None:
    """Give a connection back to the pool as it was when it was new, however its last transaction ended."""
    connection.rollback()
    if state.terminate_only:
        return
    connection.autocommit = True  # one round trip instead of three
    connection.execute(_FORGET)
    connection.autocommit = False
