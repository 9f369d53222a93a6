"""Accounts of the installation: list, make, and what can be done about one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput, SentriKatError
from sentrikat.domain.permissions import ROLE_WORDS, Permission
from sentrikat.identity import accounts, passwords, personal_data, second_factor
from sentrikat.identity.access import Visit
from sentrikat.identity.custom_roles import find_role
from sentrikat.identity.notices import recent
from sentrikat.identity.organizations import chosen_organization
from sentrikat.identity.queries import (
    MOST_CHOICES,
    PAGE,
    list_accounts,
    list_organizations,
    list_sessions,
    organizations_of,
)
from sentrikat.web import cursors
from sentrikat.web.context import Form, HashingTurn, Now, SystemSession, database_of, requires
from sentrikat.web.errors import status_of_form
from sentrikat.web.personal_file import personal_file
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/users")
Reader = Annotated[Visit, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


@router.get("")
def show(
    request: Request, visit: Reader, session: SystemSession, now: Now, cursor: str | None = None
) -> Response:
    """List the accounts."""
    return _list(request, session, visit, now, cursor=cursor)


@router.post("")
def create(request: Request, visit: Manager, now: Now, form: Form, _turn: HashingTurn) -> Response:
    """Make an account and show its one-time password."""
    password = passwords.random_password()
    database = database_of(request)
    try:
        with database.as_system() as session:
            user = accounts.create_account(
                session,
                visit.caller,
                login=form.get("login", ""),
                display_name=form.get("display_name", ""),
                password=password,
                must_change_password=True,
                now=now,
            )
    except (InvalidInput, Conflict) as error:
        with database.as_system() as session:
            return _list(request, session, visit, now, error=error, form=form)
    with database.as_system() as session:
        return _one(request, session, visit, now, user.id, password=password)


@router.get("/{user_id}")
def show_one(request: Request, visit: Reader, session: SystemSession, now: Now, user_id: int) -> Response:
    """Show an account: where it is a member, where it is signed in, and what can be done."""
    return _one(request, session, visit, now, user_id)


@router.post("/{user_id}/password")
def reset_password(
    request: Request, visit: Manager, now: Now, user_id: int, _form: Form, _turn: HashingTurn
) -> Response:
    """Give an account a one-time password and show it, this once."""
    database, password = database_of(request), passwords.random_password()
    with database.as_system() as session:
        user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
        accounts.require_resettable(visit.caller, user)
    hashed = passwords.hash_password(password)  # a quarter of a second, in which no transaction waits
    with database.as_system() as session:
        user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
        accounts.reset_password(session, visit.caller, user, new_password_hash=hashed, now=now)
    with database.as_system() as session:
        return _one(request, session, visit, now, user_id, password=password)


@router.post("/{user_id}/sign-out")
def end_sessions(visit: Manager, session: SystemSession, now: Now, user_id: int, _form: Form) -> Response:
    """Sign an account out everywhere."""
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    accounts.end_sessions(session, visit.caller, user, now=now)
    return see_other(f"/users/{user_id}")


@router.post("/{user_id}/second-factor")
def reset_second_factor(
    visit: Manager, session: SystemSession, now: Now, user_id: int, _form: Form
) -> Response:
    """Take a lost second factor away."""
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    second_factor.reset(session, visit.caller, user, now=now)
    return see_other(f"/users/{user_id}")


@router.post("/{user_id}/disabled")
def turn_off(visit: Manager, session: SystemSession, now: Now, user_id: int, form: Form) -> Response:
    """Disable an account, or let it sign in again."""
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    turn = accounts.disable_account if _yes(form) else accounts.enable_account
    turn(session, visit.caller, user, now=now)
    return see_other(f"/users/{user_id}")


@router.get("/{user_id}/data")
def download(request: Request, visit: Manager, user_id: int) -> Response:
    """Give everything kept about a person, as a file."""
    with database_of(request).as_system() as session:
        accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    return personal_file(request, user_id, None)


@router.post("/{user_id}/erase")
def erase(visit: Manager, session: SystemSession, now: Now, user_id: int, form: Form) -> Response:
    """Take the person out of an account; the login name, typed, says that it is meant."""
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    if accounts.normal_login(form.get("login", "")) != user.login:
        raise InvalidInput(
            f"Nothing was erased: the name typed is not “{user.login}”.",
            hint="Type the login name of the account to erase it. Nothing was changed.",
            fields={"login": "Type the login name."},
        )
    personal_data.erase(session, visit.caller, user, now=now)
    return see_other(f"/users/{user_id}")


@router.post("/{user_id}/installation-admin")
def set_installation_admin(
    visit: Manager, session: SystemSession, now: Now, user_id: int, form: Form
) -> Response:
    """Let an account run the installation, or no longer."""
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    accounts.set_installation_admin(session, visit.caller, user, _yes(form), now=now)
    return see_other(f"/users/{user_id}")


@router.post("/{user_id}/membership")
def set_membership(visit: Manager, session: SystemSession, now: Now, user_id: int, form: Form) -> Response:
    """Make an account a member of an organization, or change what it is there."""
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_MANAGE)
    organization = chosen_organization(session, form.get("organization", ""))
    role = find_role(session, organization.id, form.get("role", ""))
    accounts.set_role(session, visit.caller, user, organization.id, role, now=now)
    return see_other(f"/users/{user_id}")


def _yes(form: dict[str, str]) -> bool:
    if form.get("wanted") not in {"yes", "no"}:
        raise InvalidInput(
            "Nothing was changed: the form is not one of this page.", hint="Open the page again."
        )
    return form["wanted"] == "yes"


def _list(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    *,
    cursor: str | None = None,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    position = cursors.read(cursor, "s")
    rows = list_accounts(session, after=str(position[0]) if position else None, limit=PAGE + 1)
    return render(
        request,
        "users.html",
        visit=visit,
        now=now,
        notices=recent(session, now),
        status=status_of_form(error),
        rows=rows[:PAGE],
        following=cursors.write((rows[PAGE - 1].login,)) if len(rows) > PAGE else None,
        cursor=cursor,
        wrong=error.fields if error is not None else {},
        form=form or {},
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )


def _one(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    user_id: int,
    *,
    password: str | None = None,
) -> Response:
    user = accounts.access_account(session, visit.caller, user_id, Permission.INSTALLATION_READ)
    return render(
        request,
        "user.html",
        visit=visit,
        now=now,
        user=user,
        own=visit.session.user_id == user.id,
        erased=accounts.is_erased(user),
        password=password,
        has_factor=second_factor.is_set_up(session, user.id),
        memberships=organizations_of(session, user.id, installation_admin=False),
        organizations=list_organizations(session, limit=MOST_CHOICES),
        sessions=list_sessions(session, user.id),
        roles=ROLE_WORDS,
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )
