"""Possibly affected, as one queue: statements that name no versions, and flaws known by their name only.

An entry is a flaw and a piece of software, with the assets that have it and the evidence in words. Known exploited
flaws come first, then the likelier ones, then what is installed most. Nothing here is a verdict; people look, and
either find out more or dismiss the entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.domain.matching.wording import source_name
from sentrikat.findings.queries import LARGEST_PAGE

QUEUE_CAP = 1_000  # entries counted
_LOOKS = 10_000  # findings to review, those that press most, that are brought together into entries
_ASSETS = 1_000  # counted of one entry

# Where identification has an answer, it knows better than words which statements are about a component; of a
# catalog's words nobody does.
_ENTRIES = """
with review as (
    select f.vulnerability_id, f.component_id, max(f.match_id) as match_id, count(distinct f.asset_id) as assets,
        min(f.opened_at) as since
    from (
        select f.vulnerability_id, f.component_id, f.match_id, f.asset_id, f.opened_at from finding f
        where f.organization_id = :organization_id and f.closed_at is null and f.verdict = 'unknown' {of_asset}
        order by f.priority desc, f.id desc limit :looks
    ) f group by f.vulnerability_id, f.component_id
), called as (
    select n.component_id, count(*) as assets from (select distinct component_id from possible) n
    cross join lateral (
        select from install f join asset a on a.id = f.asset_id and a.retired_at is null
        where f.component_id = n.component_id and f.organization_id = :organization_id
          and f.removed_at is null {of_asset} limit :assets
    ) t
    group by n.component_id
), entry as (
    select r.vulnerability_id, r.component_id, r.match_id, r.assets, r.since from review r
    union all
    select n.vulnerability_id, n.component_id, null, i.assets, n.since
    from called i
    join component c on c.id = i.component_id
    join possible n on n.component_id = i.component_id and (n.basis = 'catalog' or c.identified <> 'identified')
    where not exists (
        select from match m where m.component_id = n.component_id
          and m.vulnerability_id = n.vulnerability_id and m.valid_to is null)
), ranked as (
    select e.*, coalesce(v.epss, 0)::float as likelihood,
        (v.exploited_since is not null or v.enisa_exploited_since is not null)::int as exploited,
        d.reason as dismissed_because, d.by as dismissed_by, d.at as dismissed_at
    from entry e
    join vulnerability v on v.id = e.vulnerability_id
    left join lateral (
        select d.* from dismissal d join component c on c.kind = d.component_kind and c.name = d.component_name
        where d.organization_id = :organization_id and d.vulnerability_id = e.vulnerability_id
          and c.id = e.component_id
          -- Exploited now, and it was not when somebody decided: that is a new fact.
          and (d.exploited or (v.exploited_since is null and v.enisa_exploited_since is null))
    ) d on true
)
"""
_PAGE = """
{entries}, page as (select * from ranked where {where} order by {order} limit :limit)
select page.*, v.name as vulnerability, v.title, v.severity, v.cvss_score, v.exploited_since,
    v.enisa_exploited_since, v.ransomware, v.epss,
    c.kind as component_kind, c.name as component_name, c.version as component_version,
    coalesce(n.basis, 'statement') as basis, coalesce(n.source, x.source) as source, n.vendor,
    coalesce(n.product, p.name) as product
from page
join vulnerability v on v.id = page.vulnerability_id
join component c on c.id = page.component_id
left join possible n on page.match_id is null and n.component_id = page.component_id
    and n.vulnerability_id = page.vulnerability_id
left join match m on m.id = page.match_id
left join affected_range x on x.id = m.range_id
left join product p on p.id = x.product_id
order by {paged}
"""
_COUNT = "{entries} select count(*) from (select from ranked where {where} limit :cap) t"
_SHOWN = "(dismissed_at is null) = :standing"
_KEYS = ("exploited", "likelihood", "assets", "vulnerability_id", "component_id")
_ORDER = ", ".join(f"{key} desc" for key in _KEYS)
_PAGED = ", ".join(f"page.{key} desc" for key in _KEYS)
_AFTER = (
    "(exploited, likelihood, assets, vulnerability_id, component_id)"
    " < (:exploited, cast(:likelihood as float), :counted, :vulnerability, :component)"
)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A flaw that may concern a piece of software, and why one thinks so."""

    vulnerability_id: int
    vulnerability: str
    title: str | None
    severity: str | None
    cvss_score: float | None
    exploited_since: date | None
    enisa_exploited_since: date | None
    ransomware: bool
    epss: float | None
    component_id: int
    component_kind: str
    component_name: str
    component_version: str | None
    assets: int
    since: datetime
    basis: str  # catalog or statement
    source: str | None
    evidence: str
    dismissed_because: str | None
    dismissed_by: str | None
    dismissed_at: datetime | None


