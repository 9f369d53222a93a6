"""What is asked between the password and the session: the second factor, to set one up, a new password.

The browser holds the cookie of a half-open sign-in, which opens nothing but these pages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from sentrikat.domain.errors import Forbidden, InvalidInput
from sentrikat.domain.permissions import Caller
from sentrikat.identity import accounts, admission, notices, second_factor, throttle
from sentrikat.identity.access import NotAuthenticated
from sentrikat.identity.admission import HalfOpen as LeftOpen
from sentrikat.identity.admission import Refused, Resumed, SignedIn, Step, claim, finish, is_form_of, rules_of
from sentrikat.identity.models import UserAccount
from sentrikat.identity.second_factor import Factor
from sentrikat.web.context import (
    CSRF_FIELD,
    HashingTurn,
    Now,
    cookies_of,
    database_of,
    now_of,
    read_form,
    settings_of,
    text_fields,
    vault_of,
)
from sentrikat.web.new_password import hashed_if_good, words_about
from sentrikat.web.rendering import render
from sentrikat.web.seed import picture_of, spaced
from sentrikat.web.sign_in import STEPS, enter, see_other

router = APIRouter(prefix="/sign-in")


def half_open(request: Request) -> Resumed:
    """Give the half-open sign-in of the browser; NotAuthenticated leads to the sign-in page."""
    token = request.cookies.get(cookies_of(request).half_open)
    with database_of(request).as_system() as session:
        resumed = admission.resume(session, token, rules_of(settings_of(request)), now_of(request))
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


@router.get("/second-factor")
def show_second_factor(request: Request, resumed: HalfOpen, now: Now) -> Response:
    """Ask for the code of the app."""
    return _elsewhere(resumed, Step.SECOND_FACTOR) or _second_factor(request, resumed, now)


@router.post("/second-factor")
def check_second_factor(request: Request, resumed: HalfOpen, now: Now, form: Form) -> Response:
    """Take the code of the app, or a recovery code, and go on."""
    if elsewhere := _elsewhere(resumed, Step.SECOND_FACTOR):
        return elsewhere
    user, address = resumed.user, resumed.arrival.address
    outcome: SignedIn | LeftOpen | None = None
    with database_of(request).as_system() as session:
        blocked = throttle.count_factor_attempt(session, user.id, address, now)
        if blocked is not None:
            notices.tell(session, notices.Kind.LIMIT, user.login, address, once_in=throttle.WINDOW, now=now)
        elif factor := second_factor.accept(session, vault_of(request), user.id, form.get("code", ""), now):
            throttle.forget_factor(session, user.id, address)
            outcome = _go_on(request, session, resumed, now, factor=factor)
        else:
            admission.log_refusal(session, user.login, resumed.arrival, now)
    if outcome is not None:
        return enter(request, outcome)
    if blocked is not None:
        wait = {"Retry-After": str(int(blocked.retry_after.total_seconds()) + 1)}
        return _second_factor(request, resumed, now, wrong=blocked.sentence, status=429, headers=wait)
    wrong = "This code is not right, or was used already."
    return _second_factor(request, resumed, now, wrong=wrong, status=401)


@router.get("/set-up")
def show_set_up(request: Request, resumed: HalfOpen, now: Now) -> Response:
    """Show the seed of a second factor that the installation asks for."""
    return _elsewhere(resumed, Step.ENROLLMENT) or _set_up(request, resumed, now)


@router.post("/set-up")
def confirm_set_up(request: Request, resumed: HalfOpen, now: Now, form: Form) -> Response:
    """Take the app's first code, show the recovery codes, and go on."""
    if elsewhere := _elsewhere(resumed, Step.ENROLLMENT):
        return elsewhere
    with database_of(request).as_system() as session:
        account = _kept(session, resumed)
        seed = admission.pending_seed(session, resumed, vault_of(request))
        codes = second_factor.set_up(
            session,
            Caller(0, f"user:{account.id}", frozenset(), resumed.arrival.address),
            vault_of(request),
            account,
            seed=seed,
            code=form.get("code", ""),
            but_session=None,
            but_half_open=resumed.id,
            now=now,
        )
        outcome = _go_on(request, session, resumed, now, factor=Factor.TOTP) if codes else None
    if codes is None or outcome is None:
        return _set_up(request, resumed, now, wrong=second_factor.WRONG_FIRST_CODE, status=422)
    entered = enter(request, outcome)
    shown = render(
        request,
        "sign_in_codes.html",
        visit=None,
        now=now,
        codes=codes,
        onwards=entered.headers["location"],
    )
    for name, value in entered.headers.items():
        if name == "set-cookie":
            shown.headers.append(name, value)
    return shown


