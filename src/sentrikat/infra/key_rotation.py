"""Exchange the keys that secrets in the database are encrypted with, while the server runs.

1. A new key comes first: what is written from then on is written with it; every older key still reads.
2. Every value of every column marked ENCRYPTED is encrypted anew, some at a time, each portion in a transaction
   of its own. Killed anywhere, the next run looks at what there is and continues.
3. Old keys go last, and only when no value and no open transaction can need them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Engine, MetaData, Table, select, text, tuple_, update
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict
from sentrikat.infra.encryption import ENCRYPTED, Vault

PORTION = 200  # rows locked at a time: a sign-in that waits for one of them waits for milliseconds


@dataclass(frozen=True, slots=True)
class SecretColumn:
    """A column of encrypted values."""

    table: Table
    column: Column[Any]
    purpose: str

    @property
    def name(self) -> str:
        """Give `table.column`."""
        return f"{self.table.name}.{self.column.name}"


@dataclass(frozen=True, slots=True)
class Portion:
    """What one step looked at; `last` is the key of its last row, None when there was none."""

    seen: int
    rotated: int
    last: tuple[Any, ...] | None


def secret_columns(metadata: MetaData) -> list[SecretColumn]:
    """Find every column that holds encrypted values."""
    return [
        SecretColumn(table, column, column.info[ENCRYPTED])
        for table in metadata.sorted_tables
        for column in table.columns
        if ENCRYPTED in column.info
    ]


def rotate_portion(
    session: Session,
    secret: SecretColumn,
    vault: Vault,
    after: tuple[Any, ...] | None,
    *,
    size: int = PORTION,
) -> Portion:
    """Encrypt the next values with the newest key, in the caller's transaction."""
    rotated = 0
    last: tuple[Any, ...] | None = None
    seen = 0
    for row in _rows(session, secret, after, size):
        seen += 1
        *place, token = row
        last = tuple(place)
        if not vault.is_newest(token):
            fresh = vault.rotate(token, purpose=secret.purpose)
            session.execute(update(secret.table).where(*_at(secret, place)).values({secret.column: fresh}))
            rotated += 1
    return Portion(seen, rotated, last)


def waiting(session: Session, metadata: MetaData, vault: Vault) -> Mapping[str, int]:
    """Count, by column, the values that an older key is still needed for."""
    found: dict[str, int] = {}
    for secret in secret_columns(metadata):
        values = session.execute(select(secret.column).where(secret.column.is_not(None))).scalars()
        if count := sum(not vault.is_newest(token) for token in values):
            found[secret.name] = count
    return found


def refuse_while_needed(
    session: Session, engine: Engine, metadata: MetaData, vault: Vault, since: datetime
) -> None:
    """Raise Conflict while an older key may be needed; until the transaction ends nobody writes a secret.

    `since` is when the newest key came. A transaction that began before may still hold a value encrypted with
    the key before it, which no query of ours can see.
    """
    tables = ", ".join(f'"{name}"' for name in sorted({one.table.name for one in secret_columns(metadata)}))
    session.execute(text(f"lock table {tables} in share mode"))
    older = _open_since(engine, since)
    if older:
        raise Conflict(
            f"The old keys were kept: {older} transactions began before the newest key was there.",
            hint="Run it again in a minute. Every secret is readable.",
            code="keys_in_use",
        )
    left = waiting(session, metadata, vault)
    if left:
        named = ", ".join(f"{count} of {name}" for name, count in left.items())
        raise Conflict(
            f"The old keys were kept: they are still needed for secrets ({named}).",
            hint="Run: sentrikat keys rotate. Every secret is readable.",
            code="keys_in_use",
        )


def _open_since(engine: Engine, since: datetime) -> int:
    """Count the transactions begun before `since`. Asked as the login user: the system role sees no other's."""
    query = text(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and backend_type = 'client backend' and pid <> pg_backend_pid() and xact_start < :since"
    )
    with engine.connect() as connection:
        return int(connection.execute(query, {"since": since}).scalar_one())


def _rows(
    session: Session, secret: SecretColumn, after: tuple[Any, ...] | None, size: int
) -> Iterator[tuple[Any, ...]]:
    places = list(secret.table.primary_key.columns)
    query = select(*places, secret.column).where(secret.column.is_not(None)).order_by(*places).limit(size)
    if after is not None:
        query = query.where(tuple_(*places) > tuple_(*after))
    for row in session.execute(query.with_for_update()).all():
        yield tuple(row)


def _at(secret: SecretColumn, place: list[Any]) -> list[Any]:
    return [column == value for column, value in zip(secret.table.primary_key.columns, place, strict=True)]
