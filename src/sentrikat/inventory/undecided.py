"""The identification queue: software nobody could tell for certain, with what it may be.

A row is a title with its maker and bundle id, whatever its versions: one decision is about all of them. Software that
is on the most assets stands first.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import NotFound
from sentrikat.domain.matching.correction import CORRECTABLE
from sentrikat.inventory.queries import page_size

COUNT_CAP = 10_000
_MOST_FOUND = 20  # products of a search
_KINDS = sorted(CORRECTABLE)

_TITLES = """
with undecided as materialized (
    select c.id, c.kind, c.name, c.vendor, c.bundle_id, c.version from component c
    where c.identified = 'unidentified' and c.kind = any(:kinds) and {narrowed}
      and exists (select from install i where i.component_id = c.id
        and i.organization_id = :organization_id and i.removed_at is null)
), title as (
    select min(id) as id, kind, name, vendor, bundle_id, array_agg(id) as ids,
        array_agg(distinct version order by version) filter (where version is not null) as versions
    from undecided group by kind, name, vendor, bundle_id
), counted as (
    select t.*, (select count(distinct i.asset_id) from install i where i.component_id = any(t.ids)
        and i.organization_id = :organization_id and i.removed_at is null) as assets
    from title t
)
select id, kind, name, vendor, bundle_id, coalesce(versions, '{{}}') as versions, assets from counted
where :assets is null or (assets, -id) < (:assets, -:id)
order by assets desc, id limit :limit
"""
_CANDIDATES = text(
    """
select k.component_id, p.name, k.score, k.evidence,
    (select n.title from product_name n where n.product_id = p.id and n.title <> '' order by n.id limit 1) as title
from identification_candidate k join product p on p.id = k.product_id
where k.component_id = any(:ids) order by k.component_id, k.score desc, p.name
"""
)
_COUNT = text(
    "select count(*) from (select distinct kind, name, vendor, bundle_id from component c"
    " where c.identified = 'unidentified' and c.kind = any(:kinds) and exists ("
    "   select from install i where i.component_id = c.id and i.organization_id = :organization_id"
    "   and i.removed_at is null) limit :cap) as counted"
)
# By resemblance of any part: "acrobat" finds adobe:acrobat_reader_dc, and so does "acrobt".
_SEARCH = text(
    """
select found.name, max(found.score) as score,
    (select n.title from product_name n where n.product_id = found.id and n.title <> '' order by n.id limit 1) as title
from (
    select p.id, p.name, word_similarity(:words, p.name) as score from product p
    where p.ecosystem = 'cpe:a' and :words <% p.name
    union all
    select p.id, p.name, word_similarity(:words, n.title) from product_name n
    join product p on p.id = n.product_id and p.ecosystem = 'cpe:a' where :words <% n.title
) as found
group by found.id, found.name order by score desc, length(found.name), found.name limit :limit
"""
)


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A product that a title may mean. `score` 0..1; `evidence` says why, in words."""

    product: str
    score: float
    evidence: tuple[str, ...]
    title: str | None


@dataclass(frozen=True, slots=True)
class UndecidedRow:
    """A title to decide on; `component_id` is one of its components and stands for it."""

    component_id: int
    kind: str
    name: str
    vendor: str | None
    bundle_id: str | None
    versions: tuple[str, ...]
    assets: int
    candidates: tuple[CandidateRow, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundProduct:
    """A product of the catalogue, as a search found it."""

    product: str
    title: str | None


def list_undecided(
    session: Session, organization_id: int, *, after: tuple[int, int] | None = None, limit: int = 50
) -> tuple[tuple[UndecidedRow, ...], tuple[int, int] | None]:
    """Give a page of the queue; `after` is (assets, component id) of the last row of the page before."""
    limit = page_size(limit)
    assets, component_id = after or (None, None)
    rows = _rows(session, organization_id, "true", assets=assets, id=component_id, limit=limit + 1)
    found = rows[:limit]
    return found, (found[-1].assets, found[-1].component_id) if len(rows) > limit else None


def access_undecided(session: Session, organization_id: int, component_id: int) -> UndecidedRow:
    """Give the row of the queue that a component stands for; NotFound where it is decided, or another's."""
    same = (
        "(c.kind, c.name, coalesce(c.vendor, ''), coalesce(c.bundle_id, '')) = (select o.kind, o.name,"
        " coalesce(o.vendor, ''), coalesce(o.bundle_id, '') from component o where o.id = :component_id)"
    )
    rows = _rows(session, organization_id, same, assets=None, id=None, limit=1, component_id=component_id)
    if not rows:
        raise NotFound(f"There is nothing to decide about component {component_id} in this organization.")
    return rows[0]


def count_undecided(session: Session, organization_id: int) -> int:
    """Count the queue, up to COUNT_CAP + 1."""
    values = {"organization_id": organization_id, "kinds": _KINDS, "cap": COUNT_CAP + 1}
    return session.scalar(_COUNT, values) or 0


def search_products(session: Session, words: str) -> tuple[FoundProduct, ...]:
    """Give the products of the catalogue that resemble some words, the likest first."""
    wanted = " ".join(words.split())
    if not wanted:
        return ()
    rows = session.execute(_SEARCH, {"words": wanted, "limit": _MOST_FOUND})
    return tuple(FoundProduct(row.name, row.title) for row in rows)


def _rows(
    session: Session, organization_id: int, narrowed: str, **values: int | None
) -> tuple[UndecidedRow, ...]:
    typed = "cast(:assets as bigint)", "cast(:id as bigint)"
    statement = _TITLES.format(narrowed=narrowed).replace(":assets", typed[0]).replace("-:id", f"-{typed[1]}")
    rows = session.execute(
        text(statement), {"organization_id": organization_id, "kinds": _KINDS, **values}
    ).all()
    candidates: dict[int, list[CandidateRow]] = {}
    for one in session.execute(_CANDIDATES, {"ids": [row.id for row in rows]}):
        candidates.setdefault(one.component_id, []).append(
            CandidateRow(one.name, round(one.score, 2), tuple(one.evidence), one.title)
        )
    return tuple(
        UndecidedRow(
            row.id,
            row.kind,
            row.name,
            row.vendor,
            row.bundle_id,
            tuple(row.versions),
            row.assets,
            tuple(candidates.get(row.id, ())),
        )
        for row in rows
    )
