"""Feeds: where our knowledge comes from, and how old it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import Now, TenantSession, requires
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.vulnerabilities import coverage
from sentrikat.vulnerabilities.candidates import Candidate
from sentrikat.vulnerabilities.coverage import OVERALL, coverage_of_new_flaws
from sentrikat.vulnerabilities.freshness import feed_statuses

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
