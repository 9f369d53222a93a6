"""Possibly affected: what may concern installed software, ranked, with the evidence; and what was dismissed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import NotFound
from sentrikat.domain.permissions import Permission
from sentrikat.findings.dismissals import LONGEST_REASON, SHORTEST_REASON, Entry, dismiss, restore
from sentrikat.findings.queue import QUEUE_CAP, Position, count_possible, list_possible
from sentrikat.identity.access import Visit
from sentrikat.inventory.access import access_asset
from sentrikat.vulnerabilities.queries import VulnerabilityRow, get_vulnerability
from sentrikat.web import cursors
from sentrikat.web.context import Form, Now, TenantSession, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.people import names_for
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/possibly-affected")
Reader = Annotated[Visit, requires(Permission.FINDINGS_READ)]
Triager = Annotated[Visit, requires(Permission.FINDINGS_TRIAGE)]

ROWS = 50


@router.get("")
def show(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    asset: int | None = None,
    cve: Annotated[str, Query(max_length=100)] = "",
    dismissed: bool = False,
    decided: Annotated[int, Query(ge=0, le=ROWS)] = 0,
    after: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List the queue."""
    organization_id = visit.caller.organization_id
    host = access_asset(session, visit.caller, asset, Permission.FINDINGS_READ) if asset is not None else None
    flaw = _vulnerability(session, cve)
    rows, following = list_possible(
        session,
        organization_id,
        asset_id=asset,
        vulnerability_id=flaw.id if flaw is not None else None,
        dismissed=dismissed,
        cursor=cast("Position | None", cursors.read(after, "ifiii")),
        limit=ROWS,
    )
    return render(
        request,
        "possible.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        rows=rows,
        total=count_possible(session, organization_id, asset_id=asset),
        cap=QUEUE_CAP,
        host=host,
        flaw=flaw,
        names=names_for(request, visit, [row.dismissed_by for row in rows if row.dismissed_by]),
        dismissed=dismissed,
        decided=decided,
        next_cursor=cursors.write(following),
        after=after,
        may_change=visit.caller.may(Permission.FINDINGS_TRIAGE),
        shortest=SHORTEST_REASON,
        longest=LONGEST_REASON,
    )


def _vulnerability(session: Session, name: str) -> VulnerabilityRow | None:
    if not name:
        return None
    found = get_vulnerability(session, name.replace("\x00", ""))
    if found is None:
        raise NotFound(f"No loaded feed names {name}.", hint="Check the spelling, and the age of the feeds.")
    return found.row


@router.post("/dismissals")
def dismiss_chosen(visit: Triager, session: TenantSession, now: Now, form: Form) -> Response:
    """Take the ticked entries out."""
    chosen = _chosen(form)
    dismiss(session, visit.caller, chosen, reason=form.get("reason", ""), now=now)
    return see_other(_back(form, decided=len(chosen)))


@router.post("/restorals")
def restore_chosen(visit: Triager, session: TenantSession, now: Now, form: Form) -> Response:
    """Put the ticked entries back."""
    chosen = _chosen(form)
    restore(session, visit.caller, chosen, now=now)
    return see_other(_back(form, dismissed="yes", decided=len(chosen)))


def _chosen(form: Mapping[str, str]) -> list[Entry]:
    """Read the ticked boxes: the vulnerability and the component's number; 0, which is nobody's, for any other."""
    chosen = []
    for ticked in form.get("entry", "").split():
        name, _, number = ticked.rpartition("|")
        chosen.append(
            (name, int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0)
        )
    return chosen


def _back(form: Mapping[str, str], **more: str | int) -> str:
    """Give the list that the form stood on, from its beginning."""
    kept = {name: form[name] for name in ("asset", "cve") if form.get(name)}
    return f"/possibly-affected?{urlencode({**kept, **more})}"
