"""Who am I, as the server sees it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import authenticate, visit_of
from sentrikat.domain.permissions import Caller

router = APIRouter(tags=["me"])


class OrganizationAnswer(Answer):
    """An organization that the caller may enter."""

    id: int
    slug: str
    name: str
    time_zone: str


class Me(Answer):
    """The caller."""

    actor: str
    organization_id: int | None
    permissions: list[str]
    login: str | None
    display_name: str | None
    csrf_token: str | None
    organizations: list[OrganizationAnswer]


@router.get("/me", response_model=Me)
def me(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> Response:
    """Say who is calling, in which organization, and what they may."""
    visit = visit_of(request)
    return json(
        {
            "actor": caller.actor,
            "organization_id": caller.organization_id or None,
            "permissions": sorted(caller.permissions),
            "login": visit.session.login if visit else None,
            "display_name": visit.session.display_name if visit else None,
            "csrf_token": visit.session.csrf_token if visit else None,
            "organizations": [
                {"id": o.id, "slug": o.slug, "name": o.name, "time_zone": o.time_zone}
                for o in (visit.organizations if visit else ())
            ],
        }
    )
