"""Set up, renew and remove one's own second factor."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response

from sentrikat.domain.errors import Conflict
from sentrikat.domain.permissions import Permission
from sentrikat.identity import second_factor, throttle, web_sessions
from sentrikat.identity.access import Visit
from sentrikat.identity.models import UserAccount
from sentrikat.web.context import Form, Now, database_of, requires, settings_of, vault_of
from sentrikat.web.rendering import render
from sentrikat.web.seed import picture_of, spaced
from sentrikat.web.sign_in import see_other, with_session

router = APIRouter(prefix="/profile/second-factor")
Owner = Annotated[Visit, requires(Permission.PROFILE)]
Changer = Annotated[Visit, requires(Permission.PROFILE, step_up=True)]


@router.get("")
def show(request: Request, visit: Owner, now: Now) -> Response:
    """Show whether there is one; while one is set up, its picture."""
    return _page(request, visit, now)


@router.post("/begin")
def begin(request: Request, visit: Changer, _form: Form) -> Response:
    """Make a seed for this browser to show."""
    if settings_of(request).second_factor_of == "off":
        raise Conflict(
            "No second factor was set up: this installation has them switched off.",
            hint="SENTRIKAT_SECOND_FACTOR decides. Nothing was changed.",
        )
    with database_of(request).as_system() as session:
        if second_factor.is_set_up(session, visit.session.user_id):
            raise Conflict(
                "No second factor was set up: your account has one.",
                hint="Remove it first. Nothing was changed.",
            )
        web_sessions.keep_seed(session, visit.session.id, vault_of(request), second_factor.new_seed())
    return see_other("/profile/second-factor")


@router.post("/set-up")
def set_up(request: Request, visit: Changer, now: Now, form: Form) -> Response:
    """Take the app's first code and show the recovery codes, this once."""
    vault, own = vault_of(request), visit.session
    with database_of(request).as_system() as session:
        blocked = throttle.count_factor_attempt(session, own.user_id, None, now)
        seed = web_sessions.pending_seed(session, own.id, vault)
        codes = None
        if seed is not None and blocked is None:
            codes = second_factor.set_up(
                session,
                visit.caller,
                vault,
                session.get_one(UserAccount, own.user_id),
                seed=seed,
                code=form.get("code", ""),
                but_session=own.id,
                now=now,
            )
        if codes is not None:
            throttle.forget_factor(session, own.user_id, None)
            web_sessions.keep_seed(session, own.id, vault, None)
            web_sessions.note_factor(session, own.id, second_factor.Factor.TOTP)
            token = web_sessions.rotate(session, own.id)
    if codes is None:
        wrong = blocked.sentence if blocked is not None else second_factor.WRONG_FIRST_CODE
        return _page(request, visit, now, wrong=wrong, status=429 if blocked is not None else 422)
    return with_session(request, _page(request, visit, now, codes=codes), token)


@router.post("/codes")
def renew_codes(request: Request, visit: Changer, now: Now, _form: Form) -> Response:
    """Make new recovery codes and show them, this once."""
    with database_of(request).as_system() as session:
        codes = second_factor.renew_codes(
            session, visit.caller, session.get_one(UserAccount, visit.session.user_id), now=now
        )
    return _page(request, visit, now, codes=codes)


@router.post("/remove")
def remove(request: Request, visit: Changer, now: Now, _form: Form) -> Response:
    """Take the factor away; where one is required, the next sign-in asks for a new one."""
    with database_of(request).as_system() as session:
        second_factor.remove(
            session,
            visit.caller,
            session.get_one(UserAccount, visit.session.user_id),
            but_session=visit.session.id,
            now=now,
        )
        web_sessions.note_factor(session, visit.session.id, None)
        token = web_sessions.rotate(session, visit.session.id)
    return with_session(request, see_other("/profile?saved=factor-removed"), token)


def _page(
    request: Request,
    visit: Visit,
    now: datetime,
    *,
    wrong: str | None = None,
    codes: list[str] | None = None,
    status: int = 200,
) -> Response:
    with database_of(request).as_system() as session:
        has_factor = second_factor.is_set_up(session, visit.session.user_id)
        seed = (
            web_sessions.pending_seed(session, visit.session.id, vault_of(request))
            if not has_factor
            else None
        )
        left = second_factor.codes_left(session, visit.session.user_id)
    return render(
        request,
        "second_factor.html",
        visit=visit,
        now=now,
        status=status,
        has_factor=has_factor,
        seed=spaced(seed) if seed else None,
        picture=picture_of(request, seed, visit.session.login) if seed else None,
        codes=codes,
        left=left,
        wrong=wrong,
        rule=settings_of(request).second_factor_of,
    )
