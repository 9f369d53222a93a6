"""What every route asks for: the caller, a permission, a session of the caller's organization."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Forbidden
from sentrikat.domain.permissions import AGENT_SCOPES, Caller, Permission
from sentrikat.identity import api_keys, budgets
from sentrikat.identity.access import NotAuthenticated, Visit, visit_of_cookie
from sentrikat.identity.admission import rules_of
from sentrikat.identity.budgets import Budget, TooManyRequests
from sentrikat.identity.throttle import address_subject
from sentrikat.identity.web_sessions import SessionLimits, is_csrf_token
from sentrikat.infra.clock import Clock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.infra.turns import Turns

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"


def database_of(request: Request) -> Database:
    """Give the way to data."""
    return cast("Database", request.app.state.database)


def exporting_of(request: Request) -> Database:
    """Give the way to data for an answer of any length, which may be taken slowly."""
    return cast("Database", request.app.state.exporting)


def settings_of(request: Request) -> Settings:
    """Give the settings."""
    return cast("Settings", request.app.state.settings)


def now_of(request: Request) -> datetime:
    """Give the present moment."""
    return cast("Clock", request.app.state.clock).now()


def pepper_of(request: Request) -> bytes:
    """Give what secrets of keys are hashed with."""
    return cast("bytes", request.app.state.pepper())


def authenticate(request: Request) -> Caller:
    """Give the caller of an API key or of a browser's session; NotAuthenticated if there is none.

    A session cookie is sent by the browser without anybody's wish, so what changes something needs the
    session's token in a header as well: a foreign site can neither read nor set it.
    """
    address = request.client.host if request.client is not None else None
    now, settings = now_of(request), settings_of(request)
    with database_of(request).as_system() as session:
        found = _identify(request, session, address, now)
        # Counted in the transaction that found out who it is, and before anything is refused: a program that
        # guesses keys uses up the budget of its address, not that of the key's owner.
        taken = budgets.take(session, *_client(found, address, settings), now)
    if taken is not None:
        request.state.rate_limit = taken.headers
        if not taken.allowed:
            raise TooManyRequests(taken)
    if isinstance(found, NotAuthenticated):
        raise found
    if isinstance(found, Caller):
        return found
    visit = found
    if request.method not in SAFE_METHODS and not is_csrf_token(
        visit.session, request.headers.get(CSRF_HEADER)
    ):
        raise Forbidden(
            f"The request was refused: a browser session must send the header {CSRF_HEADER} to change something.",
            hint="Its value is csrf_token of GET /api/v1/me. Programs should use an API key instead. "
            "Nothing was changed.",
            code="csrf",
        )
    request.state.visit = visit
    return visit.caller


def _identify(
    request: Request, session: Session, address: str | None, now: datetime
) -> Caller | Visit | NotAuthenticated:
    given = _given_key(request)
    if isinstance(given, NotAuthenticated):
        return given
    if given is not None:
        found = api_keys.caller_of_key(session, given, pepper=pepper_of(request), address=address, now=now)
        if isinstance(found, Caller):
            return found
        return NotAuthenticated(found.sentence, hint=found.hint, code=found.code)
    settings = settings_of(request)
    limits = SessionLimits(
        timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_lifetime_hours)
    )
    cookie = request.cookies.get(request.app.state.session_cookie)
    visit = visit_of_cookie(session, cookie, limits, address=address, now=now)
    if visit is not None:
        return visit
    if cookie is not None:
        return NotAuthenticated("The session has ended.", hint="Sign in again.", code="session_ended")
    return NotAuthenticated(
        "This needs an API key or a signed-in session, and the request brought neither.",
        hint="Send the key as “Authorization: Bearer sk_…”; keys are made under API keys.",
        code="key_missing",
    )


def _client(
    found: Caller | Visit | NotAuthenticated, address: str | None, settings: Settings
) -> tuple[str, Budget]:
    """Give whose budget a request is counted in."""
    programs = Budget(settings.rate_limit_api_per_hour, settings.rate_limit_api_per_day)
    if isinstance(found, NotAuthenticated):
        return f"api:{address_subject(address or 'unknown')}", programs
    caller = found.caller if isinstance(found, Visit) else found
    if caller.permissions <= AGENT_SCOPES:
        agents = Budget(settings.rate_limit_agents_per_hour, settings.rate_limit_agents_per_day)
        return f"agents:{caller.actor}", agents
    return f"api:{caller.actor}", programs


async def turn_to_hash(request: Request) -> AsyncIterator[None]:
    """Wait, without a thread, until it is this request's turn to hash a password."""
    async with cast("Turns", request.app.state.hashing).one():
        yield


HashingTurn = Annotated[None, Depends(turn_to_hash, scope="function")]
"""For requests that hash a password: few at once, so that they leave threads for all others."""


def visit_of(request: Request) -> Visit | None:
    """Give the browser visit behind the request, if it is one and not a key's."""
    return cast("Visit | None", getattr(request.state, "visit", None))


def requires(permission: Permission, *, step_up: bool = False) -> Any:
    """Declare what a route asks of its caller; the guard test and the API description read it.

    `step_up`: a browser's session must have proven within the last minutes whose it is. A key has nobody to ask.
    """

    def permitted(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
        caller.require(permission)
        visit = visit_of(request)
        if step_up and visit is not None:
            if permission is not Permission.PROFILE:
                visit.require_factor(rules_of(settings_of(request)))
            visit.require_fresh(settings_of(request).step_up_minutes, now_of(request))
        return caller

    permitted.permission = permission  # type: ignore[attr-defined]  # read by `permission_of`
    permitted.step_up = step_up  # type: ignore[attr-defined]
    return Depends(permitted)


def permission_of(dependency: Callable[..., Any] | None) -> Permission | None:
    """Give the permission that a dependency made by `requires` asks for."""
    return cast("Permission | None", getattr(dependency, "permission", None))


def asks_step_up(dependency: Callable[..., Any] | None) -> bool:
    """Say whether a dependency made by `requires` asks for a recent proof of identity."""
    return bool(getattr(dependency, "step_up", False))


def _tenant_session(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> Iterator[Session]:
    with database_of(request).as_organization(caller.organization_id) as session:
        yield session


def _system_session(request: Request, _caller: Annotated[Caller, Depends(authenticate)]) -> Iterator[Session]:
    with database_of(request).as_system() as session:
        yield session


# "function": committed before the answer is sent, so nobody is told of a change that then fails.
TenantSession = Annotated[Session, Depends(_tenant_session, scope="function")]
SystemSession = Annotated[Session, Depends(_system_session, scope="function")]
"""For the few changes of an organization that store public knowledge as well: every statement names whose rows it means."""
Now = Annotated[datetime, Depends(now_of)]


def _given_key(request: Request) -> str | NotAuthenticated | None:
    header = request.headers.get("X-API-Key")
    if header is not None:
        return header.strip()
    authorization = request.headers.get("Authorization")
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return NotAuthenticated(
            f"The request was not let in: “{scheme[:20]}” is no way to sign in here.",
            hint="Send the key as “Authorization: Bearer sk_…”.",
            code="key_malformed",
        )
    return value.strip()
