"""Members of the organization: who may do what here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, TenantSession, database_of, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.permissions import Caller, Permission, Role
from sentrikat.identity import members
from sentrikat.identity.custom_roles import find_role
from sentrikat.identity.queries import list_members

router = APIRouter(prefix="/members", tags=["members"])
Reader = Annotated[Caller, requires(Permission.MEMBERS_READ)]
_WORDS = f"One of {', '.join(Role)}, or the name of a role of the organization's own."
RoleName = Annotated[str, Field(description=_WORDS, examples=[Role.ANALYST.value])]
GivenRole = Annotated[RoleName, Field(min_length=1, max_length=200)]
Manager = Annotated[Caller, requires(Permission.MEMBERS_MANAGE, step_up=True)]


class Member(Answer):
    """A member of the organization."""

    user_id: int
    login: str
    display_name: str
    role: RoleName
    since: datetime
    disabled_at: datetime | None
    last_sign_in_at: datetime | None


class Members(Answer):
    """A page of members, in order of their login names."""

    items: list[Member]
    next_cursor: str | None


class NewMember(BaseModel):
    """An account to let in; it exists already."""

    model_config = ConfigDict(extra="forbid", strict=True)

    login: str = Field(min_length=1, max_length=100)
    role: GivenRole


class NewRole(BaseModel):
    """What a member becomes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: GivenRole


class Added(Answer):
    """The account that was let in."""

    user_id: int
    role: RoleName


@router.get("", response_model=Members)
def list_all(caller: Reader, session: TenantSession, params: Annotated[PageParams, Query()]) -> Response:
    """List the organization's members and their roles."""
    position = decode_cursor("members", params.cursor, "s")
    after = str(position[0]) if position else None
    rows = list_members(session, caller.organization_id, after=after, limit=params.limit + 1)
    shown = rows[: params.limit]
    following = (shown[-1].login,) if len(rows) > params.limit else None
    items = [row._asdict() | {"role": str(row.role)} for row in shown]
    return page(items, encode_cursor("members", following))


@router.post("", status_code=201, response_model=Added)
def add(request: Request, caller: Manager, session: TenantSession, now: Now, wanted: NewMember) -> Response:
    """Let an existing account into the organization."""
    with database_of(request).as_system() as everybody:
        user_id = members.find_account(everybody, caller, wanted.login)
    role = find_role(session, caller.organization_id, wanted.role)
    members.add_member(
        session, caller, user_id=user_id, login=wanted.login.strip().casefold(), role=role, now=now
    )
    return json({"user_id": user_id, "role": str(role)}, status=201)


@router.patch("/{user_id}", status_code=204)
def change_role(caller: Manager, session: TenantSession, now: Now, user_id: int, wanted: NewRole) -> None:
    """Give a member another role; it counts from their next request."""
    role = find_role(session, caller.organization_id, wanted.role)
    members.change_role(session, caller, user_id, role, now=now)


@router.delete("/{user_id}", status_code=204)
def remove(caller: Manager, session: TenantSession, now: Now, user_id: int) -> None:
    """Take a membership away; the account stays."""
    members.remove_member(session, caller, user_id, now=now)
