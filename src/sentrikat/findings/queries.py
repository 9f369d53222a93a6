"""Reads of findings: lists that page by key, and the figures of the overview.

Every statement is bounded: lists by their page, counts by COUNT_CAP, "what to do first" by the findings at the top
of the order, so that an estate with ten million findings answers like one with ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product, Remedy, Status
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.matching.wording import statement_words
from sentrikat.findings.facts import versions_of

LARGEST_PAGE = 200
COUNT_CAP = 10_000
EXPLOITED_PRIORITY = (
    1 << 48
)  # the top bit of the rank (domain.prioritization.order): in a catalog of exploited flaws

SORTS = ("priority", "due", "opened")


@dataclass(frozen=True, slots=True)
class FindingFilters:
    """What a list is narrowed to; None: not narrowed.

    `state` is open, closed or all; `verdict` affected or unknown ("to review"); `software` part of a name.
    `as_of` takes the place of `state`: what was open at that moment.
    """

    state: str = "open"
    exploited: bool | None = None
    ransomware: bool | None = None
    exploit_public: bool | None = None
    severity: str | None = None
    asset_id: int | None = None
    vulnerability: str | None = None
    software: str | None = None
    exposure: str | None = None
    verdict: str | None = None
    due_before: datetime | None = None
    due_after: datetime | None = None
    opened_after: datetime | None = None
    hostname: str | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding as lists show it."""

    id: int
    asset_id: int
    hostname: str
    exposure: str
    component_kind: str
    component_name: str
    component_version: str | None
    binaries: tuple[str, ...]
    vulnerability: str
    title: str | None
    severity: str | None
    cvss_score: float | None
    exploited_since: date | None
    ransomware: bool
    enisa_exploited_since: date | None
    exploit_public: bool
    epss: float | None
    verdict: str
    opened_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    due_at: datetime | None
    policy: str | None
    outcome: str | None
    tier: int
    priority: int
    fixed_version: str | None
    source: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `total` counts up to COUNT_CAP; one more means "more than that"."""

    rows: tuple[FindingRow, ...]
    next_cursor: tuple[Any, ...] | None
    total: int

    @property
    def capped(self) -> bool:
        """Say whether there are more than `COUNT_CAP`."""
        return self.total > COUNT_CAP


_COLUMNS = """
    f.id, f.asset_id, a.hostname, a.exposure, c.kind as component_kind, c.name as component_name,
    c.version as component_version, i.binaries, v.name as vulnerability, v.title, v.severity, v.cvss_score,
    v.exploited_since, v.ransomware, v.enisa_exploited_since, v.exploit_public, v.epss, f.verdict, f.opened_at,
    f.closed_at, f.close_reason, f.due_at,
    f.policy, f.outcome, f.tier, f.priority, r.source, r.status, r.described, r.remedy, r.scheme, r.introduced,
    r.introduced_excluded, r.fixed, r.last_affected, p.ecosystem, p.name as product
