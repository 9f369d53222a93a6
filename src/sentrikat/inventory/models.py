"""Assets and what is installed on them.

`component` is one distinct software version, shared by every asset that has it; `install` says which asset
has it since when. Install rows are kept after removal, so the inventory of any past day can be read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.identity.models import Organization
from sentrikat.infra.database.base import Base
from sentrikat.vulnerabilities.models import Product

Moment = TIMESTAMP(timezone=True)


class Component(Base):
    """One distinct software version.

    kind          deb rpm apk pacman snap flatpak brew pypi npm maven golang cargo nuget gem composer
                  windows macos application cpe, and `os` for the operating system itself
    namespace     distribution release such as debian:12 for distribution packages; else the os family for
                  applications (windows, macos, linux, other), because the same title differs there; else ''
    name          source package for deb and apk (the binaries stand on the install), else the reported name
    """

    __tablename__ = "component"
    __table_args__ = (
        Index("ix_component_kind_namespace_name", "kind", "namespace", "name"),
        Index(
            "ix_component_name_trigrams",
            literal_column("lower(name)").label("lower_name"),
            postgresql_using="gin",
            postgresql_ops={"lower_name": "gin_trgm_ops"},
        ),
        Index(
            "ix_component_not_judged",
            "name",
            "id",
            postgresql_where=text("identified IN ('unidentified', 'no_version', 'unsupported')"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    identity: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # digest of the fields below
    kind: Mapped[str] = mapped_column(Text)
    namespace: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str | None] = mapped_column(Text)
    source_name: Mapped[str | None] = mapped_column(Text)
    source_version: Mapped[str | None] = mapped_column(Text)
    vendor: Mapped[str | None] = mapped_column(Text)
    module: Mapped[str | None] = mapped_column(Text)
    bundle_id: Mapped[str | None] = mapped_column(Text)
    cpe: Mapped[str | None] = mapped_column(Text)
    purl: Mapped[str | None] = mapped_column(Text)
    arch: Mapped[str | None] = mapped_column(Text)  # of an operating system; packages are one for all
    # What an organization said it is (inventory.corrections): vendor:product, unlisted or ignored. Such a component is
    # another than the one without, so nobody else's findings change.
    corrected: Mapped[str | None] = mapped_column(Text)
    identified: Mapped[str] = mapped_column(Text, server_default="pending")
    # pending | identified | unidentified | no_version | unsupported | unlisted (no source speaks of it, as somebody
    # found out) | ignored (not to be judged)


class ComponentProduct(Base):
    """What identification made of a component: the products it is, and its version as their key."""

    __tablename__ = "component_product"
    __table_args__ = (Index("ix_component_product_product_id_version_key", "product_id", "version_key"),)

    component_id: Mapped[int] = mapped_column(
        ForeignKey("component.id", ondelete="CASCADE"), primary_key=True
    )
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    scheme: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)  # as compared, which may be cleaned of the title's words
    version_key: Mapped[bytes] = mapped_column(LargeBinary)
    cpe: Mapped[str | None] = mapped_column(Text)
    # What a statement's target attributes are held against: os family and the component's own CPE attributes.
    context: Mapped[str] = mapped_column(Text)
    # False: named only so that platform conditions can be checked; its own flaws are judged elsewhere.
    judged: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    method: Mapped[str] = mapped_column(Text)  # declared_cpe | purl | release_package | exact_name | ...
    confidence: Mapped[float] = mapped_column(REAL)  # 0..1


class ComponentCycle(Base):
    """The release cycle a component belongs to, by the catalogue's names; none where it is not certain."""

    __tablename__ = "component_cycle"
    __table_args__ = (Index("ix_component_cycle_product_cycle", "product", "cycle"),)

    component_id: Mapped[int] = mapped_column(
        ForeignKey("component.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    product: Mapped[str] = mapped_column(Text)
    cycle: Mapped[str] = mapped_column(Text)


class IdentificationCandidate(Base):
    """A product that a component without identity may be; the best few, for people to choose from."""

    __tablename__ = "identification_candidate"

    component_id: Mapped[int] = mapped_column(
        ForeignKey("component.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    product_id: Mapped[int] = mapped_column(
        ForeignKey(Product.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    score: Mapped[float] = mapped_column(REAL)  # 0..1, domain.matching.likeness
    evidence: Mapped[list[str]] = mapped_column(ARRAY(Text))


class TitleCorrection(Base):
    """What people of an organization said software of a title is; the newest that fits counts."""

    __tablename__ = "title_correction"
    __table_args__ = (
        CheckConstraint("coalesce(title, vendor, bundle_id) is not null", name="pattern"),
        Index("ix_title_correction_organization_id", "organization_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    title: Mapped[str | None] = mapped_column(Text)  # patterns: `*` stands for any text
    vendor: Mapped[str | None] = mapped_column(Text)
    bundle_id: Mapped[str | None] = mapped_column(Text)
    meaning: Mapped[str] = mapped_column(Text)  # vendor:product | unlisted | ignored
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Asset(Base):
    """A machine of an organization."""

    __tablename__ = "asset"
    __table_args__ = (
        UniqueConstraint("organization_id", "id"),
        Index("ix_asset_organization_id_hostname", "organization_id", "hostname", "id"),
        Index("ix_asset_organization_id_machine_id", "organization_id", "machine_id"),
        Index("ix_asset_organization_id_agent_id", "organization_id", "agent_id"),
        Index("ix_asset_organization_id_report_digest", "organization_id", "report_digest"),
        Index(
            "ix_asset_key_family",
            "organization_id",
            "key_family",
            postgresql_where=text("key_family is not null"),
        ),
        CheckConstraint("exposure in ('public','internal','unknown')", name="exposure"),
        CheckConstraint("criticality between 1 and 4", name="criticality"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    hostname: Mapped[str] = mapped_column(Text)
    agent_id: Mapped[str | None] = mapped_column(Text)
    machine_id: Mapped[str | None] = mapped_column(Text)
    os_family: Mapped[str] = mapped_column(Text)
    os: Mapped[dict[str, Any]] = mapped_column(JSONB)
    exposure: Mapped[str] = mapped_column(Text, server_default="unknown")
    criticality: Mapped[int] = mapped_column(Integer, server_default="2")  # 1 low .. 4 mission-critical
    first_seen_at: Mapped[datetime] = mapped_column(Moment)
    last_report_at: Mapped[datetime] = mapped_column(Moment)
    last_collected_at: Mapped[datetime | None] = mapped_column(Moment)
    inventory_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    # The receipt's, of the complete report that stands; None where the same words could mean something else now.
    report_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    retired_at: Mapped[datetime | None] = mapped_column(Moment)
    # The line of keys that brought it in, where those have a limit of assets.
    key_family: Mapped[int | None] = mapped_column(BigInteger)
    updates: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))  # as reported
    # What is in effect of them: installed, superseded by what is installed, or part of the system's build. Derived
    # from the line above and from `vendor_update`, refreshed when either moves (inventory.updates).
    held_updates: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))


class Install(Base):
    """An asset has a component, since `first_seen_at`, until `removed_at`."""

    __tablename__ = "install"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "asset_id"], ["asset.organization_id", "asset.id"], ondelete="CASCADE"
        ),
        Index(
            "uq_install_current",
            "organization_id",
            "asset_id",
            "component_id",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "ix_install_removed",
            "asset_id",
            "component_id",
            postgresql_where=text("removed_at IS NOT NULL"),
        ),
        Index(
            "ix_install_current_component",
            "component_id",
            "asset_id",
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger)
    asset_id: Mapped[int] = mapped_column(BigInteger)
    component_id: Mapped[int] = mapped_column(BigInteger)
    binaries: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    paths: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    first_seen_at: Mapped[datetime] = mapped_column(Moment)
    removed_at: Mapped[datetime | None] = mapped_column(Moment)


class Receipt(Base):
    """A report as received: the raw bytes, and what became of them."""

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("organization_id", "report_id"),
        CheckConstraint(
            "status in ('received','processed','unchanged','outdated','held','failed')", name="status"
        ),
        Index("ix_receipt_organization_id_received_at", "organization_id", "received_at"),
        Index("ix_receipt_organization_id_asset_id", "organization_id", "asset_id", "received_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    report_id: Mapped[str] = mapped_column(Text)
    form: Mapped[str] = mapped_column(Text)  # agent-report | cyclonedx | spdx
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    # Of what a complete report says, without its id and its time.
    content_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    collected_at: Mapped[datetime | None] = mapped_column(Moment)
    body: Mapped[bytes] = mapped_column(LargeBinary)  # zlib
    received_at: Mapped[datetime] = mapped_column(Moment)
    processed_at: Mapped[datetime | None] = mapped_column(Moment)
    status: Mapped[str] = mapped_column(Text, server_default="received")
    detail: Mapped[str | None] = mapped_column(Text)
    asset_id: Mapped[int | None] = mapped_column(BigInteger)
    key_id: Mapped[int | None] = mapped_column(BigInteger)  # the API key it came with
    asset_hint: Mapped[str | None] = mapped_column(Text)  # host name to file an SBOM under
    confirmed: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    installed: Mapped[int | None] = mapped_column(Integer)
    removed: Mapped[int | None] = mapped_column(Integer)
