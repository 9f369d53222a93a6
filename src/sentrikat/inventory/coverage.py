"""What the inventory does not cover: silent agents, and software nobody could identify.

Every figure of a page is only as good as this, so pages show it (promise 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select, tuple_
from sqlalchemy.orm import Session

from sentrikat.inventory.models import Asset, Component, Install
from sentrikat.inventory.queries import AssetPage, AssetRow, page_size

SILENT_AFTER = timedelta(days=2)  # agents report daily; two missed reports are no accident
NOT_JUDGED = ("unidentified", "no_version", "unsupported")
COUNT_CAP = 1_000  # every page counts up to here


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the inventory can be trusted. `unidentified` counts components, up to COUNT_CAP + 1."""

    assets: int
    silent: int
    unidentified: int


@dataclass(frozen=True, slots=True)
class UnidentifiedRow:
    """A component that could not be judged, why, and on how many assets it is."""

    component_id: int
    kind: str
    name: str
    version: str | None
    vendor: str | None
    reason: str
    assets: int


def coverage(session: Session, organization_id: int, now: datetime) -> Coverage:
    """Count what is there, what is silent, and what is not judged."""
    assets, silent = session.execute(
        select(func.count(), func.count().filter(Asset.last_report_at < now - SILENT_AFTER)).where(
            Asset.organization_id == organization_id, Asset.retired_at.is_(None)
        )
    ).one()
    capped = select(Component.id).where(*_not_judged(organization_id)).limit(COUNT_CAP + 1).subquery()
    unidentified = session.scalar(select(func.count()).select_from(capped))
    return Coverage(assets, silent, unidentified or 0)


def list_silent(
    session: Session,
    organization_id: int,
    now: datetime,
    *,
    after: tuple[str, int] | None = None,
    limit: int = 50,
) -> AssetPage:
    """Give a page of the assets that `coverage` counts as silent, by host name."""
    limit = page_size(limit)
    query = (
        select(*(getattr(Asset, name) for name in AssetRow.__dataclass_fields__))
        .where(
            Asset.organization_id == organization_id,
            Asset.retired_at.is_(None),
            Asset.last_report_at < now - SILENT_AFTER,
        )
        .order_by(Asset.hostname, Asset.id)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(Asset.hostname, Asset.id) > tuple_(*after))
    found = session.execute(query).all()
    rows = tuple(AssetRow(*row) for row in found[:limit])
    return AssetPage(rows, (rows[-1].hostname, rows[-1].id) if len(found) > limit else None)


def list_unidentified(
    session: Session, organization_id: int, *, after: tuple[str, int] | None = None, limit: int = 50
) -> tuple[tuple[UnidentifiedRow, ...], tuple[str, int] | None]:
    """Give a page of the components that `coverage` counts as unidentified, by name."""
    limit = page_size(limit)
    on_assets = (
        select(func.count(Install.asset_id.distinct()))
        .where(
            Install.component_id == Component.id,
            Install.organization_id == organization_id,
            Install.removed_at.is_(None),
        )
        .scalar_subquery()
    )
    query = (
        select(
            Component.id,
            Component.kind,
            Component.name,
            Component.version,
            Component.vendor,
            Component.identified,
            on_assets,
        )
        .where(*_not_judged(organization_id))
        .order_by(Component.name, Component.id)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(Component.name, Component.id) > tuple_(*after))
    found = session.execute(query).all()
    rows = tuple(UnidentifiedRow(*row) for row in found[:limit])
    return rows, (rows[-1].name, rows[-1].component_id) if len(found) > limit else None


def _not_judged(organization_id: int) -> list[ColumnElement[bool]]:
    # From the components, not the installs: few components are unidentified, and installs are millions.
    here = exists().where(
        Install.component_id == Component.id,
        Install.organization_id == organization_id,
        Install.removed_at.is_(None),
    )
    return [Component.identified.in_(NOT_JUDGED), here]
