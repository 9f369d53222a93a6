"""A seeded estate of any size: real products at real versions on made-up hosts.

Products and versions come from the loaded feeds: a version is one that some statement names as the first good,
the first bad or the last bad one, so every component lies next to the bounds it is compared with. Hosts run one of
the releases and ecosystems the feeds describe; on a host, common packages are likely and rare ones are not (the
share falls with the square of the rank), and most are at their newest version, as on a maintained machine.

The same seed gives the same estate. Components go the product's own way through identification; installs are
made in the database, because 30 million rows are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.inventory import DISTRIBUTION_KINDS, LANGUAGE_KINDS, Component
from sentrikat.infra.database.copy import copy_rows
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.identification import identify
from sentrikat.inventory.titles import TitleIndex

_AT_ONCE = 10_000  # components identified in one transaction
_NEWEST = 0.94  # of the installed packages are at the newest version their product has

# Every version that a current statement names, newest first. The key stands beside it, so order needs no parsing.
_VERSIONS = text(
    """
    create temporary table version_pool as
    with named as (
        select r.product_id, r.lo as key, r.introduced as version from affected_range r
        where r.valid_to is null and r.introduced is not null and length(r.lo) > 0 and not r.introduced_excluded
        union
        select r.product_id, r.hi, r.fixed from affected_range r
        where r.valid_to is null and r.fixed is not null and r.hi is not null
    ), distinct_keys as (
        select distinct on (product_id, key) product_id, key, version from named
        order by product_id, key, version
    )
    select d.product_id, p.ecosystem, p.name, d.version,
        row_number() over (partition by d.product_id order by d.key desc) as age,
        hashtextextended(p.ecosystem || ' ' || p.name, :seed) as draw
    from distinct_keys d join product p on p.id = d.product_id
    """
)

# Shares of the estate's components; what the feeds do not hold is left to the others.
_SHARES = {
    "distribution": 0.55,
    "language": 0.25,
    "application": 0.20,
}
_CHOSEN = text(
    """
    select ecosystem, name, version, age from version_pool
    where {condition} and age <= 12
    order by draw, age limit :count
    """.replace("{condition}", "lane = :lane")
)
_LANES = text(
    """
    alter table version_pool add lane text;
    update version_pool set lane = case
        when ecosystem = any(:languages) then 'language'
        when ecosystem = 'cpe:a' then 'application'
        when ecosystem like 'cpe:%' or ecosystem in ('cve5', 'bitnami') then 'left out'
        else 'distribution' end
    """
)

# Hosts draw components of their own release, language packages and applications. `pool` numbers what may be drawn.
_POOL = """
create temporary table pool as
with aged as (
    select c.id, case when c.kind = any(:distribution) then c.namespace else 'any' end as release,
        row_number() over (partition by c.kind, c.namespace, c.name order by coalesce(cp.version_key, '') desc) as age,
        hashtextextended(c.kind || c.namespace || c.name, :seed) as draw
    from component c
    left join lateral (
        select version_key from component_product where component_id = c.id
        order by version_key desc limit 1) cp on true
    where c.kind <> 'os'
)
select id, release, age = 1 as newest,
    row_number() over (partition by release, age = 1 order by draw, id) - 1 as rank,
    count(*) over (partition by release, age = 1) as size
from aged
"""
_INSTALLS = """
insert into install (organization_id, asset_id, component_id, first_seen_at)
select distinct :organization_id, drawn.asset_id, pool.id, cast(:now as timestamptz)
from (
    select a.id as asset_id, s.slot,
        case when s.slot <= :own then h.release else 'any' end as release,
        (hashint8extended(a.id * 1000 + s.slot, :seed) & 4294967295) / 4294967296.0 as where_drawn,
        (hashint8extended(a.id * 1000 + s.slot, :seed + 1) & 4294967295) / 4294967296.0 < :newest as newest
    from asset a
    join host_release h on h.asset_id = a.id
    cross join generate_series(1, :slots) s(slot)
    where a.organization_id = :organization_id and a.id between :first and :last
) drawn
join pool_size z on z.release = drawn.release and z.newest = drawn.newest
join pool on pool.release = drawn.release and pool.newest = drawn.newest
    and pool.rank = floor(z.size * drawn.where_drawn * drawn.where_drawn)
"""
_ASSETS_AT_ONCE = 2_000

_INDEXES = text(
    "select c.relname, pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid"
    " where i.indrelid = cast(:table as regclass) and not i.indisprimary order by c.relname"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large an estate is."""

    assets: int
    components: int
    packages: int = 300  # on a host, before a draw of the same package twice is taken once


@dataclass(frozen=True, slots=True)
class Estate:
    """An estate that was made."""

    organization_id: int
    size: Size
    components: int
    installs: int


@contextmanager
def bulk_load(database: Database, table: str) -> Iterator[Session]:
    """Open a transaction that fills `table` without its indexes, which are built once it is full; nor are keys checked.

    Tens of millions of rows take hours otherwise. Only the owner of a server of one's own may do that.
    """
    with database.as_system() as session:
        session.execute(text("reset role"))
        session.execute(text("set local session_replication_role = replica"))
        indexes = session.execute(_INDEXES, {"table": table}).all()
        for name, _ in indexes:
            session.execute(text(f"drop index {name}"))
        yield session
        session.execute(text("set local maintenance_work_mem = '1GB'"))
        for _, definition in indexes:
            session.execute(text(definition))


