"""Feeds: where our knowledge comes from, and how old it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import Now, TenantSession, requires
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.vulnerabilities.freshness import feed_statuses

router = APIRouter(prefix="/feeds", tags=["feeds"])


class FeedAnswer(Answer):
    """One feed. Only `fresh` is good."""

    name: str
    title: str
    state: Literal["fresh", "late", "stale", "failing", "never loaded"]
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


class Feeds(Answer):
    """Every feed there is, loaded or not."""

    items: list[FeedAnswer]


@router.get("", response_model=Feeds)
def list_all(
    _caller: Annotated[Caller, requires(Permission.KNOWLEDGE_READ)], session: TenantSession, now: Now
) -> Response:
    """Say how fresh every feed is."""
    items = []
    for status in feed_statuses(session, now):
        computed = {
            "pace_seconds": int(status.pace.total_seconds()),
            "age_seconds": int(status.age.total_seconds()) if status.age is not None else None,
        }
        items.append(
            {
                name: computed[name] if name in computed else getattr(status, name)
                for name in FeedAnswer.model_fields
            }
        )
    return json({"items": items})
