"""What every page asks for: the visit, a permission, a session, a form that carries its token."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData, UploadFile

from sentrikat.domain.errors import Forbidden, InvalidInput
from sentrikat.domain.permissions import Permission
from sentrikat.identity import budgets
from sentrikat.identity.access import NotAuthenticated, Visit, visit_of_cookie
from sentrikat.identity.admission import Arrival, rules_of
from sentrikat.identity.budgets import Budget, TooManyRequests
from sentrikat.identity.sign_in import PasswordSource
from sentrikat.identity.throttle import address_subject
from sentrikat.identity.web_sessions import SessionLimits, is_csrf_token
from sentrikat.infra.clock import Clock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import Vault
from sentrikat.infra.settings import Settings
from sentrikat.infra.turns import Turns

CSRF_FIELD = "csrf_token"


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names of our cookies. With the `__Host-` prefix browsers take them over https only, and from us only."""

    session: str
    visitor: str
    half_open: str  # a sign-in of which something is still asked
    saml: str  # a browser that is at an identity provider
    reset: str  # a mailed link's token, while its page is open

    @classmethod
    def named(cls, *, secure: bool) -> Cookies:
        """Give the names for https or plain http."""
        prefix = "__Host-" if secure else ""
        names = ("session", "visitor", "sign_in", "saml", "reset")
        return cls(*(f"{prefix}sentrikat_{name}" for name in names))


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


def vault_of(request: Request) -> Vault:
    """Give what encrypts secrets."""
    return cast("Callable[[], Vault]", request.app.state.vault)()


def password_sources_of(request: Request) -> Sequence[PasswordSource]:
    """Give the directories that are asked for a password, in their order."""
    sources = cast("Callable[[str | None], Sequence[PasswordSource]]", request.app.state.password_sources)
    return sources(address_of(request))


def pepper_of(request: Request) -> bytes:
    """Give what secrets of keys are hashed with."""
    return cast("bytes", request.app.state.pepper())


def cookies_of(request: Request) -> Cookies:
    """Give the names of our cookies."""
    return Cookies.named(secure=settings_of(request).secure_cookies)


def address_of(request: Request) -> str | None:
    """Give the address the request came from."""
    return request.client.host if request.client is not None else None


def own_address(request: Request) -> str:
    """Give the address of this server for people to copy: the one it was told, before what the request says."""
    return settings_of(request).public_url or str(request.base_url).rstrip("/")


def arrival_of(request: Request, next_path: str = "/") -> Arrival:
    """Give where a sign-in comes from."""
    return Arrival(address_of(request), request.headers.get("User-Agent"), next_path)


def limits_of(settings: Settings) -> SessionLimits:
    """Give how long sessions live."""
    return SessionLimits(
        timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_lifetime_hours)
    )


def turns_to_hash(request: Request) -> Turns:
    """Give what lets few requests at once hash a password."""
    return cast("Turns", request.app.state.hashing)


def turns_to_ask(request: Request) -> Turns:
    """Give what lets few requests at once ask directories, which may take long to answer."""
    return cast("Turns", request.app.state.asking)


async def turn_to_hash(request: Request) -> AsyncIterator[None]:
    """Wait, without a thread, until it is this request's turn to hash a password."""
    async with turns_to_hash(request).one():
        yield


HashingTurn = Annotated[None, Depends(turn_to_hash, scope="function")]
"""For requests that hash a password: few at once, so that they leave threads for all others."""


def find_visit(request: Request) -> Visit | None:
    """Give the visit of the request's cookie, if somebody is signed in with it."""
    token = request.cookies.get(cookies_of(request).session)
    if token is None:
        return None
    with database_of(request).as_system() as session:
        visit = visit_of_cookie(
            session,
            token,
            limits_of(settings_of(request)),
            address=address_of(request),
            now=now_of(request),
        )
    request.state.visit = visit
    return visit


def signed_in(request: Request) -> Visit:
    """Give the visit; NotAuthenticated leads to the sign-in page and back."""
    visit = find_visit(request)
    if visit is None:
        raise NotAuthenticated("Sign in to see this page.")
    return visit


def requires(permission: Permission, *, step_up: bool = False) -> Any:
    """Declare what a page asks of its visitor; the guard test reads it.

    `step_up`: they must have proven who they are within the last minutes, or do it now.
    """

    def permitted(request: Request, visit: Annotated[Visit, Depends(signed_in)]) -> Visit:
        visit.caller.require(permission)
        if step_up:
            if permission is not Permission.PROFILE:  # where a second factor is set up
                visit.require_factor(rules_of(settings_of(request)))
            visit.require_fresh(settings_of(request).step_up_minutes, now_of(request))
        return visit

    permitted.permission = permission  # type: ignore[attr-defined]  # read by the guard test
    permitted.step_up = step_up  # type: ignore[attr-defined]
    return Depends(permitted)


