"""Reads of public knowledge about flaws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Remedy, Status
from sentrikat.domain.matching.wording import fixed_words, statement_words
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme

MOST_STATEMENTS = 500  # shown of one flaw; a kernel flaw has thousands
MOST_FACTS = 200


@dataclass(frozen=True, slots=True)
class VulnerabilityRow:
    """One flaw as lists show it."""

    id: int
    name: str
    title: str | None
    description: str | None
    published_at: datetime | None
    modified_at: datetime | None
    rejected_at: datetime | None
    summary_source: str | None
    weaknesses: tuple[str, ...]
    links: tuple[str, ...]
    severity: str | None
    cvss_score: float | None
    cvss_version: str | None
    cvss_vector: str | None
    cvss_provider: str | None
    exploited_since: date | None
    exploited_due: date | None
    ransomware: bool
    enisa_exploited_since: date | None
    exploit_public: bool
    epss: float | None
    epss_percentile: float | None
    epss_model: str | None
    ssvc_exploitation: str | None
    ssvc_automatable: bool | None
    ssvc_technical_impact: str | None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A CVSS vector and whose it is."""

    version: str
    vector: str
    score: float
    severity: str
    provider: str
    is_primary: bool
    source: str


@dataclass(frozen=True, slots=True)
class StatementRow:
    """What one source says about one product."""

    source: str
    advisory: str
    ecosystem: str
    product: str
    status: str
    described: bool
    remedy: str | None
    introduced: str | None
    fixed: str | None
    last_affected: str | None
    words: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact of the past or present: listed as exploited, likelihood, decision points, a published exploit."""

    kind: str
    source: str
    fact: dict[str, Any]
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class VulnerabilityDetail:
    """A flaw with everything any source says about it."""

    row: VulnerabilityRow
    aliases: tuple[str, ...]
    scores: tuple[ScoreRow, ...]
    statements: tuple[StatementRow, ...]
    statement_count: int
    facts: tuple[FactRow, ...]

    @property
    def exploits(self) -> tuple[FactRow, ...]:
        """Give what each source says now of public exploits."""
        return tuple(one for one in self.facts if one.kind == "exploit" and one.valid_to is None)


VULNERABILITY_COLUMNS = (
    "v.id, v.name, v.title, v.description, v.published_at, v.modified_at, v.rejected_at, v.summary_source,"
    " v.weaknesses, v.links, v.severity, v.cvss_score, v.cvss_version, v.cvss_vector, v.cvss_provider,"
    " v.exploited_since, v.exploited_due, v.ransomware, v.enisa_exploited_since, v.exploit_public, v.epss,"
    " v.epss_percentile, v.epss_model,"
    " v.ssvc_exploitation, v.ssvc_automatable, v.ssvc_technical_impact"
)


def get_vulnerability(session: Session, name: str) -> VulnerabilityDetail | None:
    """Give a flaw by any of its names; None when no loaded feed names it."""
    found = session.execute(
        text(
            f"select {VULNERABILITY_COLUMNS} from vulnerability n"  # noqa: S608
            " join vulnerability v on v.id = coalesce(n.same_as_id, n.id) where n.name = :name"
        ),
        {"name": name},
    ).one_or_none()
    if found is None:
        found = session.execute(
            text(
                f"select {VULNERABILITY_COLUMNS} from alias l join vulnerability v on v.name = l.name"  # noqa: S608
                " where l.alias = :name order by v.name limit 1"
            ),
            {"name": name},
        ).one_or_none()
    if found is None:
        return None
    row = vulnerability_row(found._asdict())
    aliases = session.scalars(
        text(
            "select alias from alias where name = :name union select name from alias where alias = :name"
            " order by 1 limit 50"
        ),
        {"name": row.name},
    ).all()
    scores = session.execute(
        text(
            "select distinct s.version, s.vector, s.score, s.severity, s.provider, s.is_primary, a.source"
            " from severity_score s join advisory a on a.id = s.advisory_id where s.vulnerability_id = :id"
            " order by s.version desc, s.is_primary desc, s.provider limit 50"
        ),
        {"id": row.id},
    )
    count = session.scalar(
        text("select count(*) from affected_range where vulnerability_id = :id and valid_to is null"),
        {"id": row.id},
    )
    facts = session.execute(
        text(
            "select kind, source, fact, valid_from, valid_to from enrichment where vulnerability_id = :id"
            " union all select 'epss', 'epss', jsonb_build_object('probability', probability, 'percentile',"
            " percentile, 'model_version', model_version, 'scored_on', scored_on), valid_from, valid_to from"
            " (select *, lead(valid_from) over (order by valid_from) as valid_to from likelihood"
            " where vulnerability_id = :id) as likely where probability is not null"
            " order by valid_from desc, kind, source limit :limit"
        ),
        {"id": row.id, "limit": MOST_FACTS},
    )
    return VulnerabilityDetail(
        row=row,
        aliases=tuple(aliases),
        scores=tuple(ScoreRow(*one) for one in scores),
        statements=tuple(_statements(session, row.id)),
        statement_count=count or 0,
        facts=tuple(FactRow(*one) for one in facts),
    )


def _statements(session: Session, vulnerability_id: int) -> list[StatementRow]:
    rows = session.execute(
        text(
            "select r.source, a.external_id as advisory, p.ecosystem, p.name as product, r.status, r.described,"
            " r.remedy, r.scheme, r.introduced, r.introduced_excluded, r.fixed, r.last_affected, r.note,"
            " a.received_at"
            " from affected_range r join product p on p.id = r.product_id join advisory a on a.id = r.advisory_id"
            " where r.vulnerability_id = :id and r.valid_to is null"
            " order by r.source, p.ecosystem, p.name, r.lo limit :limit"
        ),
        {"id": vulnerability_id, "limit": MOST_STATEMENTS},
    )
    return [
        StatementRow(
            source=row.source,
            advisory=row.advisory,
            ecosystem=row.ecosystem,
            product=row.product,
            status=row.status,
            described=row.described,
            remedy=row.remedy,
            introduced=row.introduced,
            fixed=row.fixed,
            last_affected=row.last_affected,
            words=statement_words(
                row.source,
                row.product,
                Status(row.status),
                row.described,
                VersionRange(
                    Scheme(row.scheme), row.introduced, row.fixed, row.last_affected, row.introduced_excluded
                ),
                Remedy(row.remedy) if row.remedy else None,
                fixed_words(row.ecosystem, row.fixed, row.note),
            ),
            received_at=row.received_at,
        )
        for row in rows
    ]


def vulnerability_row(columns: Mapping[str, Any]) -> VulnerabilityRow:
    """Make a row of VULNERABILITY_COLUMNS."""
    values = dict(columns)
    values["weaknesses"] = tuple(values["weaknesses"])
    values["links"] = tuple(values["links"])
    values["ransomware"] = bool(values["ransomware"])
    return VulnerabilityRow(**values)