"""

# The install a finding rests on: the current one, else the last. Each half has an index of its own; asked as one,
# the whole table would be read for every row.
INSTALL_OF_FINDING = """
left join lateral (
    select h.* from (
        select c1.* from install c1
        where c1.organization_id = f.organization_id and c1.asset_id = f.asset_id
          and c1.component_id = f.component_id and c1.removed_at is null
        union all
        select c2.* from install c2
        where c2.organization_id = f.organization_id and c2.asset_id = f.asset_id
          and c2.component_id = f.component_id and c2.removed_at is not null
    ) h order by h.removed_at desc nulls first limit 1
) i on true
"""

# The page's rows first, everything that is shown of them afterwards.
_LIST = """
with page as (
    select f.* from finding f {joins} where {where} order by {order} limit :limit
)
select {columns}
from page f
join asset a on a.id = f.asset_id
join component c on c.id = f.component_id
join vulnerability v on v.id = f.vulnerability_id
left join match m on m.id = f.match_id
left join affected_range r on r.id = m.range_id
left join product p on p.id = r.product_id
{install}
order by {order}
"""

_ORDERS = {
    "priority": ("f.priority desc, f.id desc", "(f.priority, f.id) < (:after_value, :after_id)"),
    "due": ("f.due_at, f.id", "(f.due_at, f.id) > (:after_value, :after_id)"),
    "opened": ("f.opened_at desc, f.id desc", "(f.opened_at, f.id) < (:after_value, :after_id)"),
}


def list_findings(
    session: Session,
    organization_id: int,
    filters: FindingFilters,
    cursor: tuple[Any, ...] | None = None,
    limit: int = 50,
    sort: str = "priority",
) -> Page:
    """Give one page; `cursor` is what the page before gave as `next_cursor`."""
    if sort not in _ORDERS:
        raise InvalidInput(
            f"Findings cannot be sorted by “{sort[:40]}”.", fields={"sort": f"one of {', '.join(SORTS)}"}
        )
    limit = max(1, min(limit, LARGEST_PAGE))
    order, after = _ORDERS[sort]
    joins, where, values = _narrowed(organization_id, filters, sort)
    total = session.scalar(
        text(f"select count(*) from (select from finding f {joins} where {where} limit :cap) t"),  # noqa: S608
        {**values, "cap": COUNT_CAP + 1},
    )
    if cursor is not None:
        where = f"{where} and {after}"
        values = {**values, "after_value": cursor[0], "after_id": cursor[1]}
    rows = session.execute(
        text(
            _LIST.format(joins=joins, where=where, order=order, columns=_COLUMNS, install=INSTALL_OF_FINDING)
        ),
        {**values, "limit": limit + 1},
    ).all()
    shown = tuple(_row(row) for row in rows[:limit])
    following = None
    if len(rows) > limit:
        last = shown[-1]
        value = {"priority": last.priority, "due": last.due_at, "opened": last.opened_at}[sort]
        following = (value, last.id)
    return Page(shown, following, total or 0)


def get_finding(session: Session, organization_id: int, finding_id: int) -> FindingRow | None:
    """Give one finding, open or closed."""
    rows = session.execute(
        text(
            _LIST.format(
                joins="",
                where="f.organization_id = :organization_id and f.id = :id",
                order="f.id",
                columns=_COLUMNS,
                install=INSTALL_OF_FINDING,
            )
        ),
        {"organization_id": organization_id, "id": finding_id, "limit": 1},
    ).all()
    return _row(rows[0]) if rows else None


def _narrowed(organization_id: int, filters: FindingFilters, sort: str) -> tuple[str, str, dict[str, Any]]:
    where = ["f.organization_id = :organization_id"]
    values: dict[str, Any] = {"organization_id": organization_id}
    joins: list[str] = []
    if filters.as_of is not None:
        where.append("f.opened_at <= :as_of and (f.closed_at is null or f.closed_at > :as_of)")
        values["as_of"] = filters.as_of
    elif filters.state == "open":
        where.append("f.closed_at is null")
    elif filters.state == "closed":
        where.append("f.closed_at is not null")
    if sort == "due":
        where.append("f.due_at is not null")
    if filters.exploited is not None:
        # The rank's top bit says it, so the list's own index finds them.
        where.append(f"f.priority {'>=' if filters.exploited else '<'} {EXPLOITED_PRIORITY}")
    if (filters.severity, filters.ransomware, filters.exploit_public) != (None, None, None):
        joins.append("join vulnerability v on v.id = f.vulnerability_id")
    if filters.severity is not None:
        where.append("v.severity = :severity")
        values["severity"] = filters.severity
    if filters.ransomware is not None:
        where.append("v.ransomware = :ransomware")
        values["ransomware"] = filters.ransomware
    if filters.exploit_public is not None:
        where.append("v.exploit_public = :exploit_public")
        values["exploit_public"] = filters.exploit_public
    if filters.exposure is not None or filters.hostname is not None:
        joins.append("join asset a on a.id = f.asset_id")
    if filters.exposure is not None:
        where.append("a.exposure = :exposure")
        values["exposure"] = filters.exposure
    if filters.hostname is not None:
        where.append("strpos(lower(a.hostname), lower(:hostname)) > 0")
        values["hostname"] = filters.hostname
    if filters.software is not None:
        where.append(
            "f.component_id = any(array(select id from component"
            " where strpos(lower(name), lower(:software)) > 0 limit 20000))"
        )
        values["software"] = filters.software
    if filters.vulnerability is not None:
        where.append("f.vulnerability_id = (select id from vulnerability where name = :vulnerability)")
        values["vulnerability"] = filters.vulnerability
    for column, value in (("asset_id", filters.asset_id), ("verdict", filters.verdict)):
        if value is not None:
            where.append(f"f.{column} = :{column}")
            values[column] = value
    for name, condition, moment in (
        ("due_before", "f.due_at < :due_before", filters.due_before),
        ("due_after", "f.due_at >= :due_after", filters.due_after),
        ("opened_after", "f.opened_at >= :opened_after", filters.opened_after),
    ):
        if moment is not None:
            where.append(condition)
            values[name] = moment
    return " ".join(joins), " and ".join(where), values


def _row(row: Row[Any]) -> FindingRow:
    values = row._asdict()
    return FindingRow(
        **{
            name: values[name]
            for name in FindingRow.__slots__
            if name not in {"binaries", "fixed_version", "sentence", "ransomware"}
        },
        binaries=tuple(row.binaries or ()),
        ransomware=bool(row.ransomware),
        fixed_version=row.fixed,
        sentence=_sentence(row),
    )


def _sentence(row: Row[Any]) -> str:
    name = ", ".join((row.binaries or [row.component_name])[:3])
    start = f"{row.hostname} runs {name} {row.component_version or '(version not known)'}"
    if row.source is None:
        return f"{start}."
    said = statement_words(
        row.source,
        Product(row.ecosystem, row.product).name,
        Status(row.status),
        row.described,
        versions_of(row),
        Remedy(row.remedy) if row.remedy else None,
    )
    comparison = f"; {row.component_version} < {row.fixed}" if row.fixed and row.verdict == "affected" else ""
    return f"{start}; {said}{comparison}."


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to do: update a piece of software, and what that closes."""

    what: str
    kind: str
    version: str | None
    assets: int
    closes: int
    exploited: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures of the overview; those marked * count up to COUNT_CAP."""

    assets: int
    silent_assets: int
    exploited_open: int  # vulnerabilities known to be exploited
    exploited_assets: int
    exploited_findings: int
    due_this_week: int  # *
    overdue: int  # *
    findings_open: int  # *
    to_review: int  # *
    unidentified_components: int  # *
    opened_since: int  # *
    closed_since: int  # *
    became_exploited_since: int
    fixes: tuple[Fix, ...]


SILENT_AFTER = timedelta(days=2)  # agents report daily; two missed reports are no accident
_FIXES_FROM = 20_000  # findings at the top of the order that are grouped into fixes

_FIGURES = """
select
  (select count(*) from asset where organization_id = :organization_id and retired_at is null) as assets,
  (select count(*) from asset where organization_id = :organization_id and retired_at is null
     and last_report_at < :silent_before) as silent_assets,
  (select count(distinct vulnerability_id) from finding
   where organization_id = :organization_id and closed_at is null and priority >= :exploited) as exploited_open,
  (select count(distinct asset_id) from finding
   where organization_id = :organization_id and closed_at is null and priority >= :exploited) as exploited_assets,
  (select count(*) from finding
   where organization_id = :organization_id and closed_at is null and priority >= :exploited)
     as exploited_findings,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     and due_at >= :now and due_at < :week_end limit :cap) t) as due_this_week,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     and due_at < :now limit :cap) t) as overdue,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     limit :cap) t) as findings_open,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     and verdict = 'unknown' limit :cap) t) as to_review,
  (select count(*) from (select from install i join component c on c.id = i.component_id
     where i.organization_id = :organization_id and i.removed_at is null
       and c.identified in ('unidentified', 'no_version', 'unsupported') limit :cap) t)
     as unidentified_components,
  (select count(*) from (select from finding where organization_id = :organization_id
     and opened_at >= :since limit :cap) t) as opened_since,
  (select count(*) from (select from finding where organization_id = :organization_id
     and closed_at >= :since limit :cap) t) as closed_since,
  (select count(distinct vulnerability_id) from event where organization_id = :organization_id
     and kind = 'became_exploited' and at >= :since) as became_exploited_since
