"""Findings and their explanations."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.findings.explain import explain, explain_finding
from sentrikat.findings.explain_past import explain_finding_then, explain_then
from sentrikat.findings.queries import COUNT_CAP, FindingFilters, FindingRow, get_finding, list_findings
from sentrikat.findings.reasoning import Explanation
from sentrikat.inventory.access import access_asset

router = APIRouter(tags=["findings"])
Reader = Annotated[Caller, requires(Permission.FINDINGS_READ)]

Severity = Literal["none", "low", "medium", "high", "critical"]
Verdict = Literal["affected", "unknown"]
Remedy = Literal["fixed", "open", "deferred", "will_not_fix", "end_of_life"]


class FindingAnswer(Answer):
    """A vulnerability on an asset, through a component. `sentence` proves it."""

    id: int
    asset_id: int
    hostname: str
    exposure: Literal["public", "internal", "unknown"]
    component_kind: str
    component_name: str
    component_version: str | None
    binaries: list[str]
    vulnerability: str
    title: str | None
    severity: Severity | None
    cvss_score: float | None
    exploited_since: date | None
    ransomware: bool
    enisa_exploited_since: Annotated[date | None, Field(description="In ENISA's list since.")]
    exploit_public: Annotated[bool, Field(description="Exploit-DB or Metasploit has an exploit.")]
    epss: Annotated[float | None, Field(description="Chance of exploitation within 30 days, 0..1.")]
    verdict: Verdict
    opened_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    due_at: datetime | None
    policy: str | None
    outcome: str | None
    tier: Annotated[int, Field(description="0 routine to 4 emergency.")]
    remedy: Annotated[str | None, Field(description="What the source says of a repair, see the filter.")]
    fixed_version: str | None
    note: Annotated[str | None, Field(description="What the source adds: where the repair is, or why none.")]
    source: str | None
    sentence: str


class Findings(Answer):
    """A page of findings."""

    items: list[FindingAnswer]
    next_cursor: str | None
    total: Annotated[
        int,
        Field(description=f"Counted with the first page, up to {COUNT_CAP:,}; later pages repeat it."),
    ]
    total_is_capped: Annotated[bool, Field(description="There may be more than `total`.")]


class StepAnswer(Answer):
    """One step of the reasoning: its words, who says so, and when that was received."""

    title: str
    text: str
    source: str | None
    at: datetime | None


class DeadlineAnswer(Answer):
    """How the date came about."""

    policy: str | None
    outcome: str | None
    due_at: datetime | None
    reasons: list[str]
    compared: list[str]


class ExplanationAnswer(Answer):
    """Everything behind one verdict."""

    sentence: str
    verdict: Literal["affected", "unknown", "not_affected"]
    chain: list[StepAnswer]
    lost: list[StepAnswer]
    deadline: DeadlineAnswer | None
    history: list[StepAnswer]
    what_would_change: list[str]
    as_of: Annotated[datetime | None, Field(description="The past moment this speaks of; null: the present.")]


class FindingDetail(FindingAnswer):
    """A finding with its explanation."""

    explanation: ExplanationAnswer


class Explanations(Answer):
    """One answer for each component that some statement is about."""

    items: list[ExplanationAnswer]


class FindingParams(PageParams):
    """Which findings are wanted."""

    state: Literal["open", "closed", "all"] = "open"
    exploited: Annotated[bool | None, Field(description="Known to be exploited, or not.")] = None
    ransomware: bool | None = None
    exploit_public: Annotated[bool | None, Field(description="An exploit is public, or none is known.")] = (
        None
    )
    severity: Severity | None = None
    asset: Annotated[int | None, Field(description="Id of an asset.")] = None
    hostname: Annotated[str | None, Field(max_length=253, description="Any part of a host name.")] = None
    vulnerability: Annotated[str | None, Field(max_length=100, examples=["CVE-2026-1234"])] = None
    software: Annotated[str | None, Field(max_length=200, description="Any part of a name.")] = None
    exposure: Literal["public", "internal", "unknown"] | None = None
    verdict: Verdict | None = None
    remedy: Annotated[
        Remedy | Literal["none"] | None,
        Field(
            description="What the source says of a repair; none: no repaired version, for whatever reason."
        ),
    ] = None
    due_before: AwareDatetime | None = None
    due_after: AwareDatetime | None = None
    opened_after: AwareDatetime | None = None
    closed_after: Annotated[
        AwareDatetime | None, Field(description="Closed since; together with `state` closed or all.")
    ] = None
    as_of: Annotated[
        AwareDatetime | None, Field(description="What was open at that moment; takes the place of `state`.")
    ] = None
    sort: Literal["priority", "due", "opened", "closed"] = "priority"


_SHAPES = {"priority": "iiii", "due": "tiii", "opened": "tiii", "closed": "tiii"}


@router.get("/findings", response_model=Findings)
def list_all(caller: Reader, session: TenantSession, params: Annotated[FindingParams, Query()]) -> Response:
    """List findings, what presses most first."""
    list_name = f"findings:{params.sort}"
    found = list_findings(
        session,
        caller.organization_id,
        FindingFilters(
            state=params.state,
            exploited=params.exploited,
            ransomware=params.ransomware,
            exploit_public=params.exploit_public,
            severity=params.severity,
            asset_id=params.asset,
            vulnerability=params.vulnerability,
            software=params.software,
            exposure=params.exposure,
            verdict=params.verdict,
            remedy=params.remedy,
            due_before=params.due_before,
            due_after=params.due_after,
            opened_after=params.opened_after,
            closed_after=params.closed_after,
            hostname=params.hostname,
            as_of=params.as_of,
        ),
        decode_cursor(list_name, params.cursor, _SHAPES[params.sort]),
        params.limit,
        params.sort,
    )
    return page(
        [_finding(row) for row in found.rows],
        encode_cursor(list_name, found.next_cursor),
        total=found.total,
        total_is_capped=found.capped,
    )


AsOf = Annotated[
    AwareDatetime | None,
    Query(description="Explain from what was installed and known at that moment; null: now."),
]


@router.get("/findings/{finding_id}", response_model=FindingDetail)
def show(caller: Reader, session: TenantSession, finding_id: int, as_of: AsOf = None) -> Response:
    """Give one finding with everything behind it; with `as_of`, its explanation speaks of that moment."""
    row = get_finding(session, caller.organization_id, finding_id)
    if row is None:
        raise NotFound(f"There is no finding {finding_id} in this organization.")
    if as_of is None:
        explanation = explain_finding(session, caller.organization_id, finding_id)
    else:
        explanation = explain_finding_then(session, caller.organization_id, finding_id, as_of)
    return json({**_finding(row), "explanation": _explanation(explanation)})


@router.get("/assets/{asset_id}/explanations/{vulnerability}", response_model=Explanations)
def why(
    caller: Reader, session: TenantSession, asset_id: int, vulnerability: str, as_of: AsOf = None
) -> Response:
    """Say what a vulnerability means, or meant, for an asset: affected, not affected or not known, and why."""
    access_asset(session, caller, asset_id, Permission.FINDINGS_READ)
    if as_of is None:
        answers = explain(session, caller.organization_id, asset_id, vulnerability)
    else:
        answers = explain_then(session, caller.organization_id, asset_id, vulnerability, as_of)
    return json({"items": [_explanation(answer) for answer in answers]})


def _finding(row: FindingRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FindingAnswer.model_fields}


def _explanation(explanation: Explanation) -> dict[str, Any]:
    # Dataclasses all the way down, which orjson writes as they are; the field names are the contract.
    return {name: getattr(explanation, name) for name in ExplanationAnswer.model_fields}
