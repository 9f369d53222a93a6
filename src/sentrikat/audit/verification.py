"""Verify the chains in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.audit.models import AuditEntry
from sentrikat.domain.chain_walk import UNWALKED, Entry, Mark, Walked, walk
from sentrikat.domain.hash_chain import Link

_AT_ONCE = 1_000
_COLUMNS = (
    AuditEntry.id,
    AuditEntry.organization_id,
    AuditEntry.at,
    AuditEntry.actor,
    AuditEntry.action,
    AuditEntry.object,
    AuditEntry.address,
    AuditEntry.detail,
    AuditEntry.previous_hash,
    AuditEntry.hash,
)


def verify(
    session: Session, organization_id: int, marks: Sequence[Mark] = (), start: Walked = UNWALKED
) -> Walked:
    """Walk an organization's chain from its first entry, or after what was walked before."""
    query = select(*_COLUMNS).where(AuditEntry.organization_id == organization_id).order_by(AuditEntry.id)
    if start.last_id is not None:
        query = query.where(AuditEntry.id > start.last_id)
    # Closed at once when the chain breaks: a cursor on the server must not outlive its reader.
    with session.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        return walk(map(entry_of, rows), Stored(session, organization_id), marks, start)


def entry_of(row: Sequence[Any]) -> Entry:
    """Give a row of the table's columns as the walk reads it."""
    return Entry(row[0], Link(*row[1:8]), row[8], row[9])


class Stored:
    """The chain of an organization in the database, as a walk asks for it at a break."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._ids = select(AuditEntry.id).where(AuditEntry.organization_id == organization_id).limit(1)

    def with_hash(self, digest: bytes) -> int | None:
        """Give the entry of that hash. No index has it: this is asked once, of a chain that is broken."""
        return self._session.scalar(self._ids.where(AuditEntry.hash == digest))

    def following(self, digest: bytes, *, but: int) -> int | None:
        """Give an entry, other than `but`, that names `digest` as the hash before it."""
        return self._session.scalar(self._ids.where(AuditEntry.previous_hash == digest, AuditEntry.id != but))
