"""The audit log, what was signed of it, and how far it was handed on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.infra.database.base import Base

Moment = TIMESTAMP(timezone=True)


class AuditEntry(Base):
    """One action. `organization_id` 0 is the installation itself; each organization has its own chain.

    No two entries of a chain name the same predecessor: PostgreSQL itself refuses a fork.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_organization_id_id", "organization_id", "id"),
        UniqueConstraint("organization_id", "previous_hash"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(Text)  # user:12 | key:3 | system | cli
    action: Mapped[str] = mapped_column(Text)
    object: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Base):
    """What was signed of a chain at some moment: how many entries it had, and the last one's hash."""

    __tablename__ = "audit_checkpoint"
    __table_args__ = (UniqueConstraint("organization_id", "number"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger)  # 1, 2, 3 … of its chain
    entry_id: Mapped[int] = mapped_column(BigInteger)
    entries: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(Moment)
    key_id: Mapped[str] = mapped_column(Text)
    envelope: Mapped[bytes] = mapped_column(LargeBinary)  # the signed statement; the columns repeat it


class AuditDestination(Base):
    """A collector that the log is handed on to, and how that goes."""

    __tablename__ = "audit_destination"

    name: Mapped[str] = mapped_column(Text, primary_key=True)  # syslog://host:port
    delivered_at: Mapped[datetime | None] = mapped_column(Moment)
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    trouble: Mapped[str | None] = mapped_column(Text)


class AuditDelivery(Base):
    """How far a chain was handed on to a destination. One cursor per chain, for only within it do ids commit in order."""

    __tablename__ = "audit_delivery"

    destination: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entry_id: Mapped[int] = mapped_column(BigInteger, server_default="0")
    checkpoint: Mapped[int] = mapped_column(BigInteger, server_default="0")