def make_components(database: Database, size: Size, seed: int) -> int:
    """Make and identify components; give how many there are."""
    with database.as_system() as session:
        session.execute(_VERSIONS, {"seed": seed})
        for statement in str(_LANES).split(";"):
            session.execute(
                text(statement), {"languages": sorted(LANGUAGE_KINDS)} if ":languages" in statement else {}
            )
        rows = [
            tuple(row)
            for lane, share in _SHARES.items()
            for row in session.execute(_CHOSEN, {"lane": lane, "count": round(size.components * share)})
        ]
        session.execute(text("drop table version_pool"))
        held = {bytes(one) for one in session.scalars(text("select identity from component"))}
        components = {one.identity(): one for one in map(_component, rows) if one.identity() not in held}
        copy_rows(
            session,
            "component",
            ("identity", "kind", "namespace", "name", "version", "vendor"),
            ((i, c.kind, c.namespace, c.name, c.version, c.vendor) for i, c in components.items()),
        )
        ids = list(session.scalars(text("select id from component where identified = 'pending' order by id")))
        index = TitleIndex.load(session)
    for start in range(0, len(ids), _AT_ONCE):
        with database.as_system() as session:
            identify(session, ids[start : start + _AT_ONCE], index)
    return len(components)


def _component(row: tuple[str, str, str, int]) -> Component:
    ecosystem, name, version, _ = row
    if ecosystem in LANGUAGE_KINDS:
        return Component(kind=ecosystem, namespace="", name=name, version=version)
    if ecosystem.startswith("cpe:"):
        vendor, _, product = name.partition(":")
        return Component(kind="application", namespace="linux", name=product, version=version, vendor=vendor)
    distribution = ecosystem.partition(":")[0]
    kind = {"debian": "deb", "ubuntu": "deb", "alpine": "apk", "wolfi": "apk", "chainguard": "apk"}.get(
        distribution, "rpm"
    )
    return Component(kind=kind, namespace=ecosystem, name=name, version=version)


def make_estate(database: Database, organization_id: int, size: Size, seed: int, now: datetime) -> Estate:
    """Make the hosts and what is installed on them."""
    components = make_components(database, size, seed)
    with database.as_system() as session:
        first, last = _assets(session, organization_id, size, now)
    with bulk_load(database, "install") as session:
        session.execute(text(_POOL), {"distribution": sorted(DISTRIBUTION_KINDS), "seed": seed})
        session.execute(text("create index on pool (release, newest, rank); analyze pool"))
        session.execute(
            text("create temporary table pool_size as select distinct release, newest, size from pool")
        )
        session.execute(
            text(
                "create temporary table host_release as with r as ("
                " select release, row_number() over (order by release) - 1 as n, count(*) over () as of_all"
                " from (select release, count(*) from pool where release <> 'any' group by 1"
                "   order by 2 desc limit 8) x)"
                " select a.id as asset_id, r.release from asset a join r"
                " on r.n = mod(abs(hashint8extended(a.id, :seed)), r.of_all)"
                " where a.organization_id = :organization_id"
            ),
            {"seed": seed, "organization_id": organization_id},
        )
        session.execute(
            text("create index on host_release (asset_id); analyze host_release; analyze pool_size")
        )
        for start in range(first, last + 1, _ASSETS_AT_ONCE):
            session.execute(
                text(_INSTALLS),
                {
                    "organization_id": organization_id,
                    "now": now,
                    "seed": seed,
                    "own": round(size.packages * 0.8),
                    "slots": size.packages,
                    "newest": _NEWEST,
                    "first": start,
                    "last": min(last, start + _ASSETS_AT_ONCE - 1),
                },
            )
        installs = session.scalar(text("select count(*) from install")) or 0
        session.execute(text("drop table pool, pool_size, host_release"))
    with database.as_system() as session:
        for name in ("install", "component", "component_product", "asset"):
            session.execute(text(f"analyze {name}"))
    return Estate(organization_id, size, components, installs)


def _assets(session: Session, organization_id: int, size: Size, now: datetime) -> tuple[int, int]:
    row = session.execute(
        text(
            "with made as (insert into asset (organization_id, hostname, machine_id, os_family, os, exposure,"
            " criticality, first_seen_at, last_report_at)"
            " select :organization_id, 'host-' || lpad(n::text, 6, '0'), 'machine-' || n, 'linux', '{}',"
            " (array['public','internal','internal','unknown'])[1 + mod(n, 4)], 1 + mod(n, 4), :now, :now"
            " from generate_series(1, :count) n returning id) select min(id), max(id) from made"
        ),
        {"organization_id": organization_id, "count": size.assets, "now": now},
    ).one()
    return row[0], row[1]


def software_of(session: Session, count: int, release: str, seed: int) -> Iterator[dict[str, str]]:
    """Yield packages of a release as an agent reports them, the common ones first."""
    rows = session.execute(
        text(
            "select distinct on (draw, name) kind, name, version, hashtextextended(kind || namespace || name, :seed)"
            " as draw from component where namespace = :release and kind = any(:kinds)"
            " order by draw, name, version limit :count"
        ),
        {"release": release, "kinds": sorted(DISTRIBUTION_KINDS), "seed": seed, "count": count},
    )
    for row in rows:
        item = {"type": row.kind, "name": row.name, "version": row.version}
        yield item | {"source_name": row.name, "source_version": row.version} if row.kind == "deb" else item
