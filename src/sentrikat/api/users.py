"""Accounts of the installation, for those who run it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import (
    HashingTurn,
    Now,
    SystemSession,
    database_of,
    exporting_of,
    requires,
    visit_of,
)
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import Forbidden, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import accounts, passwords, personal_data, second_factor
from sentrikat.identity.models import UserAccount
from sentrikat.identity.queries import list_accounts
from sentrikat.infra.streams import Streamed

router = APIRouter(prefix="/users", tags=["users"])
own_router = APIRouter(prefix="/me", tags=["me"])
Reader = Annotated[Caller, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Caller, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


class User(Answer):
    """An account."""

    id: int
    login: str
    display_name: str
    installation_admin: bool
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    must_change_password: bool
    organizations: int = Field(description="How many it is a member of.")
    sessions: int = Field(description="Signed-in browsers.")


class Users(Answer):
    """A page of accounts, in order of their login names."""

    items: list[User]
    next_cursor: str | None


class NewUser(BaseModel):
    """An account to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    login: str = Field(min_length=1, max_length=100)
    display_name: str = Field(default="", max_length=200)
    installation_admin: bool = False


class UserChange(BaseModel):
    """What is to become of an account; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    disabled: bool | None = None
    installation_admin: bool | None = None


class OneTimePassword(Answer):
    """A password that opens the door once, to choose another one; shown only here."""

    id: int
    login: str
    password: str


@router.get("", response_model=Users)
def list_all(_caller: Reader, session: SystemSession, params: Annotated[PageParams, Query()]) -> Response:
    """List every account of the installation."""
    position = decode_cursor("users", params.cursor, "s")
    rows = list_accounts(session, after=str(position[0]) if position else None, limit=params.limit + 1)
    shown = rows[: params.limit]
    following = (shown[-1].login,) if len(rows) > params.limit else None
    return page([row._asdict() for row in shown], encode_cursor("users", following))


@router.post("", status_code=201, response_model=OneTimePassword)
def create(request: Request, caller: Manager, now: Now, wanted: NewUser, _turn: HashingTurn) -> Response:
    """Make an account with a one-time password. It is a member of no organization yet."""
    password = passwords.random_password()
    with database_of(request).as_system() as session:
        user = accounts.create_account(
            session,
            caller,
            login=wanted.login,
            display_name=wanted.display_name,
            password=password,
            installation_admin=wanted.installation_admin,
            must_change_password=True,
            now=now,
        )
    return json({"id": user.id, "login": user.login, "password": password}, status=201)


@router.patch("/{user_id}", status_code=204)
def change(caller: Manager, session: SystemSession, now: Now, user_id: int, wanted: UserChange) -> None:
    """Disable or enable an account, let it run the installation or no longer."""
    if wanted.disabled is None and wanted.installation_admin is None:
        raise InvalidInput(
            "The account was not changed: neither disabled nor installation_admin was given.",
            hint="Nothing was changed.",
            fields={"body": "disabled or installation_admin"},
        )
    user = accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
    if wanted.installation_admin is not None:
        accounts.set_installation_admin(session, caller, user, wanted.installation_admin, now=now)
    if wanted.disabled is not None:
        turn = accounts.disable_account if wanted.disabled else accounts.enable_account
        turn(session, caller, user, now=now)


@router.post("/{user_id}/password", status_code=201, response_model=OneTimePassword)
def reset_password(request: Request, caller: Manager, now: Now, user_id: int, _turn: HashingTurn) -> Response:
    """Give an account a one-time password and end its sessions."""
    database, password = database_of(request), passwords.random_password()
    with database.as_system() as session:
        user = accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
        accounts.require_resettable(caller, user)
    hashed = passwords.hash_password(password)  # a quarter of a second, in which no transaction waits
    with database.as_system() as session:
        user = accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
        accounts.reset_password(session, caller, user, new_password_hash=hashed, now=now)
    return json({"id": user.id, "login": user.login, "password": password}, status=201)


@router.get("/{user_id}/data", response_class=StreamingResponse)
def data(request: Request, caller: Manager, user_id: int) -> Response:
    """Give everything kept about a person as one JSON document: account, roles, sessions, tokens, the log. No secret is in it."""
    with database_of(request).as_system() as session:
        accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
    return _personal(request, user_id, None)


@router.post("/{user_id}/erasure", status_code=204)
def erase(caller: Manager, session: SystemSession, now: Now, user_id: int) -> None:
    """Take a person out of their account, for good; it keeps its number, and the log stays as it was."""
    user = accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
    personal_data.erase(session, caller, user, now=now)


@own_router.get("/data", response_class=StreamingResponse)
def own_data(request: Request, _caller: Annotated[Caller, requires(Permission.PROFILE)]) -> Response:
    """Give everything kept about oneself; of the log, what concerns one's present organizations."""
    visit = visit_of(request)
    if visit is None:
        raise Forbidden("An API key is no person.", hint="Sign in with a browser.")
    return _personal(request, visit.session.user_id, [one.id for one in visit.organizations])


@router.delete("/{user_id}/sessions", status_code=204)
def end_sessions(caller: Manager, session: SystemSession, now: Now, user_id: int) -> None:
    """Sign an account out everywhere."""
    user = accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
    accounts.end_sessions(session, caller, user, now=now)


@router.delete("/{user_id}/second-factor", status_code=204)
def reset_second_factor(caller: Manager, session: SystemSession, now: Now, user_id: int) -> None:
    """Take a lost second factor away and end every session; the next sign-in asks for a new one if one is needed."""
    user = accounts.access_account(session, caller, user_id, Permission.INSTALLATION_MANAGE)
    if not second_factor.reset(session, caller, user, now=now):
        raise NotFound(f"The account “{user.login}” has no second factor.", hint="Nothing was changed.")


def _personal(request: Request, user_id: int, entered: Collection[int] | None) -> Response:
    database = exporting_of(request)

    # A session of its own: the answer is sent after those of the route have ended.
    def pieces() -> Iterator[bytes]:
        with database.as_system() as session:
            yield from personal_data.export(session, session.get_one(UserAccount, user_id), entered)

    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="person.json"'}
    return Streamed(pieces(), media_type="application/json", headers=headers)
