"""Vulnerabilities: those that concern the organization, and any one with all that is said of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.findings.by_vulnerability import REACH_CAP, ConcernedRow, list_concerning
from sentrikat.vulnerabilities.queries import VulnerabilityRow, get_vulnerability

router = APIRouter(prefix="/vulnerabilities", tags=["vulnerabilities"])


class VulnerabilityAnswer(Answer):
    """A flaw. Words and score are the best-placed source's."""

    name: str
    title: str | None
    description: str | None
    published_at: datetime | None
    modified_at: datetime | None
    rejected_at: datetime | None
    weaknesses: list[str]
    links: list[str]
    severity: str | None
    cvss_score: float | None
    cvss_version: str | None
    cvss_vector: str | None
    cvss_provider: str | None
    exploited_since: date | None
    exploited_due: date | None
    ransomware: bool
    enisa_exploited_since: Annotated[date | None, Field(description="In ENISA's list since.")]
    exploit_public: Annotated[bool, Field(description="Exploit-DB or Metasploit has an exploit.")]
    epss: float | None
    epss_percentile: float | None
    epss_model: str | None
    ssvc_exploitation: str | None
    ssvc_automatable: bool | None
    ssvc_technical_impact: str | None


class ConcernAnswer(VulnerabilityAnswer):
    """A flaw with how far it reaches in the organization."""

    open_findings: Annotated[int, Field(description=f"Counted up to {REACH_CAP:,}.")]
    assets: Annotated[int, Field(description="Those of the findings that were counted.")]
    is_capped: Annotated[bool, Field(description="There are more open findings than were counted.")]
    due_at: datetime | None


class Vulnerabilities(Answer):
    """A page of vulnerabilities, the most pressing first."""

    items: list[ConcernAnswer]
    next_cursor: str | None


class ScoreAnswer(Answer):
    """A CVSS vector and whose it is."""

    version: str
    vector: str
    score: float
    severity: str
    provider: str
    is_primary: bool
    source: str


class StatementAnswer(Answer):
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


class FactAnswer(Answer):
    """A fact of the past or present."""

    kind: str
    source: str
    fact: dict[str, Any]
    valid_from: datetime
    valid_to: datetime | None


class VulnerabilityDetailAnswer(VulnerabilityAnswer):
    """A flaw with everything any source says about it."""

    aliases: list[str]
    scores: list[ScoreAnswer]
    statements: list[StatementAnswer]
    statement_count: int
    facts: list[FactAnswer]


class VulnerabilityParams(PageParams):
    """Which vulnerabilities are wanted."""

    exploited: bool | None = None
    search: Annotated[str | None, Field(max_length=200, description="Part of the name or the title.")] = None
    became_exploited_after: Annotated[
        AwareDatetime | None,
        Field(description="Listed as exploited since then, while findings of the organization were open."),
    ] = None


@router.get("", response_model=Vulnerabilities)
def list_all(
    caller: Annotated[Caller, requires(Permission.FINDINGS_READ)],
    session: TenantSession,
    params: Annotated[VulnerabilityParams, Query()],
) -> Response:
    """List the vulnerabilities that open findings of the organization are about."""
    rows, following = list_concerning(
        session,
        caller.organization_id,
        exploited=params.exploited,
        search=params.search,
        became_exploited_after=params.became_exploited_after,
        cursor=cast("tuple[int, int] | None", decode_cursor("vulnerabilities", params.cursor, "ii")),
        limit=params.limit,
    )
    items = [{**_vulnerability(one.row), **_reach(one)} for one in rows]
    return page(items, encode_cursor("vulnerabilities", following))


@router.get("/{name}", response_model=VulnerabilityDetailAnswer)
def show(
    _caller: Annotated[Caller, requires(Permission.KNOWLEDGE_READ)], session: TenantSession, name: str
) -> Response:
    """Give one vulnerability, by any of its names, with every statement about it."""
    found = get_vulnerability(session, name)
    if found is None:
        raise NotFound(
            f"No loaded feed names {name[:100]}.", hint="Check the spelling, and the age of the feeds."
        )
    return json(
        {
            **_vulnerability(found.row),
            "aliases": found.aliases,
            "scores": found.scores,
            "statements": found.statements,
            "statement_count": found.statement_count,
            "facts": found.facts,
        }
    )


def _reach(one: ConcernedRow) -> dict[str, Any]:
    return {
        "open_findings": min(one.findings, REACH_CAP),
        "assets": one.assets,
        "is_capped": one.capped,
        "due_at": one.due_at,
    }


def _vulnerability(row: VulnerabilityRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in VulnerabilityAnswer.model_fields}
