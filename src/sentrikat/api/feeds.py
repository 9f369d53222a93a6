"""Feeds: where our knowledge comes from, and how old it is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import Now, TenantSession, database_of, requires
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.registry import feed
from sentrikat.vulnerabilities import coverage
from sentrikat.vulnerabilities.candidates import Candidate
from sentrikat.vulnerabilities.coverage import OVERALL, coverage_of_new_flaws
from sentrikat.vulnerabilities.decisions import Decision, decide
from sentrikat.vulnerabilities.freshness import feed_statuses, runs_of

router = APIRouter(prefix="/feeds", tags=["feeds"])


class Coverage(Answer):
    """How many of the CVEs of the last 30 days have usable product data."""

    described: int
    published: int


class Held(Answer):
    """A run that was not let live: what it would change, and why it waits."""

    run_id: int
    held_at: datetime
    effect: dict[str, Any]
    summary: str
    reasons: list[str]
    kept: bool
    decision: str | None
    decided_by: str | None


class FeedAnswer(Answer):
    """One feed. Only `fresh` is good."""

    name: str
    title: str
    state: Literal[
        "fresh",
        "late",
        "stale",
        "failing",
        "drifted",
        "shrunken",
        "held",
        "rolled back",
        "never loaded",
    ]
    license: str
    terms: str
    pace_seconds: int
    age_seconds: int | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    data_as_of: datetime | None
    record_count: int
    quarantined: int
    last_error: str | None
    last_outcome: str | None
    last_transport: str | None
    added: int
    changed: int
    withdrawn: int
    problems: list[str] = Field(description="Why the feed is not fresh.")
    remedy: str | None = Field(description="What to do about it.")
    usual_records: tuple[int, int] | None = Field(
        description="Fewest and most records of its last whole runs."
    )
    usual_changes: tuple[int, int] | None = Field(
        description="Fewest and most new and changed records a run."
    )
    unfamiliar: dict[str, int] = Field(
        description="Fields and words this version does not know, with how many records have them."
    )
    coverage: Coverage | None = Field(description="Of the CVEs published in the last 30 days.")
    held: Held | None = Field(description="A run that waits for approval.")
    rolled_back_at: datetime | None
    rolled_back_to: int | None


class Feeds(Answer):
    """Every feed there is, loaded or not."""

    items: list[FeedAnswer]
    coverage: Coverage = Field(description="By any source.")


@router.get("", response_model=Feeds)
def list_all(
    _caller: Annotated[Caller, requires(Permission.KNOWLEDGE_READ)], session: TenantSession, now: Now
) -> Response:
    """Say how fresh every feed is."""
    items = []
    covered = coverage_of_new_flaws(session, now)
    for status in feed_statuses(session, now):
        computed: dict[str, Any] = {
            "pace_seconds": int(status.pace.total_seconds()),
            "age_seconds": int(status.age.total_seconds()) if status.age is not None else None,
            "coverage": _coverage(covered.get(status.name)),
            "held": _held(status.candidate),
        }
        items.append(
            {
                name: computed[name] if name in computed else getattr(status, name)
                for name in FeedAnswer.model_fields
            }
        )
    return json({"items": items, "coverage": _coverage(covered[OVERALL])})


def _coverage(found: coverage.Coverage | None) -> dict[str, int] | None:
    return None if found is None else {"described": found.described, "published": found.published}


def _held(found: Candidate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "run_id": found.run_id,
        "held_at": found.held_at,
        "effect": found.effect.as_json(),
        "summary": found.effect.words(),
        "reasons": [one.words for one in found.remarks],
        "kept": found.kept,
        "decision": found.decision,
        "decided_by": found.decided_by,
    }


class Run(Answer):
    """One run of a feed. `can_return`: a rollback to the state after it can be done."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    transport: str
    outcome: str
    documents: int
    records: int
    added: int
    changed: int
    withdrawn: int
    quarantined: int
    error: str | None
    effect: str | None
    can_return: bool


class Runs(Answer):
    """The last runs of a feed, the newest first."""

    items: list[Run]


class Decided(Answer):
    """Whether a job does it now (`under_way`) or it is done."""

    under_way: bool


class Choice(BaseModel):
    """The run meant."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run_id: int | None = Field(
        default=None,
        description="approve, reject: the held run looked at; refused if a newer one has taken its place."
        " rollback: the run whose data is to be in use again; without it, the one before the last.",
    )


@router.get("/{name}/runs", response_model=Runs)
def list_runs(
    _caller: Annotated[Caller, requires(Permission.KNOWLEDGE_READ)], session: TenantSession, name: str
) -> Response:
    """List what a feed's last 50 runs did."""
    return json({"items": [asdict(row) for row in runs_of(session, feed(name).name)]})


@router.post("/{name}/{decision}", status_code=202, response_model=Decided)
def decide_on(
    request: Request,
    caller: Annotated[Caller, requires(Permission.INSTALLATION_MANAGE)],
    now: Now,
    name: str,
    decision: Decision,
    choice: Choice | None = None,
) -> Response:
    """Approve or reject a held run, roll a feed back, or release one that was rolled back."""
    with database_of(request).as_system() as session:
        run_id = choice.run_id if choice is not None else None
        under_way = decide(session, caller, feed(name).name, decision, run_id, now=now)
    return json({"under_way": under_way}, status=202)
