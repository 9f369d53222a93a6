"""One's own account: password, and the browsers that are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import Permission
from sentrikat.identity import accounts, passwords, second_factor, throttle, web_sessions
from sentrikat.identity.access import Visit
from sentrikat.identity.queries import list_sessions
from sentrikat.web.context import Form, HashingTurn, Now, database_of, requires, settings_of
from sentrikat.web.new_password import hashed_if_good, words_about
from sentrikat.web.personal_file import personal_file
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other, with_session

router = APIRouter(prefix="/profile")
Owner = Annotated[Visit, requires(Permission.PROFILE)]

SAVED = {
    "password": "The password was changed. Every other browser was signed out.",
    "factor": "The second factor is set up. Every other browser was signed out.",
    "factor-removed": "The second factor was removed. Every other browser was signed out.",
    "session": "The browser was signed out.",
    "sessions": "Every other browser was signed out.",
}


@router.get("")
def show(request: Request, visit: Owner, now: Now, saved: str = "") -> Response:
    """Show the account."""
    with database_of(request).as_system() as session:
        return _page(request, session, visit, now, saved=saved)


@router.get("/data")
def download(request: Request, visit: Owner) -> Response:
    """Give everything kept about oneself, as a file."""
    return personal_file(request, visit.session.user_id, [one.id for one in visit.organizations])


@router.post("/password")
def change_password(request: Request, visit: Owner, now: Now, form: Form, _turn: HashingTurn) -> Response:
    """Change the password, given the present one; every other browser is signed out."""
    database, login = database_of(request), visit.session.login
    current, new = form.get("current_password", ""), form.get("new_password", "")
    with database.as_system() as session:
        # Guessing here is guessing as at the door: it counts the same.
        if throttle.count_attempt(session, login, None, now):
            raise Conflict(
                "The password was not changed: too many attempts failed.",
                hint="Try again in a quarter of an hour.",
            )
        held = accounts.get_account(session, login).password_hash
        words = words_about(session, visit.session.user_id)
    try:
        if not passwords.is_right(current, held):
            raise InvalidInput(
                "The password was not changed.",
                fields={"current_password": "This is not the present password."},
            )
        hashed = hashed_if_good(request, new, login=login, words=words, present=held)
    except InvalidInput as error:
        if "current_password" not in error.fields:
            with database.as_system() as session:
                throttle.forget(session, login, None)
        with database.as_system() as session:
            return _page(request, session, visit, now, wrong=error.fields, status=422)
    with database.as_system() as session:
        throttle.forget(session, login, None)
        accounts.change_password(
            session,
            visit.caller,
            accounts.get_account(session, login),
            new_password_hash=hashed,
            but_session=visit.session.id,
            now=now,
        )
        token = web_sessions.rotate(session, visit.session.id)
    return with_session(request, see_other("/profile?saved=password"), token)


@router.post("/sessions/{session_id}/end")
def end_session(request: Request, visit: Owner, now: Now, session_id: int, _form: Form) -> Response:
    """Sign one of one's browsers out."""
    with database_of(request).as_system() as session:
        if not web_sessions.end_one(session, visit.session.user_id, session_id):
            raise NotFound("There is no such session of yours.", hint="It may have ended by itself.")
        record(session, visit.caller, "session.ended", f"session:{session_id}", now=now)
    return see_other("/profile?saved=session")


@router.post("/sessions/end-others")
def end_other_sessions(request: Request, visit: Owner, now: Now, _form: Form) -> Response:
    """Sign out everywhere but here."""
    with database_of(request).as_system() as session:
        web_sessions.end_others(session, visit.caller, visit.session, now=now)
    return see_other("/profile?saved=sessions")


def _page(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    *,
    saved: str = "",
    wrong: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    return render(
        request,
        "profile.html",
        visit=visit,
        now=now,
        status=status,
        saved=SAVED.get(saved),
        wrong=wrong or {},
        own_password=visit.session.method == "password",
        has_factor=second_factor.is_set_up(session, visit.session.user_id),
        codes_left=second_factor.codes_left(session, visit.session.user_id),
        may_set_up=settings_of(request).second_factor_of != "off",
        sessions=list_sessions(session, visit.session.user_id),
        min_length=settings_of(request).password_min_length,
    )
