"""Read the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from sentrikat.audit.models import AuditCheckpoint, AuditEntry

_AT_ONCE = 1_000


class EntryRow(NamedTuple):
    """One entry, for a list."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    address: str | None
    detail: dict[str, Any]
    hash: bytes


class StoredEntry(NamedTuple):
    """One entry with all that its hash covers."""

    id: int
    organization_id: int
    at: datetime
    actor: str
    action: str
    object: str
    address: str | None
    detail: dict[str, Any]
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class EntryFilters:
    """Which entries are wanted; what is not given lets everything pass.

    `actors` are whole (`user:4`), the others how the text begins: `sign_in` finds `sign_in.failed`.
    """

    since: datetime | None = None
    until: datetime | None = None
    actors: tuple[str, ...] | None = None
    action: str | None = None
    object: str | None = None
    address: str | None = None

    def given(self) -> bool:
        """Say whether anything is filtered."""
        return self != EntryFilters()

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Give the conditions."""
        if self.since is not None:
            yield AuditEntry.at >= self.since
        if self.until is not None:
            yield AuditEntry.at < self.until
        if self.actors is not None:
            yield AuditEntry.actor.in_(self.actors)
        if self.action is not None:
            yield func.starts_with(AuditEntry.action, self.action)
        if self.object is not None:
            yield func.starts_with(AuditEntry.object, self.object)
        if self.address is not None:
            yield func.starts_with(AuditEntry.address, self.address)


ALL = EntryFilters()


def list_entries(
    session: Session, organization_id: int, *, before: int | None, limit: int, filters: EntryFilters = ALL
) -> Sequence[EntryRow]:
    """Give the newest entries of an organization, or those before entry `before`."""
    query = (
        select(*(getattr(AuditEntry, name) for name in EntryRow._fields))
        .where(AuditEntry.organization_id == organization_id, *filters.conditions())
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return [EntryRow(*row) for row in session.execute(query)]


def stored_entries(
    session: Session, organization_id: int, filters: EntryFilters = ALL, *, after: int = 0
) -> Iterator[StoredEntry]:
    """Give the entries of an organization from the first one on, however many, in bounded memory."""
    query: Select[Any] = (
        select(*(getattr(AuditEntry, name) for name in StoredEntry._fields))
        .where(AuditEntry.organization_id == organization_id, AuditEntry.id > after, *filters.conditions())
        .order_by(AuditEntry.id)
    )
    with session.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        for row in rows:
            yield StoredEntry(*row)


def stored_checkpoints(
    session: Session, organization_id: int, *, after: int = 0
) -> Sequence[tuple[int, bytes]]:
    """Give the number and the signed statement of each checkpoint of a chain, the oldest first."""
    rows = session.execute(
        select(AuditCheckpoint.number, AuditCheckpoint.envelope)
        .where(AuditCheckpoint.organization_id == organization_id, AuditCheckpoint.number > after)
        .order_by(AuditCheckpoint.number)
    )
    return [(number, envelope) for number, envelope in rows]