"""

_FIXES = """
with top as (
    select f.asset_id, f.component_id, f.match_id, f.priority, f.due_at from finding f
    where f.organization_id = :organization_id and f.closed_at is null and f.verdict = 'affected'
    order by f.priority desc, f.id desc limit :top
)
select c.name as what, c.kind, count(distinct t.asset_id) as assets, count(*) as closes,
    count(*) filter (where t.priority >= :exploited) as exploited, min(t.due_at) as due_at,
    (array_agg(r.fixed order by r.hi desc nulls last) filter (where r.fixed is not null))[1] as version
from top t
join component c on c.id = t.component_id
left join match m on m.id = t.match_id
left join affected_range r on r.id = m.range_id
group by c.name, c.kind, c.namespace
order by max(t.priority) desc, count(*) desc, c.name
limit :fixes
"""


def overview(
    session: Session, organization_id: int, now: datetime, since: datetime | None = None
) -> Overview:
    """Give the figures that answer: what is exploited here, what is due, what changed since `since`."""
    values = {
        "organization_id": organization_id,
        "now": now,
        "week_end": now + timedelta(days=7),
        "silent_before": now - SILENT_AFTER,
        "since": since or now - timedelta(days=7),
        "exploited": EXPLOITED_PRIORITY,
        "cap": COUNT_CAP + 1,
    }
    figures = session.execute(text(_FIGURES), values).one()
    fixes = session.execute(
        text(_FIXES),
        {
            "organization_id": organization_id,
            "exploited": EXPLOITED_PRIORITY,
            "top": _FIXES_FROM,
            "fixes": 8,
        },
    )
    return Overview(
        **figures._asdict(),
        fixes=tuple(
            Fix(row.what, row.kind, row.version, row.assets, row.closes, row.exploited, row.due_at)
            for row in fixes
        ),
    )
