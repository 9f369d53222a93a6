"""Vulnerabilities: those that concern us, and one with all that is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request, Response

from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.permissions import Permission
from sentrikat.findings.by_vulnerability import REACH_CAP, list_concerning
from sentrikat.findings.explain import explain
from sentrikat.findings.queries import FindingFilters, list_findings
from sentrikat.findings.queue import list_possible
from sentrikat.identity.access import Visit
from sentrikat.inventory.queries import list_assets
from sentrikat.vulnerabilities.queries import get_vulnerability
from sentrikat.web import cursors
from sentrikat.web.context import Now, TenantSession, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.rendering import render

router = APIRouter(prefix="/vulnerabilities")
Reader = Annotated[Visit, requires(Permission.KNOWLEDGE_READ)]
Concerned = Annotated[Visit, requires(Permission.FINDINGS_READ)]

ROWS = 50
FIRST_FINDINGS = 20
FIRST_POSSIBLE = 10


@router.get("")
def show_list(
    request: Request,
    visit: Concerned,
    session: TenantSession,
    now: Now,
    exploited: Literal["", "yes", "no"] = "",
    search: Annotated[str, Query(max_length=200)] = "",
    became: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List the vulnerabilities that open findings are about."""
    became_after = _moment(became)
    rows, following = list_concerning(
        session,
        visit.caller.organization_id,
        exploited={"": None, "yes": True, "no": False}[exploited],
        search=search.replace("\x00", "").strip() or None,
        became_exploited_after=became_after,
        cursor=cast("tuple[int, int] | None", cursors.read(after, "ii")),
        limit=ROWS,
    )
    return render(
        request,
        "vulnerabilities.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        rows=rows,
        next_cursor=cursors.write(following),
        after=after,
        exploited=exploited,
        search=search,
        became=became,
        became_after=became_after,
        reach_cap=REACH_CAP,
    )


@router.get("/{name}")
def show(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    name: str,
    asset: Annotated[str, Query(max_length=253)] = "",
) -> Response:
    """Show one vulnerability; with `asset`, also what it means for that host, affected or not.

    What is public is shown to whoever may read the knowledge; what it means here to whoever may read findings.
    """
    found = get_vulnerability(session, name.replace("\x00", ""))
    if found is None:
        raise NotFound(
            f"No loaded feed names {name[:100]}.", hint="Check the spelling, and the age of the feeds."
        )
    organization_id = visit.caller.organization_id
    filters = FindingFilters(vulnerability=found.row.name)
    may_find = visit.caller.may(Permission.FINDINGS_READ)
    page = list_findings(session, organization_id, filters, None, FIRST_FINDINGS) if may_find else None
    possible = (
        list_possible(session, organization_id, vulnerability_id=found.row.id, limit=FIRST_POSSIBLE)[0]
        if may_find
        else []
    )
    hostname = asset.replace("\x00", "").strip() if may_find else ""
    hosts = list_assets(session, organization_id, hostname=hostname, limit=10).assets if hostname else ()
    asked = next((host for host in hosts if host.hostname.lower() == hostname.lower()), None)
    asked = asked or (hosts[0] if hosts else None)
    return render(
        request,
        "vulnerability.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        found=found,
        row=found.row,
        concerned=page,
        possible=possible,
        may_triage=visit.caller.may(Permission.FINDINGS_TRIAGE),
        asset=hostname,
        asked=asked,
        answers=explain(session, organization_id, asked.id, found.row.name) if asked is not None else [],
    )


def _moment(text: str) -> datetime | None:
    """Read the moment of a link of ours; InvalidInput for what is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"“{text}” is not a moment.", fields={"became": "a moment in ISO 8601"}) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
