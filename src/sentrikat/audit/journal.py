"""Write the audit log, and verify it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from sentrikat.audit.models import AuditEntry
from sentrikat.domain import hash_chain
from sentrikat.domain.hash_chain import GENESIS, Link
from sentrikat.domain.permissions import Caller
from sentrikat.infra.database.locks import advisory_lock

INSTALLATION = 0  # the chain of what concerns no single organization


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain was walked: how many entries it has, its last hash, and where it broke, if it did."""

    entries: int
    head: bytes
    broken_entry: int | None = None
    reason: str | None = None

    @property
    def holds(self) -> bool:
        """Say whether every entry is as written."""
        return self.broken_entry is None


def record(
    session: Session,
    caller: Caller,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Append one entry to the chain of the caller's organization, in the caller's transaction.

    `subject` names what was acted on, as `kind:id`; it becomes the entry's object.

    If it cannot be written, the transaction fails with it: what cannot be logged does not happen.
    """
    # Entries of one chain are written one after the other: each needs the hash of the one before.
    advisory_lock(session, f"audit:{caller.organization_id}")
    previous = session.scalar(
        select(AuditEntry.hash)
        .where(AuditEntry.organization_id == caller.organization_id)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    link = Link(
        organization_id=caller.organization_id,
        at=now,
        actor=caller.actor,
        action=action,
        object=subject,
        address=caller.address,
        detail=dict(detail or {}),
    )
    session.execute(
        insert(AuditEntry).values(
            organization_id=link.organization_id,
            at=link.at,
            actor=link.actor,
            action=link.action,
            object=link.object,
            address=link.address,
            detail=link.detail,
            previous_hash=previous or GENESIS,
            hash=hash_chain.link_hash(previous or GENESIS, link),
        )
    )


def verify(session: Session, organization_id: int) -> Verified:
    """Walk an organization's chain from its first entry."""
    ids: list[int] = []
    head = GENESIS

    def walk(entries: Iterable[AuditEntry]) -> Iterator[tuple[Link, bytes, bytes]]:
        nonlocal head
        for entry in entries:
            ids.append(entry.id)
            head = entry.hash
            yield link_of(entry), entry.previous_hash, entry.hash

    query = select(AuditEntry).where(AuditEntry.organization_id == organization_id).order_by(AuditEntry.id)
    # Closed at once when the chain breaks: a cursor on the server must not outlive its reader.
    with session.scalars(query.execution_options(yield_per=1000)) as entries:
        broken = hash_chain.first_break(walk(entries))
    if broken is None:
        return Verified(len(ids), head)
    return Verified(len(ids), head, ids[broken.position], broken.reason)


def link_of(entry: AuditEntry) -> Link:
    """Give the entry as it is hashed."""
    return Link(
        organization_id=entry.organization_id,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        object=entry.object,
        address=entry.address,
        detail=entry.detail,
    )
