"""Tokens of the person who asks: for programs that act for them, with what their role allows and no more."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sentrikat.api.answers import page
from sentrikat.api.context import Now, TenantSession, pepper_of, requires, visit_of
from sentrikat.api.keys import Keys, MadeKey, NewKey, shown_once
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import Forbidden
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import api_keys
from sentrikat.identity.api_keys import Limits
from sentrikat.identity.queries import list_keys

router = APIRouter(prefix="/tokens", tags=["API keys"])
Person = Annotated[Caller, requires(Permission.PROFILE)]
Proven = Annotated[Caller, requires(Permission.PROFILE, step_up=True)]


@router.get("", response_model=Keys)
def list_all(
    request: Request, caller: Person, session: TenantSession, params: Annotated[PageParams, Query()]
) -> Response:
    """List your tokens in this organization."""
    position = decode_cursor("tokens", params.cursor, "i")
    rows = list_keys(
        session,
        caller.organization_id,
        owner=_person(request),
        before=int(str(position[0])) if position else None,
        limit=params.limit + 1,
    )
    shown = rows[: params.limit]
    following = (shown[-1].id,) if len(rows) > params.limit else None
    return page([row._asdict() for row in shown], encode_cursor("tokens", following))


@router.post("", status_code=201, response_model=MadeKey)
def create(request: Request, caller: Proven, session: TenantSession, now: Now, wanted: NewKey) -> Response:
    """Make a token for the organization you are looking at. It ends with your membership at the latest."""
    made = api_keys.create_token(
        session,
        caller,
        _person(request),
        pepper=pepper_of(request),
        name=wanted.name,
        scopes=api_keys.read_scopes(wanted.scopes),
        expires_at=wanted.expires_at,
        limits=Limits(tuple(wanted.networks)),
        now=now,
    )
    return shown_once(made)


@router.delete("/{key_id}", status_code=204)
def revoke(request: Request, caller: Person, session: TenantSession, now: Now, key_id: int) -> None:
    """Revoke one of your tokens at once."""
    api_keys.revoke_token(session, caller, _person(request), key_id, now=now)


def _person(request: Request) -> int:
    """Give the signed-in person; keys have no tokens of their own."""
    visit = visit_of(request)
    if visit is None:
        raise Forbidden("Only a signed-in person has tokens.", hint="Nothing was changed.", code="key_scope")
    return visit.session.user_id
