"""Read the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.audit.models import AuditEntry


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


def list_entries(
    session: Session, organization_id: int, *, before: int | None, limit: int
) -> Sequence[EntryRow]:
    """Give the newest entries of an organization, or those before entry `before`."""
    query = (
        select(
            AuditEntry.id,
            AuditEntry.at,
            AuditEntry.actor,
            AuditEntry.action,
            AuditEntry.object,
            AuditEntry.address,
            AuditEntry.detail,
            AuditEntry.hash,
        )
        .where(AuditEntry.organization_id == organization_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return [EntryRow(*row) for row in session.execute(query)]
