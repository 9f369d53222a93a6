"""Reads of findings: lists that page by key.

Every statement is bounded: lists by their page, counts by COUNT_CAP and by how many findings they look at, so that
an estate with ten million findings answers like one with ten. A list is counted once, with its first page: the
cursor carries the figure on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product, Remedy, Status
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.matching.wording import fixed_words, statement_words
from sentrikat.findings.facts import versions_of

LARGEST_PAGE = 200
COUNT_CAP = 10_000
COUNT_LOOKS = 50_000  # findings a count looks at, at most: some 20 ms
_NAMES_FOUND = 20_000  # components of a name

# Parts of the rank as `domain.prioritization.order` packs it: what the list's own index can answer.
EXPLOITED_PRIORITY = 1 << 48  # the top bit: in a catalog of exploited flaws
_RANSOMWARE_PRIORITY = EXPLOITED_PRIORITY | 1 << 47  # only what is exploited can be
_EXPOSURE = "(f.priority >> 42) & 3"
# A statement with a repaired version says "fixed", also where its source has no word for it.
_REMEDY = "coalesce(r.remedy, case when r.fixed is not null then 'fixed' end)"
_TENTHS_OF_CVSS = "(f.priority >> 18) & 127"
_EXPOSURE_RANK = {"public": 2, "unknown": 1, "internal": 0}
# Tenths of a score that may bear the word: version 2 calls 7.0 to 10.0 high, and 0.0 to 3.9 low.
_TENTHS = {"none": (0, 0), "low": (0, 39), "medium": (40, 69), "high": (70, 100), "critical": (90, 100)}

SORTS = ("priority", "due", "opened", "closed")


@dataclass(frozen=True, slots=True)
class FindingFilters:
    """What a list is narrowed to; None: not narrowed.

    `state` is open, closed or all; `verdict` affected or unknown ("to review"); `software` part of a name.
    `remedy` what the source says of a repair (`domain.advisory.Remedy`), or `none`: whatever has no repaired version.
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
    remedy: str | None = None
    due_before: datetime | None = None
    due_after: datetime | None = None
    opened_after: datetime | None = None
    closed_after: datetime | None = None
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
    remedy: str | None
    fixed_version: str | None
    note: str | None
    source: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `total` counts up to COUNT_CAP when the list is begun; `capped`: there may be more."""

    rows: tuple[FindingRow, ...]
    next_cursor: tuple[Any, ...] | None
    total: int
    capped: bool


_COLUMNS = """
    f.id, f.asset_id, a.hostname, a.exposure, c.kind as component_kind, c.name as component_name,
    c.version as component_version, i.binaries, v.name as vulnerability, v.title, v.severity, v.cvss_score,
    v.exploited_since, v.ransomware, v.enisa_exploited_since, v.exploit_public, v.epss, f.verdict, f.opened_at,
    f.closed_at, f.close_reason, f.due_at,
    f.policy, f.outcome, f.tier, f.priority, r.source, r.status, r.described, r.remedy, r.note, r.scheme, r.introduced,
    r.introduced_excluded, r.fixed, r.last_affected, p.ecosystem, p.name as product, c.namespace as release,
    (select i.version from component_product i where i.component_id = f.component_id and i.product_id = r.product_id)
        as compared
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
    {page}
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

# Found in the index first and read afterwards: what is passed over costs no row of the table.
_PAGE = """
select f.* from (
    select f.id from (select f.* from finding f where {where} order by {order} offset 0) f {joins}
    where {of_others} order by {order} limit :limit
) k join finding f on f.id = k.id
"""

_COUNT = "select count(*) from (select from finding f where {where} limit :cap) t"

# As many findings as it may look at, brought together by what they point to, which is then asked for once each.
_COUNT_BY_OTHERS = """
select coalesce(sum(f.findings) filter (where {of_others}), 0)::bigint as found,
    coalesce(sum(f.findings), 0)::bigint as looked
from (
    select {keys}, count(*) as findings from (select {keys} from finding f where {where} limit :looks) f
    group by {keys}
) f {joins}
"""

_NAMED = text("select id from component where lower(name) like :name escape '!' limit :limit")

