"""Possibly affected: components called like what a flaw is in, where no source describes products or versions.

`domain.matching.names` says what a name is and when two mean the same; here its words are laid out as rows, and the
one statement below repeats `may_be` for every pair in scope. It writes `possible` and nothing else: no match, no
finding comes of a name. Refreshed with what changed: flaws a feed spoke of, components an inventory brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.inventory import APPLICATION_KINDS, Component
from sentrikat.domain.matching.names import flaw_names, software_name
from sentrikat.infra.database.copy import copy_rows

# What is known by a title. Packages are judged by their own release or ecosystem, an operating system by its build.
TITLED_KINDS = APPLICATION_KINDS | {"cpe"}

_NO_VERSIONS = """
not exists (
    select from affected_range r where r.vulnerability_id = t.id and r.valid_to is null
      and r.described and r.status = 'affected')
"""

# The names of flaws that no source describes: of the catalogs that list them as exploited, and of statements
# without versions.
_NAMED = text(
    f"""
    select t.id, 'catalog' as basis, e.source, e.fact->>'vendor' as vendor, e.fact->>'product' as product
    from touched_flaw t
    join vulnerability v on v.id = t.id and v.rejected_at is null
    join enrichment e on e.vulnerability_id = t.id and e.kind = 'kev' and e.valid_to is null
    where e.fact->>'vendor' <> '' and e.fact->>'product' <> '' and {_NO_VERSIONS}
    union
    select t.id, 'statement', r.source, split_part(p.name, ':', 1), split_part(p.name, ':', 2)
    from touched_flaw t
    join vulnerability v on v.id = t.id and v.rejected_at is null
    join affected_range r on r.vulnerability_id = t.id and r.valid_to is null
        and not r.described and r.status = 'affected'
    join product p on p.id = r.product_id and p.ecosystem in ('cpe:a', 'cpe:h', 'cve5')
    where {_NO_VERSIONS}
    order by 1, 2, 3, 4, 5
    """  # noqa: S608
)

_CALLED = """
create temporary table called (component_id bigint, words text[], plain text[], makers text[]) on commit drop
"""

_PAIRS = """
select distinct on (c.component_id, n.vulnerability_id)
    c.component_id, n.vulnerability_id, n.basis, n.source, n.vendor, n.product
from called c
cross join lateral unnest(c.words) as w(word)
join flaw_name n on n.key = w.word and n.words <@ c.words and n.makers && c.makers
    and (not n.itself or c.plain <@ (n.words || n.makers))
{scope}
order by c.component_id, n.vulnerability_id, n.basis, n.source, n.vendor, n.product
"""

_KEEP = """
insert into possible (component_id, vulnerability_id, basis, source, vendor, product, since)
select component_id, vulnerability_id, basis, source, vendor, product, :now from pairs
on conflict (component_id, vulnerability_id) do update
    set basis = excluded.basis, source = excluded.source, vendor = excluded.vendor, product = excluded.product
    where (possible.basis, possible.source, possible.vendor, possible.product)
        is distinct from (excluded.basis, excluded.source, excluded.vendor, excluded.product)
"""

_DROP = """
delete from possible p where {scope} and not exists (
    select from pairs x where x.component_id = p.component_id and x.vulnerability_id = p.vulnerability_id)