@router.get("/new-password")
def show_new_password(request: Request, resumed: HalfOpen, now: Now) -> Response:
    """Ask for a new password."""
    return _elsewhere(resumed, Step.NEW_PASSWORD) or _new_password(request, resumed, now)


@router.post("/new-password")
def set_new_password(
    request: Request, resumed: HalfOpen, now: Now, form: Form, _turn: HashingTurn
) -> Response:
    """Store the new password and go on."""
    if elsewhere := _elsewhere(resumed, Step.NEW_PASSWORD):
        return elsewhere
    user = resumed.user
    with database_of(request).as_system() as session:
        words = words_about(session, user.id)
    try:
        hashed = hashed_if_good(
            request, form.get("new_password", ""), login=user.login, words=words, present=user.password_hash
        )
    except InvalidInput as error:
        return _new_password(request, resumed, now, wrong=error.fields, status=422)
    with database_of(request).as_system() as session:
        outcome = _go_on(request, session, resumed, now, new_password_hash=hashed)
    return enter(request, outcome)


def _go_on(
    request: Request,
    session: Session,
    resumed: Resumed,
    now: datetime,
    *,
    factor: Factor | None = None,
    new_password_hash: str | None = None,
) -> SignedIn | LeftOpen:
    """Take the half-open sign-in, note what was answered, and ask what is left."""
    account = _kept(session, resumed)
    if not claim(session, resumed):
        _start_again()
    if new_password_hash is not None:
        accounts.change_password(
            session,
            Caller(0, f"user:{account.id}", frozenset(), resumed.arrival.address),
            account,
            new_password_hash=new_password_hash,
            but_session=None,
            now=now,
        )
        session.refresh(account)
    outcome = finish(
        session,
        account,
        resumed.proven.having(factor),
        rules_of(settings_of(request)),
        resumed.arrival,
        now=now,
    )
    if isinstance(outcome, Refused):
        _start_again()
    return outcome


def _kept(session: Session, resumed: Resumed) -> UserAccount:
    """Give the account, held: whoever changes its password meanwhile takes it before its half-open sign-ins too."""
    account = admission.keep(session, resumed.user.id)
    if account is None:
        _start_again()
    return account


def _second_factor(
    request: Request,
    resumed: Resumed,
    now: datetime,
    *,
    wrong: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "sign_in_second_factor.html",
        visit=None,
        now=now,
        status=status,
        headers=headers,
        token=resumed.csrf_token,
        login=resumed.user.login,
        wrong=wrong,
    )


def _set_up(
    request: Request, resumed: Resumed, now: datetime, *, wrong: str | None = None, status: int = 200
) -> Response:
    with database_of(request).as_system() as session:
        seed = admission.pending_seed(session, resumed, vault_of(request))
    return render(
        request,
        "sign_in_set_up.html",
        visit=None,
        now=now,
        status=status,
        token=resumed.csrf_token,
        login=resumed.user.login,
        picture=picture_of(request, seed, resumed.user.login),
        seed=spaced(seed),
        wrong=wrong,
    )


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
    return None if resumed.step is step else see_other(STEPS[resumed.step])


def _start_again() -> NoReturn:
    raise NotAuthenticated("Sign in again: this sign-in lay open for too long, or was ended.")
