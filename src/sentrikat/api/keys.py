"""API keys of the organization."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import api_keys
from sentrikat.identity.queries import list_keys

router = APIRouter(prefix="/api-keys", tags=["API keys"])
Reader = Annotated[Caller, requires(Permission.KEYS_READ)]
Manager = Annotated[Caller, requires(Permission.KEYS_MANAGE, step_up=True)]


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=100, description="Who uses it.")
    scopes: list[str] = Field(min_length=1, max_length=20, examples=[["agent:report"]])
    expires_at: Annotated[AwareDatetime | None, Field(strict=False)] = None


class MadeKey(Answer):
    """The key, whole, for the only time."""

    id: int
    prefix: str
    key: str


class Key(Answer):
    """A key without its secret."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Keys(Answer):
    """A page of keys, the newest first."""

    items: list[Key]
    next_cursor: str | None


@router.get("", response_model=Keys)
def list_all(caller: Reader, session: TenantSession, params: Annotated[PageParams, Query()]) -> Response:
    """List the organization's keys."""
    position = decode_cursor("keys", params.cursor, "i")
    rows = list_keys(
        session,
        caller.organization_id,
        before=int(str(position[0])) if position else None,
        limit=params.limit + 1,
    )
    shown = rows[: params.limit]
    following = (shown[-1].id,) if len(rows) > params.limit else None
    return page([row._asdict() for row in shown], encode_cursor("keys", following))


@router.post("", status_code=201, response_model=MadeKey)
def create(caller: Manager, session: TenantSession, now: Now, wanted: NewKey) -> Response:
    """Make a key. The answer is the only place where it can be read."""
    made = api_keys.create_key(
        session,
        caller,
        name=wanted.name,
        scopes=api_keys.read_scopes(wanted.scopes),
        expires_at=wanted.expires_at,
        now=now,
    )
    return json({"id": made.id, "prefix": made.prefix, "key": made.secret}, status=201)


@router.delete("/{key_id}", status_code=204)
def revoke(caller: Manager, session: TenantSession, now: Now, key_id: int) -> None:
    """Revoke a key at once; revoking it again changes nothing."""
    api_keys.revoke_key(session, caller, key_id, now=now)
