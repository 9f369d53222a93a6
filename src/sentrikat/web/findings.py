"""Findings: the list with its query bar, and one finding with everything behind it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.permissions import Permission
from sentrikat.findings.explain import explain_finding
from sentrikat.findings.explain_past import end_of_day, explain_finding_then
from sentrikat.findings.queries import SORTS, get_finding, list_findings
from sentrikat.identity.access import Visit
from sentrikat.web import cursors
from sentrikat.web.context import Now, TenantSession, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.query_bar import HELP, read_query
from sentrikat.web.rendering import render
from sentrikat.web.words import zone_of

router = APIRouter(prefix="/findings")
Reader = Annotated[Visit, requires(Permission.FINDINGS_READ)]

ROWS = 50
VIEWS: tuple[tuple[str, str], ...] = (
    ("All open", ""),
    ("Exploited", "exploited:yes"),
    ("Overdue", "due:overdue"),
    ("Due in 7 days", "due:<7d"),
    ("Critical", "severity:critical"),
    ("Public assets", "exposure:public"),
    ("To review", "verdict:review"),
    ("New this week", "opened:<7d"),
    ("Closed", "state:closed"),
)
_SHAPES = {"priority": "iiii", "due": "tiii", "opened": "tiii", "closed": "tiii"}


@router.get("")
def show_list(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    q: Annotated[str, Query(max_length=500)] = "",
    sort: str = "priority",
    after: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List findings; the address says everything that is shown."""
    sort = sort if sort in SORTS else "priority"
    zone = zone_of(visit.organization.time_zone if visit.organization is not None else None)
    asked = read_query(q, zone, now)
    page = list_findings(
        session,
        visit.caller.organization_id,
        asked.filters,
        cast("tuple[Any, ...] | None", cursors.read(after, _SHAPES[sort])),
        ROWS,
        sort,
    )
    return render(
        request,
        "findings.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        q=q,
        sort=sort,
        problems=asked.problems,
        rows=page.rows,
        total=f"more than {page.total:,}" if page.capped else f"{page.total:,}",
        count=page.total,
        next_cursor=cursors.write(page.next_cursor),
        after=after,
        views=VIEWS,
        query_help=HELP,
        closed=asked.filters.state != "open",
    )


@router.get("/{finding_id}")
def show(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    finding_id: int,
    as_of: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show one finding: the sentence first, then the whole reasoning. As a panel on a list's side, if asked.

    With `as_of`, a day, the reasoning is that of its end.
    """
    organization_id = visit.caller.organization_id
    row = get_finding(session, organization_id, finding_id)
    if row is None:
        raise NotFound(
            f"There is no finding {finding_id} in this organization.",
            hint="It may be another organization's.",
        )
    if as_of:
        zone = zone_of(visit.organization.time_zone if visit.organization is not None else None)
        explanation = explain_finding_then(session, organization_id, finding_id, _end_of(as_of, zone))
    else:
        explanation = explain_finding(session, organization_id, finding_id)
    as_panel = request.headers.get("X-Panel") == "1"
    return render(
        request,
        "finding_panel.html" if as_panel else "finding.html",
        visit=visit,
        now=now,
        doubts=[] if as_panel else doubts_of(session, visit, now),
        row=row,
        explanation=explanation,
        as_of=as_of,
    )


def _end_of(text: str, zone: ZoneInfo) -> datetime:
    """Read a day; InvalidInput for what is none."""
    try:
        return end_of_day(date.fromisoformat(text), zone)
    except ValueError as error:
        raise InvalidInput(
            f"“{text}” is not a day.", hint="Write it as 2026-06-01.", fields={"as_of": "a day"}
        ) from error
