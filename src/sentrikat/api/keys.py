"""API keys of the organization."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, TenantSession, pepper_of, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import api_keys
from sentrikat.identity.api_keys import Limits, Made
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
    networks: list[Annotated[str, Field(max_length=50)]] = Field(
        default_factory=list,
        max_length=50,
        examples=[["192.0.2.0/24"]],
        description="Where it may be used from; none: from anywhere.",
    )


class NewAgentKey(NewKey):
    """A key of the organization to make."""

    max_assets: int | None = Field(
        default=None, ge=1, le=1_000_000, description="How many assets it may bring in; null: any number."
    )


class Rotation(BaseModel):
    """How a key is to be replaced."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap_hours: int = Field(default=24, ge=0, le=720, description="How long the old key still works.")


class MadeKey(Answer):
    """The key, whole, for the only time."""

    id: int
    prefix: str
    key: str


class Key(Answer):
    """A key without its secret. `owner` is the person whose token it is; `user_id` stays when they have left."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    networks: list[str]
    max_assets: int | None
    user_id: int | None
    owner: str | None
    rotated_from: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None


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
def create(
    request: Request, caller: Manager, session: TenantSession, now: Now, wanted: NewAgentKey
) -> Response:
    """Make a key. The answer is the only place where it can be read."""
    made = api_keys.create_key(
        session,
        caller,
        pepper=pepper_of(request),
        name=wanted.name,
        scopes=api_keys.read_scopes(wanted.scopes),
        expires_at=wanted.expires_at,
        limits=Limits(tuple(wanted.networks), wanted.max_assets),
        now=now,
    )
    return shown_once(made)


@router.post("/{key_id}/rotation", status_code=201, response_model=MadeKey)
def rotate(
    request: Request, caller: Manager, session: TenantSession, now: Now, key_id: int, wanted: Rotation
) -> Response:
    """Make a key that takes the place of another, which still works for a while and then ends by itself."""
    overlap = timedelta(hours=wanted.overlap_hours)
    return shown_once(
        api_keys.rotate_key(session, caller, key_id, pepper=pepper_of(request), overlap=overlap, now=now)
    )


@router.delete("/{key_id}", status_code=204)
def revoke(caller: Manager, session: TenantSession, now: Now, key_id: int) -> None:
    """Revoke a key at once; revoking it again changes nothing."""
    api_keys.revoke_key(session, caller, key_id, now=now)


def shown_once(made: Made) -> Response:
    """Give the answer that holds a new key."""
    return json({"id": made.id, "prefix": made.prefix, "key": made.secret}, status=201)
