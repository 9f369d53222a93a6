"""Which release cycle each component belongs to, and what is past its end on an asset.

Whether a release is over depends on the day, so only the cycle is stored, with the component; that an end has come
needs no job, and a past day is answered as exactly as this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import Component
from sentrikat.domain.lifecycle import Cycle, Ending, Support, support_on
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.release_cycles import (
    SYSTEM_PRODUCTS,
    cycle_of_release,
    cycle_of_system,
    cycle_of_version,
)

COUNT_CAP = 10_000
PAGE = 200

_CANDIDATES = """
select c.id, c.kind, c.namespace, c.name, c.version, c.vendor, cp.version as compared, k.product
from component c
left join component_product cp on cp.component_id = c.id and cp.judged
left join cycle_product k on k.product_id = cp.product_id
where (c.kind = 'os' or k.product is not null) and {scope}
order by c.id, cp.confidence desc nulls last, cp.product_id
"""

_CYCLES = """
select product, cycle, label, latest, released_on, security_ends_on, security_over, support_ends_on, support_over,
    extended_ends_on, extended_over
from release_cycle where valid_to is null and product = any(cast(:products as text[])) order by id
"""

# domain.lifecycle.support_on, in SQL: a day that is named is still a supported one.
PAST_SECURITY = (
    "(case when r.security_ends_on is not null then r.security_ends_on < :day else r.security_over end)"
)
_EXTENDED = (
    "(case when r.extended_ends_on is not null then r.extended_ends_on >= :day else not r.extended_over end)"
)
SUPPORT = (
    f"case when {PAST_SECURITY} is null then 'unknown' when not {PAST_SECURITY} then 'supported'"
    f" when {_EXTENDED} then 'extended' else 'ended' end"
)

_OF_ASSET = f"""
select c.id as component_id, c.kind, c.name, c.version, r.product, r.cycle, r.label, r.security_ends_on,
    r.extended_ends_on, {SUPPORT} as support
