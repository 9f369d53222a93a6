"""What is asked between the password and the session: a new password, when somebody else has seen this one.

The browser holds the cookie of a half-open sign-in, which opens nothing but these pages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from sentrikat.domain.errors import Forbidden, InvalidInput
from sentrikat.domain.permissions import Caller
from sentrikat.identity import accounts, passwords
from sentrikat.identity.access import NotAuthenticated
from sentrikat.identity.admission import (
    Refused,
    Resumed,
    Step,
    claim,
    finish,
    is_form_of,
    resume,
    rules_of,
)
from sentrikat.web.context import (
    CSRF_FIELD,
    Now,
    cookies_of,
    database_of,
    now_of,
    read_form,
    settings_of,
    text_fields,
)
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import STEPS, enter, see_other

router = APIRouter(prefix="/sign-in")


def half_open(request: Request) -> Resumed:
    """Give the half-open sign-in of the browser; NotAuthenticated leads to the sign-in page."""
    token = request.cookies.get(cookies_of(request).half_open)
    with database_of(request).as_system() as session:
        resumed = resume(session, token, now_of(request))
        if resumed is not None:
            session.expunge(resumed.user)
    if resumed is None:
        _start_again()
    return resumed


HalfOpen = Annotated[Resumed, Depends(half_open)]


def _form_of_half_open(resumed: HalfOpen, form: Annotated[FormData, Depends(read_form)]) -> dict[str, str]:
    if not is_form_of(resumed, str(form.get(CSRF_FIELD, ""))):
        raise Forbidden(
            "You were not signed in: the form did not come from a page of this sign-in.",
            hint="Open the sign-in page and begin again. Nothing was changed.",
            code="csrf",
        )
    return text_fields(form)


Form = Annotated[dict[str, str], Depends(_form_of_half_open)]


@router.get("/new-password")
def show_new_password(request: Request, resumed: HalfOpen, now: Now) -> Response:
    """Ask for a new password."""
    return _elsewhere(resumed, Step.NEW_PASSWORD) or _new_password(request, resumed, now)


@router.post("/new-password")
def set_new_password(request: Request, resumed: HalfOpen, now: Now, form: Form) -> Response:
    """Store the new password and go on."""
    if elsewhere := _elsewhere(resumed, Step.NEW_PASSWORD):
        return elsewhere
    database, settings, user = database_of(request), settings_of(request), resumed.user
    new = form.get("new_password", "")
    try:
        passwords.require_good(new, login=user.login, min_length=settings.password_min_length)
        if passwords.is_right(new, user.password_hash):
            raise InvalidInput(
                "The password was not changed.",
                fields={"new_password": "This is the password that has to be changed."},
            )
        hashed = passwords.hash_password(new)
    except InvalidInput as error:
        return _new_password(request, resumed, now, wrong=error.fields, status=422)
    with database.as_system() as session:
        if not claim(session, resumed):
            _start_again()
        account = accounts.get_account(session, user.login)
        accounts.change_password(
            session,
            Caller(0, f"user:{user.id}", frozenset(), resumed.arrival.address),
            account,
            new_password_hash=hashed,
            but_session=None,
            now=now,
        )
        session.refresh(account)
        outcome = finish(session, account, resumed.proven, rules_of(settings), resumed.arrival, now=now)
    if isinstance(outcome, Refused):
        _start_again()
    return enter(request, outcome)


def _new_password(
    request: Request,
    resumed: Resumed,
    now: datetime,
    *,
    wrong: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    return render(
        request,
        "sign_in_new_password.html",
        visit=None,
        now=now,
        status=status,
        token=resumed.csrf_token,
        login=resumed.user.login,
        wrong=wrong or {},
        min_length=settings_of(request).password_min_length,
    )


def _elsewhere(resumed: Resumed, step: Step) -> Response | None:
    asked = STEPS[resumed.step]
    return None if asked == STEPS[step] else see_other(asked)


def _start_again() -> NoReturn:
    raise NotAuthenticated("Sign in again: this sign-in lay open for too long, or was ended.")
