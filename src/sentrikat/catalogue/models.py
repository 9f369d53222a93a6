"""Names of products and the ends of their releases, public knowledge."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Date,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.infra.database.base import Base


class ProductName(Base):
    """A name by which a product is known: normalized words of vendor and title."""

    __tablename__ = "product_name"
    __table_args__ = (
        UniqueConstraint("product_id", "source", "vendor", "title"),
        Index("ix_product_name_title", "title"),
        Index(
            "ix_product_name_title_trigrams",
            "title",
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    source: Mapped[str] = mapped_column(Text)
    vendor: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    end_of_life: Mapped[date | None] = mapped_column(Date)


class CatalogueProduct(Base):
    """What a source that lists products says of one, beside its names.

    target_software  what its names are made for, as CPE writes it: windows, wordpress; `*` anything
    live             False: every name was deprecated, and `replaced_by_id` may say in favor of what
    """

    __tablename__ = "catalogue_product"

    product_id: Mapped[int] = mapped_column(
        ForeignKey("product.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    source: Mapped[str] = mapped_column(Text)
    target_software: Mapped[list[str]] = mapped_column(ARRAY(Text))
    live: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))


class PackageSource(Base):
    """Which source package a binary package of a release is built from, learned from feeds and from hosts."""

    __tablename__ = "package_source"

    namespace: Mapped[str] = mapped_column(Text, primary_key=True)  # debian:12
    binary_name: Mapped[str] = mapped_column(Text, primary_key=True)
    source_name: Mapped[str] = mapped_column(Text)
    learned_from: Mapped[str] = mapped_column(Text)  # feed name | inventory


class ReleaseCycle(Base):
    """One release of a product with its ends (domain.lifecycle), as held from `valid_from` on.

    An end is a day, or, without one, over or not; both null: the source does not speak of it.
    """

    __tablename__ = "release_cycle"
    __table_args__ = (
        Index(
            "uq_release_cycle_current",
            "product",
            "cycle",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    product: Mapped[str] = mapped_column(Text)  # the source's own name of it: ubuntu, nodejs
    cycle: Mapped[str] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(Text)
    latest: Mapped[str | None] = mapped_column(Text)
    released_on: Mapped[date | None] = mapped_column(Date)
    security_ends_on: Mapped[date | None] = mapped_column(Date)
    security_over: Mapped[bool | None] = mapped_column(Boolean)
    support_ends_on: Mapped[date | None] = mapped_column(Date)
    support_over: Mapped[bool | None] = mapped_column(Boolean)
    extended_ends_on: Mapped[date | None] = mapped_column(Date)
    extended_over: Mapped[bool | None] = mapped_column(Boolean)
    valid_from: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    valid_to: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))


class CycleProduct(Base):
    """A product whose versions tell the release cycle of `product`."""

    __tablename__ = "cycle_product"

    product_id: Mapped[int] = mapped_column(
        ForeignKey("product.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    product: Mapped[str] = mapped_column(Text)
