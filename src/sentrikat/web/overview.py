"""The overview: what is exploited here, what is due, what changed; then what to do first."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.permissions import Permission
from sentrikat.feeds.snapshot import FEEDS as SNAPSHOT_FEEDS
from sentrikat.findings.overview import overview
from sentrikat.findings.queries import COUNT_CAP
from sentrikat.findings.queue import QUEUE_CAP, count_possible
from sentrikat.identity.access import Visit
from sentrikat.inventory.lifecycle import count_unsupported
from sentrikat.inventory.queries import count_assets
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.vulnerabilities.queries import get_vulnerability
from sentrikat.web.context import Now, TenantSession, own_address, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.notices import notices_for
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter()
Reader = Annotated[Visit, requires(Permission.FINDINGS_READ)]

_FLAW = re.compile(r"[A-Za-z]{2,10}-[0-9A-Za-z-]{4,60}")


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


@router.get("/search")
def search(visit: Reader, session: TenantSession, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Go to what the words name: a vulnerability, else hosts, else software."""
    words = q.replace("\x00", "").strip()
    if not words:
        return see_other("/findings")
    if _FLAW.fullmatch(words):
        for name in (words.upper(), words):
            found = get_vulnerability(session, name)
            if found is not None:
                return see_other(f"/vulnerabilities/{quote(found.row.name, safe='')}")
    if count_assets(session, visit.caller.organization_id, hostname=words):
        return see_other(f"/assets?hostname={quote(words, safe='')}")
    plain = words.replace('"', "")
    query = words if ":" in words else f'software:"{plain}"'
    return see_other(f"/findings?q={quote(query, safe='')}")


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
