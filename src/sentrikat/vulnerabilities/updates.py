"""Updates of vendors over time: what each record of a source says of them, and when it said so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product, VendorUpdate
from sentrikat.vulnerabilities.staging import Staging

_RESOLVED = """
create temporary table resolved_update on commit drop as
select distinct on (a.id, p.id, s.digest) a.id as advisory_id, p.id as product_id, s.name, s.kind, s.released,
    s.fixed_build, s.supersedes, s.vulnerabilities, s.digest
from staged_update s
join advisory a on a.source = :source and a.external_id = s.external_id
join product p on p.ecosystem = s.ecosystem and p.name = s.product
"""

_CLOSE = """
update vendor_update u set valid_to = :now
from staged_advisory sa join advisory a on a.source = :source and a.external_id = sa.external_id
where u.advisory_id = a.id and u.valid_to is null
  and not exists (
    select from resolved_update n
    where n.advisory_id = u.advisory_id and n.product_id = u.product_id and n.digest = u.digest)
"""

_CLOSE_WITHDRAWN = """
update vendor_update u set valid_to = :now
from withdrawn_advisory a where u.advisory_id = a.id and u.valid_to is null
"""

_INSERT = """
insert into vendor_update (advisory_id, source, name, product_id, kind, released, fixed_build, supersedes,
    vulnerabilities, digest, valid_from)
select n.advisory_id, :source, n.name, n.product_id, n.kind, n.released, n.fixed_build, n.supersedes,
    n.vulnerabilities, n.digest, :now
from resolved_update n
where not exists (
    select from vendor_update u
    where u.advisory_id = n.advisory_id and u.product_id = n.product_id and u.digest = n.digest
      and u.valid_to is null)
"""


_EDGES = """
create temporary table current_edge on commit drop as
select distinct u.name, older
from vendor_update u join product p on p.id = u.product_id, unnest(u.supersedes) as older
where u.valid_to is null and p.ecosystem <> 'update-catalog'
"""
_DROP_EDGES = """
delete from supersedence s
where not exists (select from current_edge e where e.name = s.name and e.older = s.older)
"""
_ADD_EDGES = (
    "insert into supersedence (name, older) select name, older from current_edge on conflict do nothing"
)


def merge_updates(session: Session, staging: Staging, *, now: datetime) -> int:
    """Merge what a run's records say of updates; return how many statements of them came or went."""

    def run(statement: str) -> int:
        values = {"source": staging.source, "now": now}
        result = session.execute(
            text(statement), {name: value for name, value in values.items() if f":{name}" in statement}
        )
        return int(getattr(result, "rowcount", 0))

    if not staging.has_updates and not session.scalar(
        text("select exists (select from vendor_update where source = :source)"), {"source": staging.source}
    ):
        return 0
    session.execute(text("analyze staged_update"))
    run(_RESOLVED)
    session.execute(text("create index on resolved_update (advisory_id, product_id)"))
    session.execute(text("analyze resolved_update"))
    changed = run(_CLOSE) + run(_CLOSE_WITHDRAWN) + run(_INSERT)
    if changed:
        run(_EDGES)
        session.execute(text("analyze current_edge"))
        run(_DROP_EDGES)
        run(_ADD_EDGES)
    return changed


_CURRENT = """
select u.name, p.ecosystem, p.name as product, u.kind, u.released, u.fixed_build, u.supersedes, u.vulnerabilities
from product p join vendor_update u on u.product_id = p.id and u.valid_to is null
where p.ecosystem = '{ecosystem}' and {wanted}
order by u.name, p.name, u.source, u.id
"""
_BY_TITLE = _CURRENT.format(ecosystem="msrc", wanted="p.name = any(cast(:titles as text[]))")
# What the catalog says of a system is true of that system only, so it is no part of the common chains.
_OF_CATALOG = _CURRENT.format(ecosystem="update-catalog", wanted="p.name = any(cast(:titles as text[]))")
_OF_FRAMEWORKS = _CURRENT.format(
    ecosystem="msrc",
    wanted="p.name like 'microsoft .net framework % on %'"
    " and regexp_replace(p.name, '^.* on ', '') = any(cast(:titles as text[]))",
)


def load_updates(session: Session, titles: Sequence[str]) -> list[VendorUpdate]:
    """Read the current updates of products by their titles, in order of name and product."""
    return _read(session, _BY_TITLE, titles)


def load_framework_updates(session: Session, systems: Sequence[str]) -> list[VendorUpdate]:
    """Read the current updates of every .NET Framework on the Windows of these titles."""
    return _read(session, _OF_FRAMEWORKS, systems)


def load_catalog(session: Session, system: str) -> list[VendorUpdate]:
    """Read what the vendor's catalog of updates holds for a system, by its title."""
    return _read(session, _OF_CATALOG, [system])


def _read(session: Session, statement: str, titles: Sequence[str]) -> list[VendorUpdate]:
    rows = session.execute(text(statement), {"titles": list(titles)})
    return [
        VendorUpdate(
            name=row.name,
            product=Product(row.ecosystem, row.product),
            kind=row.kind,
            released=row.released,
            fixed_build=row.fixed_build,
            supersedes=tuple(row.supersedes),
            vulnerabilities=tuple(row.vulnerabilities),
        )
        for row in rows
    ]


def load_supersedence(session: Session) -> dict[str, tuple[str, ...]]:
    """Read, for every update, those that any source says it supersedes."""
    rows = session.execute(
        text("select name, array_agg(older order by older) as older from supersedence group by name")
    )
    return {row.name: tuple(row.older) for row in rows}