_ORDERS = {
    "priority": ("f.priority desc, f.id desc", "(f.priority, f.id) < (:after_value, :after_id)"),
    "due": ("f.due_at, f.id", "(f.due_at, f.id) > (:after_value, :after_id)"),
    "opened": ("f.opened_at desc, f.id desc", "(f.opened_at, f.id) < (:after_value, :after_id)"),
    "closed": ("f.closed_at desc, f.id desc", "(f.closed_at, f.id) < (:after_value, :after_id)"),
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
    narrowed = _narrowed(session, organization_id, filters, sort)
    if cursor is None:
        total, capped = _count(session, narrowed)
    else:
        after_value, after_id, total, capped = cursor
        narrowed.where.append(after)
        narrowed.values |= {"after_value": after_value, "after_id": after_id}
    rows = session.execute(
        text(
            _LIST.format(
                page=_PAGE.format(
                    where=narrowed.own, joins=narrowed.joins, of_others=narrowed.of_others, order=order
                ),
                order=order,
                columns=_COLUMNS,
                install=INSTALL_OF_FINDING,
            )
        ),
        {**narrowed.values, "limit": limit + 1},
    ).all()
    shown = tuple(_row(row) for row in rows[:limit])
    following = None
    if len(rows) > limit:
        last = shown[-1]
        value = {
            "priority": last.priority,
            "due": last.due_at,
            "opened": last.opened_at,
            "closed": last.closed_at,
        }[sort]
        following = (value, last.id, total, int(capped))
    return Page(shown, following, total, bool(capped))


def get_finding(session: Session, organization_id: int, finding_id: int) -> FindingRow | None:
    """Give one finding, open or closed."""
    rows = session.execute(
        text(
            _LIST.format(
                page="select f.* from finding f where f.organization_id = :organization_id and f.id = :id",
                order="f.id",
                columns=_COLUMNS,
                install=INSTALL_OF_FINDING,
            )
        ),
        {"organization_id": organization_id, "id": finding_id},
    ).all()
    return _row(rows[0]) if rows else None


@dataclass(slots=True)
class _Narrowed:
    """Conditions on a finding's own row, and on what it points to."""

    where: list[str]
    values: dict[str, Any]
    of_flaw: list[str] = field(default_factory=list)
    of_statement: list[str] = field(default_factory=list)
    of_asset: list[str] = field(default_factory=list)

    @property
    def own(self) -> str:
        """Give the conditions on the finding's row."""
        return " and ".join(self.where)

    @property
    def of_others(self) -> str:
        """Give the conditions on the rows it points to."""
        return " and ".join([*self.of_flaw, *self.of_statement, *self.of_asset]) or "true"

    @property
    def joins(self) -> str:
        """Give the joins that these need."""
        flaw = ["join vulnerability v on v.id = f.vulnerability_id"] if self.of_flaw else []
        asset = ["join asset a on a.id = f.asset_id"] if self.of_asset else []
        statement = (
            ["join match m on m.id = f.match_id join affected_range r on r.id = m.range_id"]
            if self.of_statement
            else []
        )
        return " ".join([*flaw, *statement, *asset])

    @property
    def keys(self) -> str:
        """Give the columns they join by."""
        needed = {
            "f.vulnerability_id": self.of_flaw,
            "f.match_id": self.of_statement,
            "f.asset_id": self.of_asset,
        }
        return ", ".join(name for name, conditions in needed.items() if conditions)


def _count(session: Session, narrowed: _Narrowed) -> tuple[int, bool]:
    """Count up to the cap; whether there may be more."""
    if not narrowed.joins:
        statement = _COUNT.format(where=narrowed.own)
        total: int = session.execute(text(statement), {**narrowed.values, "cap": COUNT_CAP + 1}).scalar_one()
        return min(total, COUNT_CAP), total > COUNT_CAP
    statement = _COUNT_BY_OTHERS.format(
        where=narrowed.own, joins=narrowed.joins, of_others=narrowed.of_others, keys=narrowed.keys
    )
    row = session.execute(text(statement), {**narrowed.values, "looks": COUNT_LOOKS}).one()
    return min(row.found, COUNT_CAP), row.found > COUNT_CAP or row.looked == COUNT_LOOKS


def _narrowed(session: Session, organization_id: int, filters: FindingFilters, sort: str) -> _Narrowed:
    where = ["f.organization_id = :organization_id"]
    values: dict[str, Any] = {"organization_id": organization_id}
    found = _Narrowed(where, values)
    is_open = filters.as_of is None and filters.state == "open"
    if filters.as_of is not None:
        where.append("f.opened_at <= :as_of and (f.closed_at is null or f.closed_at > :as_of)")
        values["as_of"] = filters.as_of
    elif filters.state == "open":
        where.append("f.closed_at is null")
    elif filters.state == "closed":
        where.append("f.closed_at is not null")
    if sort in {"due", "closed"}:
        where.append(f"f.{sort}_at is not null")
    if filters.exploited is not None:
        # The rank's top bit says it, so the list's own index finds them.
        where.append(f"f.priority {'>=' if filters.exploited else '<'} {EXPLOITED_PRIORITY}")
    _narrow_by_flaw(found, filters, is_open=is_open)
    _narrow_by_asset(found, filters, is_open=is_open)
    if filters.remedy == "none":
        found.of_statement.append("r.fixed is null")
    elif filters.remedy is not None:
        found.of_statement.append(f"{_REMEDY} = :remedy")
        values["remedy"] = filters.remedy
    if filters.software is not None:
        # Looked up before, so that the planner knows how many there are: for few it goes by them, for many by rank.
        where.append("f.component_id = any(cast(:components as bigint[]))")
        values["components"] = session.scalars(
            _NAMED, {"name": _part(filters.software), "limit": _NAMES_FOUND}
        ).all()
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
        ("closed_after", "f.closed_at >= :closed_after", filters.closed_after),
    ):
        if moment is not None:
            where.append(condition)
            values[name] = moment
    return found


