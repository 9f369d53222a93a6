"""Possibly affected: what may concern installed software, ranked, with the evidence; and what was dismissed."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response

from sentrikat.domain.permissions import Permission
from sentrikat.findings.dismissals import LONGEST_REASON, SHORTEST_REASON, dismiss, restore
from sentrikat.findings.queue import QUEUE_CAP, Position, count_possible, list_possible
from sentrikat.identity.access import Visit
from sentrikat.inventory.access import access_asset
from sentrikat.web import cursors
from sentrikat.web.context import Form, Now, TenantSession, requires
from sentrikat.web.doubts import doubts_of
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
    dismissed: bool = False,
    after: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List the queue."""
    organization_id = visit.caller.organization_id
    host = access_asset(session, visit.caller, asset, Permission.FINDINGS_READ) if asset is not None else None
    rows, following = list_possible(
        session,
        organization_id,
        asset_id=asset,
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
        dismissed=dismissed,
        next_cursor=cursors.write(following),
        after=after,
        may_change=visit.caller.may(Permission.FINDINGS_TRIAGE),
        shortest=SHORTEST_REASON,
        longest=LONGEST_REASON,
    )


@router.post("/dismissals")
def dismiss_one(visit: Triager, session: TenantSession, now: Now, form: Form) -> Response:
    """Take an entry out."""
    dismiss(
        session,
        visit.caller,
        form.get("vulnerability", ""),
        _number(form.get("component", "")),
        reason=form.get("reason", ""),
        now=now,
    )
    return see_other("/possibly-affected")


@router.post("/restorals")
def restore_one(visit: Triager, session: TenantSession, now: Now, form: Form) -> Response:
    """Put an entry back."""
    restore(session, visit.caller, form.get("vulnerability", ""), _number(form.get("component", "")), now=now)
    return see_other("/possibly-affected?dismissed=yes")


def _number(text: str) -> int:
    """Read a component's number; 0, which is nobody's, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
