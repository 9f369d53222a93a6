"""Reads of this room: pages of plain rows, each with a cap and a cursor.

A cursor is the sort key of the last row of a page; the next page begins after it, however many rows came or
went meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, func, select, text, tuple_
from sqlalchemy.orm import Session

from sentrikat.domain.errors import InvalidInput
from sentrikat.inventory.lifecycle import PAST_ASSETS
from sentrikat.inventory.models import Asset, Component, Install, Receipt

PAGE = 50
MAX_PAGE = 200


@dataclass(frozen=True, slots=True)
class AssetRow:
    """A machine as lists and its own page show it."""

    id: int
    hostname: str
    os_family: str
    os: dict[str, Any]
    exposure: str
    criticality: int
    first_seen_at: datetime
    last_report_at: datetime
    last_collected_at: datetime | None
    retired_at: datetime | None
    agent_id: str | None
    machine_id: str | None
    updates: list[str]


@dataclass(frozen=True, slots=True)
class AssetPage:
    """Assets by host name; `next` is the cursor of the page after, None at the end."""

    assets: tuple[AssetRow, ...]
    next: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class SoftwareRow:
    """A component installed on an asset. `identified` says how far it could be recognized."""

    component_id: int
    kind: str
    namespace: str
    name: str
    version: str | None
    source_name: str | None
    vendor: str | None
    binaries: list[str]
    paths: list[str]
    first_seen_at: datetime
    removed_at: datetime | None
    identified: str


SoftwareCursor = tuple[str, int] | tuple[int, str, int]
"""Name and number of the last component, after whether it was judged where that comes first."""


@dataclass(frozen=True, slots=True)
class SoftwarePage:
    """Software by name; `next` is the cursor of the page after, None at the end."""

    software: tuple[SoftwareRow, ...]
    next: SoftwareCursor | None


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A report as received, without its body."""

    id: int
    report_id: str
    form: str
    received_at: datetime
    processed_at: datetime | None
    status: str
    detail: str | None
    asset_id: int | None
    asset_hint: str | None
    installed: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """Receipts, newest first; `next` is the cursor of the page after, None at the end."""

    receipts: tuple[ReceiptRow, ...]
    next: tuple[datetime, int] | None


_ASSET = tuple(getattr(Asset, name) for name in AssetRow.__dataclass_fields__)
_RECEIPT = tuple(getattr(Receipt, name) for name in ReceiptRow.__dataclass_fields__)


def list_assets(
    session: Session,
    organization_id: int,
    *,
    hostname: str | None = None,
    os_family: str | None = None,
    exposure: str | None = None,
    retired: bool = False,
    unsupported_on: date | None = None,
    after: tuple[str, int] | None = None,
    limit: int = PAGE,
) -> AssetPage:
    """Give a page of assets by host name; `hostname` is any part of the name, in any case.

    `unsupported_on`: only those on which something's support has ended by that day.
    """
    limit = page_size(limit)
    wanted = [
        Asset.organization_id == organization_id,
        *_filters(hostname, os_family, exposure, retired=retired),
        *_unsupported(organization_id, unsupported_on),
    ]
    if after is not None:
        wanted.append(tuple_(Asset.hostname, Asset.id) > tuple_(*after))
    found = session.execute(
        select(*_ASSET).where(*wanted).order_by(Asset.hostname, Asset.id).limit(limit + 1)
    ).all()
    rows = tuple(AssetRow(*row) for row in found[:limit])
    more = (rows[-1].hostname, rows[-1].id) if len(found) > limit else None
    return AssetPage(rows, more)


