"""Projections of facts: `match` of components x statements, `finding` of installs x matches.

Both can be rebuilt from the facts at any time. Neither is ever deleted: what ends is closed with its time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.identity.models import Organization
from sentrikat.infra.database.base import Base
from sentrikat.inventory.models import Asset
from sentrikat.vulnerabilities.models import PlatformTarget

Moment = TIMESTAMP(timezone=True)


class TargetExclusion(Base):
    """Statements limited to `target_id` do not apply to components of `context` (domain.cpe.target)."""

    __tablename__ = "target_exclusion"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey(PlatformTarget.id), primary_key=True)


class TargetContext(Base):
    """A component context, and the newest target it was held against."""

    __tablename__ = "target_context"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    newest_target_id: Mapped[int] = mapped_column(BigInteger)


class Match(Base):
    """A component has a flaw (or may have it), by the statement chosen.

    verdict   affected, or unknown where the chosen statement names no versions ("review")
    """

    __tablename__ = "match"
    __table_args__ = (
        CheckConstraint("verdict in ('affected','unknown')", name="verdict"),
        Index(
            "uq_match_current",
            "component_id",
            "vulnerability_id",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index(
            "ix_match_current_conditional",
            "component_id",
            postgresql_where=text("valid_to IS NULL AND condition_ids IS NOT NULL"),
        ),
        Index(
            "ix_match_current_vulnerability", "vulnerability_id", postgresql_where=text("valid_to IS NULL")
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    component_id: Mapped[int] = mapped_column(BigInteger)
    vulnerability_id: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(Text)
    range_id: Mapped[int] = mapped_column(BigInteger)  # affected_range chosen
    # Platform conditions of the chosen source's statements; any must hold on the asset. None: unconditional.
    condition_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    valid_from: Mapped[datetime] = mapped_column(Moment)
    valid_to: Mapped[datetime | None] = mapped_column(Moment)


class Finding(Base):
    """A flaw on an asset, through a component, with its life and its deadline."""

    __tablename__ = "finding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "asset_id"], [Asset.organization_id, Asset.id], ondelete="CASCADE"
        ),
        CheckConstraint("verdict in ('affected','unknown')", name="verdict"),
        CheckConstraint(
            "close_reason in ('upgraded','removed','statement_changed','asset_retired','condition_gone')",
            name="close_reason",
        ),
        Index(
            "uq_finding_open",
            "organization_id",
            "asset_id",
            "component_id",
            "vulnerability_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(
            "ix_finding_open_priority",
            "organization_id",
            text("priority DESC"),
            text("id DESC"),
            postgresql_include=["vulnerability_id", "component_id"],  # so that counts look at no row
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(
            "ix_finding_open_review",
            "organization_id",
            text("priority DESC"),
            text("id DESC"),
            postgresql_include=["vulnerability_id", "component_id", "asset_id", "match_id", "opened_at"],
            postgresql_where=text("closed_at IS NULL AND verdict = 'unknown'"),
        ),
        Index(
            "ix_finding_open_vulnerability",
            "organization_id",
            "vulnerability_id",
            "asset_id",
            postgresql_include=["due_at"],
            postgresql_where=text("closed_at IS NULL"),
        ),
        # Matches change by component and flaw, whatever the organization; lists look for software.
        Index(
            "ix_finding_open_component",
            "component_id",
            "vulnerability_id",
            postgresql_include=["organization_id"],
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_finding_organization_id_asset_id", "organization_id", "asset_id"),
        Index(
            "ix_finding_open_due",
            "organization_id",
            "due_at",
            "id",
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_finding_organization_id_closed_at", "organization_id", "closed_at"),
        Index("ix_finding_organization_id_opened_at", "organization_id", "opened_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger)
    asset_id: Mapped[int] = mapped_column(BigInteger)
    component_id: Mapped[int] = mapped_column(BigInteger)
    vulnerability_id: Mapped[int] = mapped_column(BigInteger)
    match_id: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    close_reason: Mapped[str | None] = mapped_column(Text)
    policy: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    tier: Mapped[int] = mapped_column(Integer, server_default="0")  # domain.prioritization.order.Tier
    priority: Mapped[int] = mapped_column(BigInteger, server_default="0")


class FlawName(Base):
    """How a flaw names its software, where nobody says which versions: see domain.matching.names.

    basis    catalog (of exploited flaws), or statement (of a source that gives no versions)
    """

    __tablename__ = "flaw_name"
    __table_args__ = (CheckConstraint("basis in ('catalog','statement')", name="basis"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    vulnerability_id: Mapped[int] = mapped_column(BigInteger, index=True)
    basis: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    vendor: Mapped[str] = mapped_column(Text)
    product: Mapped[str] = mapped_column(Text)
    words: Mapped[list[str]] = mapped_column(ARRAY(Text))
    makers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    itself: Mapped[bool] = mapped_column(Boolean)
    key: Mapped[str] = mapped_column(Text, index=True)


class Possible(Base):
    """A component is called like what a flaw is in. Evidence for people; never a match, never a finding."""

    __tablename__ = "possible"

    component_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    vulnerability_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, index=True)
    basis: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    vendor: Mapped[str] = mapped_column(Text)
    product: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Moment)


class Dismissal(Base):
    """Somebody looked at software that is possibly affected and says that it is not, whatever its version.

    It holds until the flaw turns out to be exploited, unless that was known.
    """

    __tablename__ = "dismissal"
    __table_args__ = (
        UniqueConstraint("organization_id", "vulnerability_id", "component_kind", "component_name"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    vulnerability_id: Mapped[int] = mapped_column(BigInteger)
    component_kind: Mapped[str] = mapped_column(Text)
    component_name: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)
    exploited: Mapped[bool] = mapped_column(Boolean)  # known to be exploited when it was dismissed


class DeadlineChange(Base):
    """A deadline moved: from what to what, and why. Kept for ever."""

    __tablename__ = "deadline_change"
    __table_args__ = (
        Index("ix_deadline_change_organization_id_finding_id", "organization_id", "finding_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    finding_id: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    policy: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    cause: Mapped[str] = mapped_column(Text)


class Event(Base):
    """Something people may want to hear of: became_exploited, opened, closed ... one row per change and asset."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_organization_id_at", "organization_id", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    at: Mapped[datetime] = mapped_column(Moment)
    kind: Mapped[str] = mapped_column(Text)
    asset_id: Mapped[int | None] = mapped_column(BigInteger)
    vulnerability_id: Mapped[int | None] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer, server_default="1")
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