def _tenant_session(request: Request, visit: Annotated[Visit, Depends(signed_in)]) -> Iterator[Session]:
    with database_of(request).as_organization(visit.caller.organization_id) as session:
        yield session


def _system_session(request: Request, _visit: Annotated[Visit, Depends(signed_in)]) -> Iterator[Session]:
    with database_of(request).as_system() as session:
        yield session


TenantSession = Annotated[Session, Depends(_tenant_session, scope="function")]
SystemSession = Annotated[Session, Depends(_system_session, scope="function")]
"""For the few changes of an organization that store public knowledge as well: every statement names whose rows it means."""
Now = Annotated[datetime, Depends(now_of)]


async def read_form(request: Request) -> FormData:
    """Read a form of plain fields; our pages send no files, but for the one of `FormWithFile`."""
    form = await request.form(max_files=0, max_fields=100)
    if any(not isinstance(value, str) for value in form.values()):
        raise InvalidInput("The form was not accepted: it holds a file.", hint="Nothing was changed.")
    return form


def _form_of_visit(
    request: Request,
    visit: Annotated[Visit, Depends(signed_in)],
    form: Annotated[FormData, Depends(read_form)],
) -> dict[str, str]:
    return _checked(request, visit, form)


async def _form_with_file(
    request: Request, visit: Annotated[Visit, Depends(signed_in)]
) -> tuple[dict[str, str], bytes]:
    async with request.form(max_files=1, max_fields=100) as form:
        fields = _checked(request, visit, form)
        file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
        return fields, await file.read() if file is not None else b""


def _checked(request: Request, visit: Visit, form: FormData) -> dict[str, str]:
    given = form.get(CSRF_FIELD) or request.headers.get("X-CSRF-Token")
    if not is_csrf_token(visit.session, str(given) if given is not None else None):
        raise Forbidden(
            "Nothing was changed: the form did not come from a page of this session.",
            hint="Open the page again and repeat the change.",
            code="csrf",
        )
    return text_fields(form)


Form = Annotated[dict[str, str], Depends(_form_of_visit)]
"""The fields of a form that carried the session's token."""


FormWithFile = Annotated[tuple[dict[str, str], bytes], Depends(_form_with_file)]
"""The same of a form that may bring one file, and that file; no larger than a request may be."""


def text_fields(form: FormData) -> dict[str, str]:
    """Give the fields, several of one name joined by spaces."""
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if name != CSRF_FIELD and isinstance(value, str):
            fields[name] = f"{fields[name]} {value}" if name in fields else value
    return fields


def new_visitor_token() -> str:
    """Make the token that ties the sign-in form to this browser before anybody is signed in."""
    return secrets.token_urlsafe(32)


def _form_of_visitor(request: Request, form: Annotated[FormData, Depends(read_form)]) -> dict[str, str]:
    count_sign_in(request)
    cookie = request.cookies.get(cookies_of(request).visitor, "")
    given = str(form.get(CSRF_FIELD, ""))
    if not cookie or not hmac.compare_digest(cookie.encode(), given.encode()) or not is_same_site(request):
        raise Forbidden(
            "You were not signed in: the form did not come from our sign-in page, or lay open for too long.",
            hint="Open the sign-in page again. Cookies must be allowed for this address.",
            code="csrf",
        )
    return text_fields(form)


def count_sign_in(request: Request) -> None:
    """Count what somebody who is not signed in sent; TooManyRequests beyond the budget of its address."""
    settings = settings_of(request)
    budget = Budget(settings.rate_limit_sign_in_per_hour, settings.rate_limit_sign_in_per_day)
    client = f"sign-in:{address_subject(address_of(request) or 'unknown')}"
    with database_of(request).as_system() as session:
        taken = budgets.take(session, client, budget, now_of(request))
    if taken is not None and not taken.allowed:
        raise TooManyRequests(taken)


VisitorForm = Annotated[dict[str, str], Depends(_form_of_visitor)]
"""The fields of a form that carried the browser's own token, for people who are not signed in yet."""


def is_same_site(request: Request) -> bool:
    """Say whether the browser says that the request comes from our own pages; silence is believed."""
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    public = settings_of(request).public_url
    own = urlsplit(public).netloc if public is not None else request.headers.get("Host", "")
    return urlsplit(origin).netloc == own
