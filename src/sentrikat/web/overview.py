"""The overview: what is exploited here, what is due, what changed; then what to do first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.permissions import Permission
from sentrikat.feeds.snapshot import FEEDS as SNAPSHOT_FEEDS
from sentrikat.findings.overview import overview
from sentrikat.findings.queries import COUNT_CAP
from sentrikat.findings.queue import QUEUE_CAP, count_possible
from sentrikat.identity.access import Visit
from sentrikat.inventory.lifecycle import count_unsupported
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.web.context import Now, TenantSession, own_address, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.notices import notices_for
from sentrikat.web.rendering import render

router = APIRouter()
Reader = Annotated[Visit, requires(Permission.FINDINGS_READ)]


@router.get("/")
def show(request: Request, visit: Reader, session: TenantSession, now: Now) -> Response:
    """Answer the three questions of a Monday morning."""
    since = _last_visit(visit, now)
    figures = overview(session, visit.caller.organization_id, now, since)
    return render(
        request,
        "overview.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        figures=figures,
        unsupported=count_unsupported(session, visit.caller.organization_id, now.date()),
        possible=count_possible(session, visit.caller.organization_id),
        possible_cap=QUEUE_CAP,
        since=since,
        since_visit=visit.session.previous_visit_at is not None,
        cap=COUNT_CAP,
        loading=not figures.assets and _is_filling(session, now),
        address=own_address(request),
        notices=notices_for(request, visit, now),
    )


def _is_filling(session: Session, now: datetime) -> bool:
    """Say whether feeds that came with this release are still to be loaded, as the first start does."""
    return any(
        status.state == "never loaded"
        for status in feed_statuses(session, now)
        if status.name in SNAPSHOT_FEEDS
    )


def _last_visit(visit: Visit, now: datetime) -> datetime:
    """Give when the person was here before this session; a week ago on their first visit."""
    return visit.session.previous_visit_at or now - timedelta(days=7)