from install i
join component_cycle k on k.component_id = i.component_id
join release_cycle r on r.product = k.product and r.cycle = k.cycle and r.valid_to is null
join component c on c.id = i.component_id
where i.organization_id = :organization_id and i.asset_id = :asset_id and i.removed_at is null and {PAST_SECURITY}
order by (c.kind <> 'os'), ({SUPPORT} = 'extended'), c.name, c.id limit :limit
"""  # noqa: S608

# From the few components past their end to their installs, not from the installs, which are millions.
_PAST_COMPONENTS = f"""
select k.component_id from release_cycle r
join component_cycle k on k.product = r.product and k.cycle = r.cycle
where r.valid_to is null and {SUPPORT} = 'ended'
"""  # noqa: S608

_COUNT = f"""
select count(*) filter (where bool_or_os) as systems, count(*) as assets from (
    select i.asset_id, bool_or(c.kind = 'os') as bool_or_os
    from install i join component c on c.id = i.component_id join asset a on a.id = i.asset_id
    where i.organization_id = :organization_id and i.removed_at is null and a.retired_at is null
      and i.component_id in ({_PAST_COMPONENTS})
    group by i.asset_id limit :cap
) t
"""  # noqa: S608

PAST_ASSETS = f"""
select i.asset_id from install i
where i.organization_id = :organization_id and i.removed_at is null and i.component_id in ({_PAST_COMPONENTS})
"""  # noqa: S608


_SYSTEMS = f"""
select i.asset_id, {SUPPORT} as support from install i
join component c on c.id = i.component_id and c.kind = 'os'
join component_cycle k on k.component_id = i.component_id
join release_cycle r on r.product = k.product and r.cycle = k.cycle and r.valid_to is null
where i.organization_id = :organization_id and i.asset_id = any(cast(:ids as bigint[]))
  and i.removed_at is null and {PAST_SECURITY}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something on an asset past the end of its security support.

    `support` is "ended", or "extended" while there still is what costs extra or covers less.
    `since` is the last day of security support, None where the source gives no day.
    """

    component_id: int
    kind: str
    name: str
    version: str | None
    product: str
    cycle: str
    support: Support
    since: date | None
    extended_until: date | None

    @property
    def sentence(self) -> str:
        """Say it in words."""
        return lifecycle_sentence(self.support, self.since, self.extended_until)


@dataclass(frozen=True, slots=True)
class UnsupportedCount:
    """Assets with something past its end, and those of which it is the operating system; up to COUNT_CAP + 1.

    `known` False: no source of ends was ever loaded, so zero means nothing.
    """

    assets: int
    systems: int
    known: bool


def lifecycle_sentence(support: Support, since: date | None, extended_until: date | None) -> str:
    """Say what an end means for whoever runs it."""
    ended = f"Unsupported since {_day(since)}" if since else "Unsupported; the source names no day"
    if support is Support.EXTENDED:
        until = f" until {_day(extended_until)}" if extended_until else ""
        started = f"Security support ended on {_day(since)}" if since else "Security support has ended"
        return f"{started}: repairs come only with extended support{until}."
    if extended_until is not None and since is not None and extended_until > since:
        ended += f" (extended support ended on {_day(extended_until)})"
    return f"{ended}: no more advisories come, so no findings does not mean none."


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def assign_cycles(session: Session, component_ids: Sequence[int] | None = None) -> None:
    """Find the cycles of these components anew; None: of every component that can have one."""
    scope = "true" if component_ids is None else "c.id = any(cast(:ids as bigint[]))"
    values = {} if component_ids is None else {"ids": list(component_ids)}
    rows = session.execute(text(_CANDIDATES.format(scope=scope)), values).all()
    if component_ids is None:
        session.execute(text("delete from component_cycle"))
    elif rows:
        session.execute(
            text("delete from component_cycle where component_id = any(cast(:ids as bigint[]))"), values
        )
    if not rows:
        return
    products = {row.product for row in rows if row.product is not None}
    if any(row.kind == "os" for row in rows):
        products.update(SYSTEM_PRODUCTS)
    cycles = load_cycles(session, products)
    found: dict[int, Cycle] = {}
    for row in rows:
        if row.id not in found and (cycle := _cycle_of(row, cycles)) is not None:
            found[row.id] = cycle
    session.execute(
        text(
            "insert into component_cycle (component_id, product, cycle)"
            " select * from unnest(cast(:ids as bigint[]), cast(:products as text[]), cast(:cycles as text[]))"
        ),
        {
            "ids": list(found),
            "products": [one.product for one in found.values()],
            "cycles": [one.name for one in found.values()],
        },
    )


def _cycle_of(row: Row[Any], cycles: dict[str, list[Cycle]]) -> Cycle | None:
    if row.kind == "os":
        system = Component(
            kind=row.kind, namespace=row.namespace, name=row.name, version=row.version, vendor=row.vendor
        )
        return cycle_of_system(system, cycles)
    return cycle_of_version(row.compared, cycles.get(row.product, ()))


@dataclass(frozen=True, slots=True)
class ReleaseEnds:
    """The same for components that are not stored: what a scan holds an inventory against."""

    day: date
    cycles: dict[str, list[Cycle]]
    products: dict[Product, str]

    @classmethod
    def load(cls, session: Session, day: date) -> ReleaseEnds:
        """Read every current cycle: some thousands."""
        rows = session.execute(
            text(
                "select k.product as listed, p.ecosystem, p.name from cycle_product k join product p on p.id = k.product_id"
            )
        )
        products = {Product(row.ecosystem, row.name): row.listed for row in rows}
        return cls(day, load_cycles(session, {*SYSTEM_PRODUCTS, *products.values()}), products)

    def past(self, component: Component, identities: Iterable[Identity]) -> Unsupported | None:
        """Give what there is to say of a component past its end, None of every other."""
        if component.kind == "os":
            cycle = cycle_of_system(component, self.cycles)
        else:
            cycle = next(
                (
                    found
                    for one in sorted(identities, key=lambda one: -one.confidence)
                    if one.judged
                    and (listed := self.products.get(one.product)) is not None
                    and (found := cycle_of_version(one.version, self.cycles.get(listed, ()))) is not None
                ),
                None,
            )
        if cycle is None or (support := support_on(cycle, self.day)) in {Support.SUPPORTED, Support.UNKNOWN}:
            return None
        return Unsupported(
            component_id=0,
            kind=component.kind,
            name=component.name,
            version=component.version,
            product=cycle.product,
            cycle=cycle.name,
            support=support,
            since=cycle.security.on if cycle.security else None,
            extended_until=cycle.extended.on if cycle.extended else None,
        )

    def is_over(self, release: str) -> bool:
        """Say whether a distribution release has ended altogether."""
        cycle = cycle_of_release(release, self.cycles)
        return cycle is not None and support_on(cycle, self.day) is Support.ENDED


def load_cycles(session: Session, products: Iterable[str]) -> dict[str, list[Cycle]]:
    """Give the current cycles of these products."""
    found: dict[str, list[Cycle]] = {}
    for row in session.execute(text(_CYCLES), {"products": sorted(products)}):
        found.setdefault(row.product, []).append(
            Cycle(
                product=row.product,
                name=row.cycle,
                security=_ending(row.security_ends_on, row.security_over),
                support=_ending(row.support_ends_on, row.support_over),
                extended=_ending(row.extended_ends_on, row.extended_over),
                released=row.released_on,
                latest=row.latest,
                label=row.label,
            )
        )
    return found


def _ending(on: date | None, over: bool | None) -> Ending | None:
    return None if on is None and over is None else Ending(on, bool(over))


def unsupported_on(
    session: Session, organization_id: int, asset_id: int, day: date, *, limit: int = PAGE
) -> list[Unsupported]:
    """Give what is past its end on an asset: the operating system first, what is over before what is extended."""
    rows = session.execute(
        text(_OF_ASSET),
        {"organization_id": organization_id, "asset_id": asset_id, "day": day, "limit": limit},
    )
    return [
        Unsupported(
            component_id=row.component_id,
            kind=row.kind,
            name=row.name,
            version=row.version,
            product=row.product,
            cycle=row.cycle,
            support=Support(row.support),
            since=row.security_ends_on,
            extended_until=row.extended_ends_on,
        )
        for row in rows
    ]


def unsupported_systems(
    session: Session, organization_id: int, asset_ids: Sequence[int], day: date
) -> dict[int, Support]:
    """Give which of these assets run an operating system past its end, and how far."""
    rows = session.execute(
        text(_SYSTEMS), {"organization_id": organization_id, "ids": list(asset_ids), "day": day}
    )
    return {row.asset_id: Support(row.support) for row in rows}


def count_unsupported(session: Session, organization_id: int, day: date) -> UnsupportedCount:
    """Count the assets with something whose support has ended altogether."""
    row = session.execute(
        text(_COUNT), {"organization_id": organization_id, "day": day, "cap": COUNT_CAP + 1}
    ).one()
    known = session.scalar(text("select exists (select from release_cycle where valid_to is null)"))
    return UnsupportedCount(assets=row.assets, systems=row.systems, known=bool(known))
