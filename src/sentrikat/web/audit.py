"""The audit log, for its auditors."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sentrikat.audit.queries import list_entries
from sentrikat.audit.verification import verify
from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.web.context import Now, TenantSession, requires
from sentrikat.web.rendering import render

router = APIRouter(prefix="/audit")
Auditor = Annotated[Visit, requires(Permission.AUDIT_READ)]

ROWS = 100


@router.get("")
def show(
    request: Request,
    visit: Auditor,
    session: TenantSession,
    now: Now,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    check: bool = False,
) -> Response:
    """List what was done; on request walk the chain of hashes."""
    organization_id = visit.caller.organization_id
    rows = list_entries(session, organization_id, before=before, limit=ROWS + 1)
    return render(
        request,
        "audit.html",
        visit=visit,
        now=now,
        rows=rows[:ROWS],
        following=rows[ROWS - 1].id if len(rows) > ROWS else None,
        before=before,
        verified=verify(session, organization_id) if check else None,
    )
