"""Prove again that it is you, before something sensitive: by password, second factor, or the own provider.

Whoever signed in with a password is asked for it where it is known: here, or in the directory that vouched
for them. The provider of a SAML session is asked by a link (`app.state.confirm_elsewhere`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Unavailable
from sentrikat.domain.permissions import Permission
from sentrikat.identity import accounts, notices, passwords, second_factor, throttle, web_sessions
from sentrikat.identity.access import Visit
from sentrikat.web.context import (
    Form,
    Now,
    database_of,
    password_sources_of,
    requires,
    settings_of,
    turns_to_ask,
    turns_to_hash,
    vault_of,
)
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import own_path, see_other, with_session

router = APIRouter(prefix="/confirm")
Owner = Annotated[Visit, requires(Permission.PROFILE)]


@router.get("")
def show(request: Request, visit: Owner, now: Now, next: str = "/") -> Response:  # noqa: A002
    """Ask for the password or a code."""
    return _page(request, visit, now, own_path(next))


@router.post("")
async def confirm(request: Request, visit: Owner, now: Now, form: Form) -> Response:
    """Take either, note the moment, and go back under a new cookie."""
    of_directory = visit.session.method == "ldap"
    async with (turns_to_ask(request) if of_directory else turns_to_hash(request)).one():
        return await run_in_threadpool(_confirm, request, visit, now, form)


def _confirm(request: Request, visit: Visit, now: datetime, form: dict[str, str]) -> Response:
    own, back = visit.session, own_path(form.get("next", "/"))
    password, code = form.get("password", ""), form.get("code", "")
    database = database_of(request)
    with database.as_system() as session:
        blocked = throttle.count_attempt(session, own.login, visit.caller.address, now) or (
            throttle.count_factor_attempt(session, own.user_id, None, now) if code else None
        )
        if blocked is not None:
            notices.tell(
                session,
                notices.Kind.LIMIT,
                own.login,
                visit.caller.address,
                once_in=throttle.WINDOW,
                now=now,
            )
        held = accounts.get_account(session, own.login).password_hash
    if blocked is not None:
        return _page(request, visit, now, back, wrong=blocked.sentence, status=429)
    right = bool(password) and _is_own(request, visit, password, held)
    with database.as_system() as session:
        by_code, factor = not right and bool(code), None
        if by_code:
            factor = second_factor.accept(session, vault_of(request), own.user_id, code, now)
            right = factor is not None
        if right:
            throttle.forget(session, own.login, visit.caller.address)
            if by_code:  # a right password says nothing of a code beside it
                throttle.forget_factor(session, own.user_id, None)
            token = web_sessions.confirm(session, own.id, now, factor=factor)
            record(session, visit.caller, "session.confirmed", visit.caller.actor, now=now)
        else:
            record(session, visit.caller, "session.not_confirmed", visit.caller.actor, now=now)
    if not right:
        return _page(request, visit, now, back, wrong="This is not right.", status=401)
    return with_session(request, see_other(back), token)


def _is_own(request: Request, visit: Visit, password: str, held: str | None) -> bool:
    if visit.session.method == "password":
        return passwords.is_right(password, held)
    if visit.session.method != "ldap":
        return False
    for source in password_sources_of(request):
        try:
            proven = source(visit.session.login, password)
        except Unavailable:
            continue  # it stays unproven, and the page says so
        if proven is not None:
            return proven.user_id == visit.session.user_id
    return False


def _page(
    request: Request,
    visit: Visit,
    now: datetime,
    back: str,
    *,
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    with database_of(request).as_system() as session:
        has_factor = second_factor.is_set_up(session, visit.session.user_id)
    return render(
        request,
        "confirm.html",
        visit=visit,
        now=now,
        status=status,
        next=back,
        wrong=wrong,
        has_factor=has_factor,
        knows_password=visit.session.method in {"password", "ldap"},
        elsewhere=request.app.state.confirm_elsewhere(visit.session, back),
        minutes=settings_of(request).step_up_minutes,
    )
