"""Statements and identities read back as the domain's values, to replay a verdict with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product, Remedy, Status
from sentrikat.domain.matching.claim import Claim, Identity
from sentrikat.domain.matching.conditions import Platform
from sentrikat.domain.versions import Scheme
from sentrikat.findings.facts import STATEMENT_COLUMNS, load_conditions
from sentrikat.inventory.updates import update_products

_HELD = "r.valid_from <= :as_of and (r.valid_to is null or r.valid_to > :as_of)"
_INSTALLED = "i.first_seen_at <= :as_of and (i.removed_at is null or i.removed_at > :as_of)"


@dataclass(frozen=True, slots=True)
class KnownComponent:
    """A component of an asset with its identities."""

    id: int
    kind: str
    name: str
    version: str | None
    module: str | None
    identified: str
    binaries: tuple[str, ...]
    identities: tuple[Identity, ...]


def load_claims(
    session: Session, vulnerability_id: int, component_ids: Sequence[int], as_of: datetime | None = None
) -> list[Claim]:
    """Read every statement held about a flaw on a product that one of the components is, now or at a past moment."""
    held = "r.valid_to is null" if as_of is None else _HELD
    rows = session.execute(
        text(
            f"select {STATEMENT_COLUMNS}, r.lo, r.hi, r.condition_id, t.attributes as target, v.name as flaw,"  # noqa: S608
            " r.valid_from"
            " from affected_range r join product p on p.id = r.product_id join advisory a on a.id = r.advisory_id"
            " join vulnerability v on v.id = r.vulnerability_id"
            " left join platform_target t on t.id = r.target_id"
            f" where r.vulnerability_id = :vulnerability_id and {held} and r.product_id in ("
            "   select product_id from component_product where component_id = any(cast(:ids as bigint[])))"
            " order by r.id"
        ),
        {"vulnerability_id": vulnerability_id, "ids": list(component_ids)} | _moment(as_of),
    ).all()
    conditions = load_conditions(session, {row.condition_id for row in rows if row.condition_id})
    return [
        Claim(
            id=row.range_id,
            vulnerability=row.flaw,
            source=row.source,
            advisory=row.advisory,
            rank=row.rank,
            product=Product(row.ecosystem, row.product),
            status=Status(row.status),
            described=row.described,
            remedy=Remedy(row.remedy) if row.remedy else None,
            scheme=Scheme(row.scheme),
            lo=bytes(row.lo),
            hi=bytes(row.hi) if row.hi is not None else None,
            introduced=row.introduced,
            introduced_excluded=row.introduced_excluded,
            fixed=row.fixed,
            last_affected=row.last_affected,
            target=tuple((key, value) for key, value in row.target or ()),
            module=row.module,
            condition=conditions.get(row.condition_id),
            condition_id=row.condition_id,
            note=row.note,
            # The record may have been received again since, with this statement unchanged.
            received_at=row.received_at if as_of is None else row.valid_from,
        )
        for row in rows
    ]


_IDENTITIES = """
select cp.component_id, p.ecosystem, p.name, cp.scheme, cp.version, cp.version_key, cp.method, cp.confidence,
    cp.cpe, cp.context, cp.judged
from component_product cp join product p on p.id = cp.product_id
where cp.component_id = any(cast(:ids as bigint[]))
order by cp.component_id, cp.confidence desc, p.ecosystem, p.name
"""


def load_components(
    session: Session, organization_id: int, asset_id: int, as_of: datetime | None = None
) -> list[KnownComponent]:
    """Read what an asset has installed, now or at a past moment, with the identities known today."""
    installed = "i.removed_at is null" if as_of is None else _INSTALLED
    rows = session.execute(
        text(
            "select c.id, c.kind, c.name, c.version, c.module, c.identified, i.binaries"  # noqa: S608
            " from install i join component c on c.id = i.component_id"
            f" where i.organization_id = :organization_id and i.asset_id = :asset_id and {installed}"
            " order by c.name, c.id"
        ),
        {"organization_id": organization_id, "asset_id": asset_id} | _moment(as_of),
    ).all()
    identities: dict[int, list[Identity]] = {}
    for row in session.execute(text(_IDENTITIES), {"ids": [row.id for row in rows]}):
        identities.setdefault(row.component_id, []).append(
            Identity(
                product=Product(row.ecosystem, row.name),
                scheme=Scheme(row.scheme),
                version=row.version,
                version_key=bytes(row.version_key),
                method=row.method,
                confidence=row.confidence,
                cpe=row.cpe,
                context=row.context,
                judged=row.judged,
            )
        )
    return [
        KnownComponent(
            id=row.id,
            kind=row.kind,
            name=row.name,
            version=row.version,
            module=row.module,
            identified=row.identified,
            binaries=tuple(row.binaries or ()),
            identities=tuple(identities.get(row.id, ())),
        )
        for row in rows
    ]


def load_held_updates(session: Session, organization_id: int, asset_id: int) -> list[str]:
    """Read the updates that are in effect on an asset."""
    held = session.scalar(
        text("select held_updates from asset where organization_id = :organization_id and id = :asset_id"),
        {"organization_id": organization_id, "asset_id": asset_id},
    )
    return list(held or ())


def platform_of(components: Sequence[KnownComponent], updates: Iterable[str] = ()) -> Platform:
    """Give what runs on an asset, for platform conditions."""
    keys: dict[Product, list[bytes]] = {one: list(held) for one, held in update_products(updates).items()}
    for component in components:
        for one in component.identities:
            keys.setdefault(one.product, []).append(one.version_key)
    known = any(one.kind == "os" and one.identities for one in components)
    return Platform({product: tuple(found) for product, found in keys.items()}, known)


def _moment(as_of: datetime | None) -> dict[str, object]:
    return {} if as_of is None else {"as_of": as_of}