def _narrow_by_flaw(found: _Narrowed, filters: FindingFilters, *, is_open: bool) -> None:
    """Narrow by severity and ransomware; an open finding's rank says them, or nearly."""
    if filters.severity is not None:
        if is_open:
            low, high = _TENTHS[filters.severity]
            found.where.append(f"{_TENTHS_OF_CVSS} between {low} and {high}")
        found.of_flaw.append("v.severity = :severity")
        found.values["severity"] = filters.severity
    if filters.ransomware is not None and is_open:
        found.where.append(f"f.priority {'>=' if filters.ransomware else '<'} {_RANSOMWARE_PRIORITY}")
    elif filters.ransomware is not None:
        found.of_flaw.append("v.ransomware = :ransomware")
        found.values["ransomware"] = filters.ransomware
    if filters.exploit_public is not None:
        found.of_flaw.append("v.exploit_public = :exploit_public")
        found.values["exploit_public"] = filters.exploit_public


def _narrow_by_asset(found: _Narrowed, filters: FindingFilters, *, is_open: bool) -> None:
    """Narrow by exposure and host name."""
    if filters.exposure in _EXPOSURE_RANK and is_open:
        found.where.append(f"{_EXPOSURE} = {_EXPOSURE_RANK[filters.exposure]}")
    elif filters.exposure is not None:
        found.of_asset.append("a.exposure = :exposure")
        found.values["exposure"] = filters.exposure
    if filters.hostname is not None:
        found.of_asset.append("lower(a.hostname) like :hostname escape '!'")
        found.values["hostname"] = _part(filters.hostname)


def _part(words: str) -> str:
    """Give the pattern of a name that holds these words."""
    plain = words.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{plain}%"


def _row(row: Row[Any]) -> FindingRow:
    values = row._asdict()
    return FindingRow(
        **{
            name: values[name]
            for name in FindingRow.__slots__
            if name not in {"binaries", "fixed_version", "sentence", "ransomware", "remedy"}
        },
        binaries=tuple(row.binaries or ()),
        ransomware=bool(row.ransomware),
        remedy=row.remedy or ("fixed" if row.fixed else None),
        fixed_version=_repair(row),
        sentence=_sentence(row),
    )


def _repair(row: Row[Any]) -> str | None:
    if row.source is None:
        return None
    return fixed_words(row.ecosystem, row.fixed, row.note, row.release)


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
        _repair(row),
    )
    compared = (
        row.compared or row.component_version
    )  # what was held against the span may be read out of the title
    comparison = f"; {compared} < {row.fixed}" if row.fixed and row.verdict == "affected" else ""
    return f"{start}; {said}{comparison}."
