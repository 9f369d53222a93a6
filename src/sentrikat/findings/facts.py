"""The statements and flaws behind a decision, read in one go for many components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Condition, Product, Remedy, Status, Term, TermGroup
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme

# The columns of a statement, the same wherever one is shown.
STATEMENT_COLUMNS = (
    "r.id as range_id, r.source, a.external_id as advisory, p.ecosystem, p.name as product, r.status, r.described,"
    " r.remedy, r.scheme, r.introduced, r.introduced_excluded, r.fixed, r.last_affected, r.module, r.note,"
    " r.rank, r.strength, a.received_at, a.modified_at"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement as chosen for a component: who said what of which versions."""

    vulnerability_id: int
    verdict: str
    range_id: int
    source: str
    advisory: str
    product: Product
    status: Status
    described: bool
    remedy: Remedy | None
    versions: VersionRange
    module: str | None = None
    note: str | None = None
    received_at: datetime | None = None
    modified_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Flaw:
    """A vulnerability with what is known of it on the day asked about."""

    id: int
    name: str
    title: str | None
    aliases: tuple[str, ...]
    published_at: datetime | None
    severity: str | None
    cvss_score: float | None
    cvss_vector: str | None
    cvss_version: str | None
    cvss_provider: str | None
    exploited_since: date | None
    exploited_due: date | None
    ransomware: bool
    epss: float | None
    epss_percentile: float | None
    epss_model: str | None
    ssvc_automatable: bool | None
    ssvc_technical_impact: str | None


def versions_of(row: Row[Any]) -> VersionRange:
    """Give the span of a statement row."""
    return VersionRange(
        Scheme(row.scheme), row.introduced, row.fixed, row.last_affected, row.introduced_excluded
    )


def load_facts(session: Session) -> dict[int, list[Fact]]:
    """Read the statements chosen in `decided`, by component."""
    rows = session.execute(
        text(
            f"select d.component_id, d.vulnerability_id, d.verdict, d.condition_ids, {STATEMENT_COLUMNS}"  # noqa: S608
            " from decided d join affected_range r on r.id = d.range_id"
            " join product p on p.id = r.product_id join advisory a on a.id = r.advisory_id"
            " order by d.component_id, d.vulnerability_id"
        )
    ).all()
    conditions = load_conditions(session, {number for row in rows for number in row.condition_ids or ()})
    facts: dict[int, list[Fact]] = {}
    for row in rows:
        facts.setdefault(row.component_id, []).append(
            Fact(
                vulnerability_id=row.vulnerability_id,
                verdict=row.verdict,
                range_id=row.range_id,
                source=row.source,
                advisory=row.advisory,
                product=Product(row.ecosystem, row.product),
                status=Status(row.status),
                described=row.described,
                remedy=Remedy(row.remedy) if row.remedy else None,
                versions=versions_of(row),
                module=row.module,
                note=row.note,
                received_at=row.received_at,
                modified_at=row.modified_at,
                conditions=tuple(conditions[number] for number in row.condition_ids or ()),
            )
        )
    return facts


def load_conditions(session: Session, ids: Iterable[int]) -> dict[int, Condition]:
    """Read platform conditions by id."""
    rows = session.execute(
        text("select id, tree from platform_condition where id = any(cast(:ids as bigint[]))"),
        {"ids": sorted(ids)},
    )
    return {row.id: condition_of(row.tree) for row in rows}


def condition_of(tree: Mapping[str, Any]) -> Condition:
    """Read a condition as staging wrote it."""
    return Condition(
        tuple(
            TermGroup(
                tuple(
                    Term(
                        Product(term["product"]["ecosystem"], term["product"]["name"]),
                        _range_of(term["versions"]),
                        tuple((key, value) for key, value in term["target"]),
                    )
                    for term in group["terms"]
                ),
                group["negate"],
            )
            for group in tree["groups"]
        )
    )


def _range_of(versions: Mapping[str, Any] | None) -> VersionRange | None:
    if versions is None:
        return None
    return VersionRange(
        Scheme(versions["scheme"]),
        versions["introduced"],
        versions["fixed"],
        versions["last_affected"],
        versions["introduced_excluded"],
        versions.get("from_candidates", False),  # conditions of before do not say
    )


_FLAWS = """
select v.id, v.name, v.title, v.published_at, v.severity, v.cvss_score, v.cvss_vector, v.cvss_version,
    v.cvss_provider, v.ransomware, v.ssvc_automatable, v.ssvc_technical_impact,
    v.exploited_since, v.exploited_due, v.epss, v.epss_percentile, v.epss_model
from vulnerability v
where v.id = any(cast(:ids as bigint[]))
  and (cast(:as_of as date) is null or v.published_at is null or v.published_at::date <= :as_of)
"""

_ALIASES = """
select name, alias from alias where name = any(cast(:names as text[]))
union select alias, name from alias where alias = any(cast(:names as text[]))
order by 1, 2
"""

# The score as of a past day is the newest one that had been computed by then.
_LIKELIHOODS = """
select distinct on (vulnerability_id) vulnerability_id, probability as epss, percentile, model_version as model
from likelihood
where vulnerability_id = any(cast(:ids as bigint[])) and scored_on <= :as_of
order by vulnerability_id, scored_on desc, valid_from desc
"""


def load_flaws(session: Session, ids: Iterable[int], as_of: date | None) -> dict[int, Flaw]:
    """Read flaws by id, as of a day; those published later are left out."""
    wanted: Sequence[int] = sorted(ids)
    rows = session.execute(text(_FLAWS), {"ids": wanted, "as_of": as_of}).all()
    aliases: dict[str, list[str]] = {}
    for name, alias in session.execute(text(_ALIASES), {"names": [row.name for row in rows]}):
        aliases.setdefault(name, []).append(alias)
    likelihoods: dict[int, tuple[float, float, str]] = {}
    if as_of is not None:
        for row in session.execute(text(_LIKELIHOODS), {"ids": wanted, "as_of": as_of}):
            likelihoods[row.vulnerability_id] = (row.epss, row.percentile, row.model)
    found = {}
    for row in rows:
        exploited = row.exploited_since is not None and (as_of is None or row.exploited_since <= as_of)
        if as_of is None:
            likelihood = (row.epss, row.epss_percentile, row.epss_model)
        else:
            likelihood = likelihoods.get(row.id, (None, None, None))
        found[row.id] = Flaw(
            id=row.id,
            name=row.name,
            title=row.title,
            aliases=tuple(aliases.get(row.name, ())),
            published_at=row.published_at,
            severity=row.severity,
            cvss_score=row.cvss_score,
            cvss_vector=row.cvss_vector,
            cvss_version=row.cvss_version,
            cvss_provider=row.cvss_provider,
            exploited_since=row.exploited_since if exploited else None,
            exploited_due=row.exploited_due if exploited else None,
            ransomware=bool(row.ransomware and exploited),
            epss=likelihood[0],
            epss_percentile=likelihood[1],
            epss_model=likelihood[2],
            ssvc_automatable=row.ssvc_automatable,
            ssvc_technical_impact=row.ssvc_technical_impact,
        )
    return found