"""


@dataclass(frozen=True, slots=True)
class NameHit:
    """A flaw that may concern a component, and by what name."""

    vulnerability_id: int
    basis: str
    source: str
    vendor: str
    product: str


def refresh_changed(session: Session, *, now: datetime) -> None:
    """Look again at the flaws whose statements or listing a feed has just changed (`changed_statement`, `_enrichment`)."""
    if not session.scalar(text("select exists (select from flaw_name)")):
        refresh_all(session, now=now)  # the first time, or the first after an upgrade
        return
    _begin_touched(
        session,
        "select vulnerability_id from changed_statement union"
        " select c.vulnerability_id from changed_enrichment c where exists ("
        "   select from enrichment e where e.vulnerability_id = c.vulnerability_id and e.kind = 'kev')",
    )
    _refresh(session, now=now)


def refresh_all(session: Session, *, now: datetime) -> None:
    """Look at every flaw and every component anew."""
    _begin_touched(session, "select id from vulnerability")
    _refresh(session, now=now)
    session.execute(
        text("delete from possible p where not exists (select from component c where c.id = p.component_id)")
    )


def refresh_components(session: Session, component_ids: Sequence[int], *, now: datetime) -> None:
    """Look at components that are new."""
    if not component_ids:
        return
    called = _titled(session, component_ids)
    if not called:
        return
    _merge(session, called, "", "p.component_id in (select component_id from called)", now=now)


def hits_of(session: Session, components: Mapping[int, Component]) -> dict[int, list[NameHit]]:
    """Give what names may mean components that are not stored, by their numbers (see findings.scan)."""
    titled = {number: one for number, one in components.items() if one.kind in TITLED_KINDS}
    if not titled:
        return {}
    _fill(session, ((number, one.name, one.vendor, one.bundle_id) for number, one in titled.items()))
    found: dict[int, list[NameHit]] = {}
    for row in session.execute(text(_PAIRS.format(scope=""))):
        hit = NameHit(row.vulnerability_id, row.basis, row.source, row.vendor, row.product)
        found.setdefault(row.component_id, []).append(hit)
    session.execute(text("drop table pg_temp.called"))
    return found


def _begin_touched(session: Session, flaws: str) -> None:
    session.execute(
        text(f"create temporary table touched_flaw on commit drop as select id from ({flaws}) f(id)")  # noqa: S608
    )
    session.execute(text("create index on touched_flaw (id); analyze touched_flaw"))


def _refresh(session: Session, *, now: datetime) -> None:
    session.execute(text("delete from flaw_name where vulnerability_id in (select id from touched_flaw)"))
    names = [
        (
            row.id,
            row.basis,
            row.source,
            row.vendor,
            row.product,
            sorted(one.words),
            sorted(one.makers),
            one.itself,
            one.key,
        )
        for row in session.execute(_NAMED)
        for one in flaw_names(row.vendor, _spaced(row.product))
    ]
    copy_rows(
        session,
        "flaw_name",
        ("vulnerability_id", "basis", "source", "vendor", "product", "words", "makers", "itself", "key"),
        names,
    )
    held = session.scalar(
        text("select exists (select from possible where vulnerability_id in (select id from touched_flaw))")
    )
    if names or held:
        of_touched = "join touched_flaw t on t.id = n.vulnerability_id"
        _merge(
            session,
            _titled(session, None) if names else [],
            of_touched,
            "p.vulnerability_id in (select id from touched_flaw)",
            now=now,
        )
    session.execute(text("drop table touched_flaw"))


def _merge(
    session: Session,
    called: Sequence[tuple[int, str, str | None, str | None]],
    pairs: str,
    scope: str,
    *,
    now: datetime,
) -> None:
    _fill(session, called)
    session.execute(text(f"create temporary table pairs on commit drop as {_PAIRS.format(scope=pairs)}"))
    session.execute(text(_DROP.format(scope=scope)))
    session.execute(text(_KEEP), {"now": now})
    session.execute(text("drop table pairs, called"))


def _titled(
    session: Session, component_ids: Sequence[int] | None
) -> list[tuple[int, str, str | None, str | None]]:
    """Read the components that go by a title; None: all of them."""
    rows = session.execute(
        text(
            "select id, name, vendor, bundle_id from component where kind = any(cast(:kinds as text[]))"
            " and (cast(:ids as bigint[]) is null or id = any(cast(:ids as bigint[])))"
        ),
        {"kinds": sorted(TITLED_KINDS), "ids": list(component_ids) if component_ids is not None else None},
    )
    return [(row.id, row.name, row.vendor, row.bundle_id) for row in rows]


def _fill(session: Session, called: Iterable[tuple[int, str, str | None, str | None]]) -> None:
    session.execute(text(_CALLED))
    names = ((number, software_name(title, vendor, bundle)) for number, title, vendor, bundle in called)
    copy_rows(
        session,
        "pg_temp.called",
        ("component_id", "words", "plain", "makers"),
        ((number, sorted(one.words), sorted(one.plain), sorted(one.makers)) for number, one in names),
    )
    session.execute(text("analyze pg_temp.called"))


def _spaced(product: str) -> str:
    """Give a CPE product as words: `forticlient_ems` is two."""
    return product.replace("\\", "").replace("_", " ")
