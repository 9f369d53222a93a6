"""Roles of the organization: the built-in ones, and those it has made for itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import ROLE_PERMISSIONS, ROLE_WORDS, Caller, Permission, Role
from sentrikat.identity import custom_roles
from sentrikat.identity.custom_roles import RoleRow

router = APIRouter(prefix="/roles", tags=["roles"])
Reader = Annotated[Caller, requires(Permission.MEMBERS_READ)]
Manager = Annotated[Caller, requires(Permission.MEMBERS_MANAGE, step_up=True)]


class CustomRole(Answer):
    """A role of the organization's own. Everybody may see and change their own account besides."""

    id: int
    name: str
    description: str
    permissions: list[str]
    members: int
    created_at: datetime


class BuiltInRole(Answer):
    """A role that every organization has."""

    name: str
    description: str
    permissions: list[str]


class Roles(Answer):
    """A page of the organization's own roles, in order of their names, and the built-in ones."""

    items: list[CustomRole]
    next_cursor: str | None
    built_in: list[BuiltInRole]


class NewCustomRole(BaseModel):
    """A role to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=200, examples=["Night shift"])
    description: str = Field(default="", max_length=2000)
    permissions: list[str] = Field(max_length=50, examples=[["findings:read", "findings:triage"]])


class CustomRoleChange(BaseModel):
    """What is to become of a role; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)
    permissions: list[str] | None = Field(default=None, max_length=50)


@router.get("", response_model=Roles)
def list_all(caller: Reader, session: TenantSession, params: Annotated[PageParams, Query()]) -> Response:
    """List the roles that members can be given."""
    position = decode_cursor("roles", params.cursor, "s")
    after = str(position[0]) if position else None
    rows = custom_roles.list_roles(session, caller.organization_id, after=after, limit=params.limit + 1)
    shown = rows[: params.limit]
    following = (custom_roles.folded(shown[-1].name),) if len(rows) > params.limit else None
    built_in = [
        {"name": role, "description": ROLE_WORDS[role], "permissions": _chosen(ROLE_PERMISSIONS[role])}
        for role in Role
    ]
    return page([_plain(row) for row in shown], encode_cursor("roles", following), built_in=built_in)


@router.post("", status_code=201, response_model=CustomRole)
def create(caller: Manager, session: TenantSession, now: Now, wanted: NewCustomRole) -> Response:
    """Make a role. It may let people do no more than its maker may."""
    made = custom_roles.create_role(
        session,
        caller,
        name=wanted.name,
        description=wanted.description,
        permissions=wanted.permissions,
        now=now,
    )
    return json(_plain(made), status=201)


@router.get("/{role_id}", response_model=CustomRole)
def show(caller: Reader, session: TenantSession, role_id: int) -> Response:
    """Show one of the organization's own roles."""
    return json(_plain(custom_roles.access_role(session, caller, role_id)))


@router.patch("/{role_id}", response_model=CustomRole)
def change(
    caller: Manager, session: TenantSession, now: Now, role_id: int, wanted: CustomRoleChange
) -> Response:
    """Rename a role, or change what it lets people do; it counts from their next request."""
    given = wanted.model_dump(exclude_none=True)
    if not given:
        raise InvalidInput(
            "The role was not changed: neither name, description nor permissions was given.",
            hint="Nothing was changed.",
            fields={"body": "name, description or permissions"},
        )
    return json(_plain(custom_roles.change_role(session, caller, role_id, **given, now=now)))


@router.delete("/{role_id}", status_code=204)
def delete(caller: Manager, session: TenantSession, now: Now, role_id: int) -> None:
    """Delete a role that nobody holds."""
    custom_roles.delete_role(session, caller, role_id, now=now)


def _plain(row: RoleRow) -> dict[str, Any]:
    return row._asdict() | {"permissions": sorted(row.permissions)}


def _chosen(permissions: frozenset[Permission]) -> list[Permission]:
    return sorted(permissions - {Permission.PROFILE})
