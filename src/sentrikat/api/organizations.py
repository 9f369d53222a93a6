"""Organizations of the installation, for those who run it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, SystemSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity.organizations import change_organization, create_organization
from sentrikat.identity.queries import list_organizations

router = APIRouter(prefix="/organizations", tags=["organizations"])
Reader = Annotated[Caller, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Caller, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


class Organization(Answer):
    """A tenant of the installation."""

    id: int
    slug: str
    name: str
    time_zone: str


class Organizations(Answer):
    """A page of organizations, in order of their short names."""

    items: list[Organization]
    next_cursor: str | None


class NewOrganization(BaseModel):
    """An organization to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    slug: str = Field(min_length=1, max_length=50, description="Lower-case letters, digits, hyphens; stays.")
    name: str = Field(min_length=1, max_length=200)
    time_zone: str = Field(default="UTC", max_length=100, examples=["Europe/Zurich"])


class OrganizationChange(BaseModel):
    """What is to become of an organization; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str | None = Field(default=None, min_length=1, max_length=200)
    time_zone: str | None = Field(default=None, max_length=100)


@router.get("", response_model=Organizations)
def list_all(_caller: Reader, session: SystemSession, params: Annotated[PageParams, Query()]) -> Response:
    """List every organization of the installation."""
    position = decode_cursor("organizations", params.cursor, "s")
    rows = list_organizations(session, after=str(position[0]) if position else None, limit=params.limit + 1)
    shown = rows[: params.limit]
    items = [{"id": o.id, "slug": o.slug, "name": o.name, "time_zone": o.time_zone} for o in shown]
    following = (shown[-1].slug,) if len(rows) > params.limit else None
    return page(items, encode_cursor("organizations", following))


@router.post("", status_code=201, response_model=Organization)
def create(caller: Manager, session: SystemSession, now: Now, wanted: NewOrganization) -> Response:
    """Make an organization. It has no members yet."""
    made = create_organization(
        session, caller, name=wanted.name, slug=wanted.slug, time_zone=wanted.time_zone, now=now
    )
    return json(
        {"id": made.id, "slug": made.slug, "name": made.name, "time_zone": made.time_zone}, status=201
    )


@router.patch("/{organization_id}", status_code=204)
def change(
    caller: Manager, session: SystemSession, now: Now, organization_id: int, wanted: OrganizationChange
) -> None:
    """Rename an organization, or move it to another time zone; its deadlines follow by a job."""
    if wanted.name is None and wanted.time_zone is None:
        raise InvalidInput(
            "The organization was not changed: neither name nor time_zone was given.",
            hint="Nothing was changed.",
            fields={"body": "name or time_zone"},
        )
    change_organization(
        session, caller, organization_id, name=wanted.name, time_zone=wanted.time_zone, now=now
    )