def count_assets(
    session: Session,
    organization_id: int,
    *,
    hostname: str | None = None,
    os_family: str | None = None,
    exposure: str | None = None,
    retired: bool = False,
    unsupported_on: date | None = None,
) -> int:
    """Count the assets that `list_assets` would page through."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Asset)
            .where(
                Asset.organization_id == organization_id,
                *_filters(hostname, os_family, exposure, retired=retired),
                *_unsupported(organization_id, unsupported_on),
            )
        )
        or 0
    )


def asset_detail(session: Session, organization_id: int, asset_id: int) -> AssetRow | None:
    """Give one asset, or None."""
    row = session.execute(
        select(*_ASSET).where(Asset.organization_id == organization_id, Asset.id == asset_id)
    ).one_or_none()
    return AssetRow(*row) if row is not None else None


def list_software(
    session: Session,
    organization_id: int,
    asset_id: int,
    *,
    name: str | None = None,
    as_of: datetime | None = None,
    unjudged_first: bool = False,
    after: SoftwareCursor | None = None,
    limit: int = PAGE,
) -> SoftwarePage:
    """Give a page of what is installed on an asset, now or at a past moment, by name.

    `unjudged_first`: what could not be judged before all else, on whichever page its name would stand.
    """
    limit = page_size(limit)
    wanted = [Install.organization_id == organization_id, Install.asset_id == asset_id, *_installed(as_of)]
    if name:
        wanted.append(Component.name.icontains(name, autoescape=True))
    judged = case((Component.identified == "identified", 1), else_=0)
    order = (*((judged,) if unjudged_first else ()), Component.name, Component.id)
    if after is not None:
        wanted.append(tuple_(*order) > tuple_(*after))
    found = session.execute(
        select(
            Component.id,
            Component.kind,
            Component.namespace,
            Component.name,
            Component.version,
            Component.source_name,
            Component.vendor,
            func.coalesce(Install.binaries, []),
            func.coalesce(Install.paths, []),
            Install.first_seen_at,
            Install.removed_at,
            Component.identified,
        )
        .join(Install, Install.component_id == Component.id)
        .where(*wanted)
        .order_by(*order)
        .limit(limit + 1)
    ).all()
    rows = tuple(SoftwareRow(*tuple(row)) for row in found[:limit])
    if len(found) <= limit:
        return SoftwarePage(rows, None)
    name_and_id = (rows[-1].name, rows[-1].component_id)
    return SoftwarePage(
        rows, (int(rows[-1].identified == "identified"), *name_and_id) if unjudged_first else name_and_id
    )


def count_software(
    session: Session, organization_id: int, asset_id: int, *, as_of: datetime | None = None
) -> int:
    """Count the components installed on an asset, now or at a past moment."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Install)
            .where(
                Install.organization_id == organization_id, Install.asset_id == asset_id, *_installed(as_of)
            )
        )
        or 0
    )


def list_receipts(
    session: Session,
    organization_id: int,
    *,
    asset_id: int | None = None,
    status: str | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int = PAGE,
) -> ReceiptPage:
    """Give a page of receipts, newest first: of one asset, or of the whole organization."""
    limit = page_size(limit)
    wanted: list[ColumnElement[bool]] = [Receipt.organization_id == organization_id]
    if asset_id is not None:
        wanted.append(Receipt.asset_id == asset_id)
    if status is not None:
        wanted.append(Receipt.status == status)
    if after is not None:
        wanted.append(tuple_(Receipt.received_at, Receipt.id) < tuple_(*after))
    found = session.execute(
        select(*_RECEIPT)
        .where(*wanted)
        .order_by(Receipt.received_at.desc(), Receipt.id.desc())
        .limit(limit + 1)
    ).all()
    rows = tuple(ReceiptRow(*row) for row in found[:limit])
    more = (rows[-1].received_at, rows[-1].id) if len(found) > limit else None
    return ReceiptPage(rows, more)


def page_size(limit: int) -> int:
    """Check the size asked for; InvalidInput beyond the cap, which no endpoint is without."""
    if 1 <= limit <= MAX_PAGE:
        return limit
    raise InvalidInput(
        f"A page holds 1 to {MAX_PAGE} entries, not {limit}.",
        hint="Ask for more with the cursor.",
        fields={"limit": f"is not between 1 and {MAX_PAGE}"},
    )


def _filters(
    hostname: str | None, os_family: str | None, exposure: str | None, *, retired: bool
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if hostname:
        wanted.append(Asset.hostname.icontains(hostname, autoescape=True))
    if os_family is not None:
        wanted.append(Asset.os_family == os_family)
    if exposure is not None:
        wanted.append(Asset.exposure == exposure)
    if not retired:
        wanted.append(Asset.retired_at.is_(None))
    return wanted


def _unsupported(organization_id: int, day: date | None) -> list[ColumnElement[bool]]:
    if day is None:
        return []
    past = text(PAST_ASSETS).bindparams(organization_id=organization_id, day=day).columns(asset_id=BigInteger)
    return [Asset.id.in_(select(past.subquery().c.asset_id))]


def _installed(as_of: datetime | None) -> list[ColumnElement[bool]]:
    if as_of is None:
        return [Install.removed_at.is_(None)]
    return [Install.first_seen_at <= as_of, Install.removed_at.is_(None) | (Install.removed_at > as_of)]


def hostnames_of(session: Session, organization_id: int, references: Collection[str]) -> dict[str, str]:
    """Give the host names of those of `asset:number` that are assets of the organization."""
    numbers = [
        int(number)
        for kind, _, number in (one.partition(":") for one in references)
        if kind == "asset" and number.isascii() and number.isdigit() and len(number) < 19
    ]
    rows = session.execute(
        select(Asset.id, Asset.hostname).where(
            Asset.organization_id == organization_id, Asset.id.in_(numbers)
        )
    )
    return {f"asset:{number}": hostname for number, hostname in rows}
