"""Feeds: where our knowledge comes from, and how old it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.web.context import Now, TenantSession, requires
from sentrikat.web.rendering import render
from sentrikat.web.words import span

router = APIRouter(prefix="/feeds")
Reader = Annotated[Visit, requires(Permission.KNOWLEDGE_READ)]


@router.get("")
def show(request: Request, visit: Reader, session: TenantSession, now: Now) -> Response:
    """Say how fresh every feed is; only fresh ones are good."""
    statuses = feed_statuses(session, now)
    return render(
        request,
        "feeds.html",
        visit=visit,
        now=now,
        statuses=statuses,
        fresh=sum(status.good for status in statuses),
        ages={status.name: span(status.age) for status in statuses if status.age is not None},
        paces={status.name: span(status.pace) for status in statuses},
    )