Position = tuple[int, float, int, int, int]


def list_possible(
    session: Session,
    organization_id: int,
    *,
    asset_id: int | None = None,
    vulnerability_id: int | None = None,
    entries: Sequence[tuple[int, int]] | None = None,
    dismissed: bool = False,
    cursor: Position | None = None,
    limit: int = 50,
) -> tuple[list[QueueRow], Position | None]:
    """Give a page of the queue, what presses most first, and where the next one begins.

    `entries`: only these, by the numbers of vulnerability and component.
    """
    limit = max(1, min(limit, LARGEST_PAGE))
    source, where, values = _asked(organization_id, asset_id, dismissed=dismissed)
    if vulnerability_id is not None:
        where.append("vulnerability_id = :flaw")
        values["flaw"] = vulnerability_id
    if entries is not None:
        where.append(
            "(vulnerability_id, component_id) in"
            " (select * from unnest(cast(:flaws as bigint[]), cast(:software as bigint[])))"
        )
        values |= {"flaws": [flaw for flaw, _ in entries], "software": [one for _, one in entries]}
    if cursor is not None:
        where.append(_AFTER)
        names = ("exploited", "likelihood", "counted", "vulnerability", "component")
        values |= dict(zip(names, cursor, strict=True))
    rows = session.execute(
        text(_PAGE.format(entries=source, where=" and ".join(where), order=_ORDER, paged=_PAGED)),
        {**values, "limit": limit + 1},
    ).all()
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = (last.exploited, last.likelihood, last.assets, last.vulnerability_id, last.component_id)
    return [_row(row) for row in rows[:limit]], following


def count_possible(session: Session, organization_id: int, *, asset_id: int | None = None) -> int:
    """Count the entries nobody dismissed, up to QUEUE_CAP and one."""
    entries, where, values = _asked(organization_id, asset_id, dismissed=False)
    found: int = session.execute(
        text(_COUNT.format(entries=entries, where=" and ".join(where))), {**values, "cap": QUEUE_CAP + 1}
    ).scalar_one()
    return found


def _asked(
    organization_id: int, asset_id: int | None, *, dismissed: bool
) -> tuple[str, list[str], dict[str, Any]]:
    values: dict[str, Any] = {
        "organization_id": organization_id,
        "looks": _LOOKS,
        "assets": _ASSETS,
        "standing": not dismissed,
    }
    if asset_id is not None:
        values["asset_id"] = asset_id
    of_asset = "and f.asset_id = :asset_id" if asset_id is not None else ""
    return _ENTRIES.format(of_asset=of_asset), [_SHOWN], values


def _row(row: Row[Any]) -> QueueRow:
    values = row._asdict()
    return QueueRow(
        **{name: values[name] for name in QueueRow.__slots__ if name not in {"evidence", "ransomware"}},
        ransomware=bool(row.ransomware),
        evidence=evidence_words(
            row.basis,
            row.source,
            _named(row.vendor, row.product or "it"),
            _installed(row.component_name, row.component_version),
            f"{row.assets:,}{' or more' if row.assets >= _ASSETS else ''} asset{'' if row.assets == 1 else 's'}",
        ),
    )


def _named(vendor: str | None, product: str) -> str:
    """Give the name as a source wrote it, the maker once: `Wing FTP Server` of the maker of that name."""
    words = product.replace("\\", "").replace(":", " ").replace("_", " ")
    if vendor is None or words.lower().startswith(vendor.lower()):
        return words
    return f"{vendor} {words}"


def _installed(name: str, version: str | None) -> str:
    """Give software with its version, which many titles name already."""
    if version is None:
        return f"{name} without a version"
    return name if name.endswith(version) else f"{name} {version}"


def evidence_words(basis: str, source: str | None, named: str, installed: str, where: str) -> str:
    """Say why software may be affected: who names what, what is installed, and what is missing."""
    who = source_name(source or "a source")
    who = who[:1].upper() + who[1:]
    if basis == "catalog":
        return f"{who} names {named}; installed: {installed} on {where}; no source describes versions."
    return f"{who} names {named} without saying which versions; installed: {installed} on {where}."
