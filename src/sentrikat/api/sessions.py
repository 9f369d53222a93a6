"""One's own signed-in browsers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import Now, SystemSession, requires, visit_of
from sentrikat.audit.journal import record
from sentrikat.domain.errors import Forbidden, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import web_sessions
from sentrikat.identity.access import Visit
from sentrikat.identity.queries import list_sessions

router = APIRouter(prefix="/me/sessions", tags=["me"])
Owner = Annotated[Caller, requires(Permission.PROFILE)]


class BrowserSession(Answer):
    """A signed-in browser."""

    id: int
    current: bool = Field(description="The one that asks.")
    created_at: datetime
    last_used_at: datetime = Field(description="To the minute.")
    expires_at: datetime
    address: str | None
    user_agent: str | None
    method: str = Field(description="How its owner signed in: password, ldap or saml.")
    factor: str | None = Field(description="The second factor that was given: totp, recovery_code or none.")


class BrowserSessions(Answer):
    """The signed-in browsers of the caller, at most 200, the last used first."""

    items: list[BrowserSession]


@router.get("", response_model=BrowserSessions)
def list_own(request: Request, _caller: Owner, session: SystemSession) -> Response:
    """List one's own signed-in browsers."""
    own = _visit(request).session
    rows = list_sessions(session, own.user_id)
    return json({"items": [{**row._asdict(), "current": row.id == own.id} for row in rows]})


@router.delete("", status_code=204)
def end_others(request: Request, caller: Owner, session: SystemSession, now: Now) -> None:
    """Sign out everywhere but here."""
    web_sessions.end_others(session, caller, _visit(request).session, now=now)


@router.delete("/{session_id}", status_code=204)
def end(request: Request, caller: Owner, session: SystemSession, now: Now, session_id: int) -> None:
    """Sign one of one's browsers out."""
    if not web_sessions.end_one(session, _visit(request).session.user_id, session_id):
        raise NotFound("There is no such session of yours.", hint="It may have ended by itself.")
    record(session, caller, "session.ended", f"session:{session_id}", now=now)


def _visit(request: Request) -> Visit:
    visit = visit_of(request)
    if visit is None:
        raise Forbidden("An API key has no browsers that are signed in.", hint="Sign in with a browser.")
    return visit
