"""Two organizations with a row in every tenant table, every free word of which says whose it is.

The tables are those of the database that carry an organization, so a new one is filled without anybody's
thinking of it. What a program's word is and no free text is told by its check constraint, or named below.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import ARRAY, BigInteger, Boolean, CheckConstraint, Column, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from sentrikat.infra.database.engine import conninfo
from sentrikat.migrations import all_metadata

# Columns of tenant tables that hold words of the program although nothing in the schema says so.
WORDS = {
    ("api_key", "prefix"),
    ("api_key", "scopes"),
    ("asset", "os_family"),
    ("custom_role", "permissions"),
    ("asset", "exposure"),
    ("deadline_change", "policy"),
    ("deadline_change", "outcome"),
    ("dismissal", "component_kind"),
    ("event", "kind"),
    ("finding", "close_reason"),
    ("finding", "outcome"),
    ("finding", "policy"),
    ("finding", "verdict"),
    ("organization", "time_zone"),
    ("receipt", "form"),
    ("receipt", "status"),
    ("title_correction", "meaning"),
}
ROLE_COLUMNS = {"role"}  # a rule of a group names an organization together with a role
# Journals whose rows are chained or signed: changed, they would no longer be what they are. Theirs are written.
CHAINED = {"audit_entry", "audit_checkpoint"}


def owner_column(table: str) -> str | None:
    """Give the column that says whose a row is; None for a table of everybody."""
    columns = all_metadata().tables[table].columns
    return "id" if table == "organization" else "organization_id" if "organization_id" in columns else None


def tenant_tables() -> list[str]:
    """Give every table whose rows belong to an organization."""
    return sorted(table for table in all_metadata().tables if owner_column(table) is not None)


def mark(organization: str, table: str, column: str) -> str:
    """Give the word that stands in a column of an organization's rows, and nowhere else."""
    return f"zq{organization}-{table}-{column}".replace("_", "-")


def fill(url: str, organizations: dict[str, int]) -> None:
    """Give every tenant table a row of each organization, and mark its free text."""
    with psycopg.connect(conninfo(url)) as connection:
        # Triggers and foreign keys rest: a row that only exists to be looked for needs nothing behind it.
        connection.execute("set session_replication_role = replica")
        for table in tenant_tables():
            for name, number in organizations.items():
                _ensure_row(connection, table, number)
                for column in all_metadata().tables[table].columns:
                    if table not in CHAINED and (table, column.name) not in WORDS:
                        _mark(connection, table, column, name, number)
        for name, number in organizations.items():
            # People who are in no other organization are nobody's business elsewhere.
            connection.execute(
                "update user_account set login = %s || '-' || id, display_name = %s || '-' || id where id in"
                " (select user_id from membership group by user_id having array_agg(organization_id) = array[%s::bigint])",
                (mark(name, "user_account", "login"), mark(name, "user_account", "name"), number),
            )


def _ensure_row(connection: psycopg.Connection[Any], table: str, organization: int) -> None:
    owner = owner_column(table)
    assert owner is not None
    held = connection.execute(
        sql.SQL("select 1 from {} where {} = %s limit 1").format(
            sql.Identifier(table), sql.Identifier(owner)
        ),
        [organization],
    )
    if held.fetchone() is not None:
        return
    values: dict[str, Any] = {}
    for column in all_metadata().tables[table].columns:
        if column.name == owner:
            values[column.name] = organization
        elif isinstance(column.type, Text) or (
            not column.nullable and column.server_default is None and column.identity is None
        ):
            values[column.name] = _value(column, organization)
    connection.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() for _ in values),
        ),
        list(values.values()),
    )


def _value(column: Column[Any], organization: int) -> Any:
    """Give some value of the column's type; a word that its check constraint allows where there is one."""
    kind = column.type
    if column.name in ROLE_COLUMNS:
        return "viewer"
    if isinstance(kind, (Integer, BigInteger)):
        return organization  # some are unique
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, LargeBinary):
        return f"[{organization}]".encode()  # some are unique, and some are read as JSON
    if isinstance(kind, TIMESTAMP):
        return "2026-06-02T12:00:00Z"
    if isinstance(kind, JSONB):
        return "{}"
    if isinstance(kind, ARRAY):
        return ["inventory:read"] if column.name == "permissions" else []
    for rule in column.table.constraints:
        if isinstance(rule, CheckConstraint):
            allowed = re.search(rf"\b{column.name}\b\s+in\s+\('([^']+)'", str(rule.sqltext))
            if allowed is not None:
                return allowed[1]
    return f"word-{organization}"


def _mark(
    connection: psycopg.Connection[Any], table: str, column: Column[Any], name: str, organization: int
) -> None:
    word = mark(name, table, column.name)
    new: sql.Composable
    if isinstance(column.type, JSONB):
        new = sql.SQL("{} || jsonb_build_object('mark', %s::text)").format(sql.Identifier(column.name))
    elif isinstance(column.type, ARRAY) and isinstance(column.type.item_type, Text):
        new = sql.SQL("array[%s::text]")
    elif isinstance(column.type, Text):
        # With an end of its own for each row: some are unique.
        new = sql.SQL("%s || '-' || substr(md5(ctid::text), 1, 6)")
    else:
        return
    statement = sql.SQL("update {} set {} = {} where {} = %s").format(
        sql.Identifier(table), sql.Identifier(column.name), new, sql.Identifier(owner_column(table) or "")
    )
    try:
        with connection.transaction():
            connection.execute(statement, [word, organization])
    except psycopg.errors.CheckViolation:
        return  # one of the program's words
