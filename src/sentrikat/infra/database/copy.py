"""COPY: the fast way to put many rows into a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy.orm import Session


def raw_connection(session: Session) -> psycopg.Connection[Any]:
    """Return the psycopg connection of the session's transaction (same role, same tenant)."""
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)


def copy_rows(session: Session, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY `rows` into `table` inside the session's transaction; return how many went in.

    Rows are streamed, so `rows` may be larger than memory. PostgreSQL refuses COPY into a
    table under row-level security, for every role: for tenant tables, copy into a temporary
    table (`create temporary table ... on commit drop`) and INSERT ... SELECT from there.
    """
    session.flush()
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    count = 0
    with raw_connection(session).cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count
