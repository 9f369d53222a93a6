"""The audit log of the organization, for its auditors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.audit.queries import list_entries
from sentrikat.audit.verification import verify
from sentrikat.domain.permissions import Caller, Permission

router = APIRouter(prefix="/audit", tags=["audit"])
Auditor = Annotated[Caller, requires(Permission.AUDIT_READ)]


class Entry(Answer):
    """One action."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    address: str | None
    detail: dict[str, Any]
    hash: str


class Entries(Answer):
    """A page of entries, the newest first."""

    items: list[Entry]
    next_cursor: str | None


class Verification(Answer):
    """Whether the chain of hashes holds."""

    holds: bool
    entries: int
    head: str
    broken_entry: int | None
    reason: str | None


@router.get("", response_model=Entries)
def list_all(caller: Auditor, session: TenantSession, params: Annotated[PageParams, Query()]) -> Response:
    """List what was done in the organization."""
    position = decode_cursor("audit", params.cursor, "i")
    before = int(str(position[0])) if position else None
    rows = list_entries(session, caller.organization_id, before=before, limit=params.limit + 1)
    shown = rows[: params.limit]
    following = (shown[-1].id,) if len(rows) > params.limit else None
    return page([row._asdict() for row in shown], encode_cursor("audit", following))


@router.get("/verification", response_model=Verification)
def verification(caller: Auditor, session: TenantSession) -> Response:
    """Walk the chain of hashes from the first entry."""
    verified = verify(session, caller.organization_id)
    return json(
        {
            "holds": verified.holds,
            "entries": verified.entries,
            "head": verified.head,
            "broken_entry": verified.broken.entry_id if verified.broken else None,
            "reason": verified.broken.reason if verified.broken else None,
        }
    )
