"""Possibly affected: flaws that may concern installed software, for people to look at."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, page
from sentrikat.api.context import Now, TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.findings.dismissals import LONGEST_REASON, SHORTEST_REASON, dismiss, restore
from sentrikat.findings.queue import Position, list_possible

router = APIRouter(prefix="/possibly-affected", tags=["findings"])


class PossibleAnswer(Answer):
    """A flaw and a piece of software it may be in. Evidence, not a verdict."""

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
    assets: Annotated[int, Field(description="Counted up to 1,000 where a name is all the evidence.")]
    since: datetime
    basis: Annotated[
        Literal["catalog", "statement"],
        Field(
            description="What names the software: a catalog of exploited flaws, or a statement without versions."
        ),
    ]
    source: str | None
    evidence: Annotated[str, Field(description="Who names what, what is installed, and what is missing.")]
    dismissed_because: str | None
    dismissed_by: str | None
    dismissed_at: datetime | None


class PossiblyAffected(Answer):
    """A page of the queue: known exploited first, then the likelier, then what is installed most."""

    items: list[PossibleAnswer]
    next_cursor: str | None


class PossibleParams(PageParams):
    """Which entries are wanted."""

    asset: Annotated[int | None, Field(description="Id of an asset.")] = None
    dismissed: Annotated[bool, Field(description="Those that somebody dismissed.")] = False


class Dismissing(BaseModel):
    """Which entry is dismissed, for every version of the software, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    vulnerability: Annotated[str, Field(max_length=100, examples=["CVE-2026-1234"])]
    component_id: int
    reason: Annotated[str, Field(min_length=SHORTEST_REASON, max_length=LONGEST_REASON)]


class Restoring(BaseModel):
    """Which entry is put back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    vulnerability: Annotated[str, Field(max_length=100)]
    component_id: int


@router.get("", response_model=PossiblyAffected)
def list_all(
    caller: Annotated[Caller, requires(Permission.FINDINGS_READ)],
    session: TenantSession,
    params: Annotated[PossibleParams, Query()],
) -> Response:
    """List what is possibly affected: no source says which versions have the flaw."""
    rows, following = list_possible(
        session,
        caller.organization_id,
        asset_id=params.asset,
        dismissed=params.dismissed,
        cursor=cast("Position | None", decode_cursor("possibly-affected", params.cursor, "ifiii")),
        limit=params.limit,
    )
    items = [{name: getattr(row, name) for name in PossibleAnswer.model_fields} for row in rows]
    return page(items, encode_cursor("possibly-affected", following))


@router.post("/dismissals", status_code=204)
def dismiss_one(
    caller: Annotated[Caller, requires(Permission.FINDINGS_TRIAGE)],
    session: TenantSession,
    now: Now,
    wanted: Dismissing,
) -> None:
    """Say that software is not affected, and why; a listing as exploited brings the entry back."""
    dismiss(session, caller, [(wanted.vulnerability, wanted.component_id)], reason=wanted.reason, now=now)


@router.post("/restorals", status_code=204)
def restore_one(
    caller: Annotated[Caller, requires(Permission.FINDINGS_TRIAGE)],
    session: TenantSession,
    now: Now,
    wanted: Restoring,
) -> None:
    """Put a dismissed entry back."""
    restore(session, caller, [(wanted.vulnerability, wanted.component_id)], now=now)
