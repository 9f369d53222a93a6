"""Assets and their software."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.inventory.access import access_asset
from sentrikat.inventory.attributes import change_attributes
from sentrikat.inventory.lifecycle import unsupported_on
from sentrikat.inventory.queries import list_assets, list_software
from sentrikat.inventory.updates import missing_of_asset
from sentrikat.reactions import after_asset_change

router = APIRouter(prefix="/assets", tags=["assets"])
Reader = Annotated[Caller, requires(Permission.INVENTORY_READ)]

Exposure = Literal["public", "internal", "unknown"]


class AssetAnswer(Answer):
    """A machine."""

    id: int
    hostname: str
    os_family: str
    os: dict[str, Any]
    exposure: Exposure
    criticality: int
    first_seen_at: datetime
    last_report_at: datetime
    last_collected_at: datetime | None
    retired_at: datetime | None
    agent_id: str | None
    machine_id: str | None
    updates: list[str]


class Assets(Answer):
    """A page of assets, by host name."""

    items: list[AssetAnswer]
    next_cursor: str | None


class SoftwareAnswer(Answer):
    """A piece of software on a machine. `identified` says how far it could be recognized."""

    component_id: int
    kind: str
    namespace: str
    name: str
    version: str | None
    source_name: str | None
    vendor: str | None
    binaries: list[str]
    paths: list[str]
    first_seen_at: datetime
    removed_at: datetime | None
    identified: str


class Software(Answer):
    """A page of software, by name."""

    items: list[SoftwareAnswer]
    next_cursor: str | None


class UnsupportedAnswer(Answer):
    """Something past the end of its security support: no findings does not mean none."""

    component_id: int
    kind: str
    name: str
    version: str | None
    product: str
    cycle: str
    support: Literal["ended", "extended"]
    since: date | None
    extended_until: date | None
    sentence: str


class UnsupportedList(Answer):
    """What is past its end, the operating system first; at most 200."""

    items: list[UnsupportedAnswer]


class MissingUpdateAnswer(Answer):
    """An update to install. `repairs` are the flaws it repairs, itself or by what it supersedes."""

    name: str
    product: str
    kind: str | None
    released: date | None
    fixed_build: str | None
    repairs: list[str]


class MissingUpdates(Answer):
    """A page of missing updates."""

    items: list[MissingUpdateAnswer]
    next_cursor: str | None


class AssetParams(PageParams):
    """Which assets are wanted."""

    hostname: Annotated[str | None, Field(max_length=253, description="Any part of the name.")] = None
    os_family: Literal["linux", "windows", "macos", "other"] | None = None
    exposure: Exposure | None = None
    retired: Annotated[bool, Field(description="Retired assets as well.")] = False
    unsupported: Annotated[
        bool, Field(description="Only assets with something whose support has ended altogether.")
    ] = False


class SoftwareParams(PageParams):
    """Which software is wanted."""

    name: Annotated[str | None, Field(max_length=200, description="Any part of the name.")] = None
    as_of: Annotated[AwareDatetime | None, Field(description="As it was at that moment.")] = None


class AssetChange(BaseModel):
    """What people know of an asset; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    exposure: Exposure | None = None
    criticality: Annotated[int | None, Field(ge=1, le=4, description="1 low to 4 mission-critical.")] = None


@router.get("", response_model=Assets)
def list_all(
    caller: Reader, session: TenantSession, now: Now, params: Annotated[AssetParams, Query()]
) -> Response:
    """List the organization's assets."""
    found = list_assets(
        session,
        caller.organization_id,
        hostname=params.hostname,
        os_family=params.os_family,
        exposure=params.exposure,
        retired=params.retired,
        unsupported_on=now.date() if params.unsupported else None,
        after=decode_cursor("assets", params.cursor, "si"),  # type: ignore[arg-type]  # of that shape
        limit=params.limit,
    )
    return page([_asset(row) for row in found.assets], encode_cursor("assets", found.next))


@router.get("/{asset_id}", response_model=AssetAnswer)
def show(caller: Reader, session: TenantSession, asset_id: int) -> Response:
    """Give one asset."""
    return json(_asset(access_asset(session, caller, asset_id, Permission.INVENTORY_READ)))


@router.patch("/{asset_id}", response_model=AssetAnswer)
def change(
    caller: Annotated[Caller, requires(Permission.INVENTORY_WRITE)],
    session: TenantSession,
    now: Now,
    asset_id: int,
    wanted: AssetChange,
) -> Response:
    """Say how exposed or how important an asset is; its deadlines follow in the same transaction."""
    if wanted.exposure is None and wanted.criticality is None:
        raise InvalidInput(
            "The asset was not changed: neither exposure nor criticality was given.",
            hint="Nothing was changed.",
            fields={"body": "exposure or criticality"},
        )
    asset, changed = change_attributes(
        session, caller, asset_id, exposure=wanted.exposure, criticality=wanted.criticality, now=now
    )
    if changed:
        after_asset_change(session, caller.organization_id, asset.id, now=now)
    return json(_asset(asset))


@router.get("/{asset_id}/software", response_model=Software)
def software(
    caller: Reader, session: TenantSession, asset_id: int, params: Annotated[SoftwareParams, Query()]
) -> Response:
    """List what is installed on an asset, now or at a past moment."""
    access_asset(session, caller, asset_id, Permission.INVENTORY_READ)
    found = list_software(
        session,
        caller.organization_id,
        asset_id,
        name=params.name,
        as_of=params.as_of,
        after=decode_cursor("software", params.cursor, "si"),  # type: ignore[arg-type]  # of that shape
        limit=params.limit,
    )
    items = [{name: getattr(row, name) for name in SoftwareAnswer.model_fields} for row in found.software]
    return page(items, encode_cursor("software", found.next))


@router.get("/{asset_id}/unsupported", response_model=UnsupportedList)
def unsupported(caller: Reader, session: TenantSession, now: Now, asset_id: int) -> Response:
    """List what is past the end of its security support on an asset."""
    access_asset(session, caller, asset_id, Permission.INVENTORY_READ)
    found = unsupported_on(session, caller.organization_id, asset_id, now.date())
    return json(
        {"items": [{name: getattr(one, name) for name in UnsupportedAnswer.model_fields} for one in found]}
    )


@router.get("/{asset_id}/missing-updates", response_model=MissingUpdates)
def missing(
    caller: Reader, session: TenantSession, asset_id: int, params: Annotated[PageParams, Query()]
) -> Response:
    """List the fewest updates of its maker that bring an asset's system up to date, the ones that repair most first.

    Behind them come those of the same maker's programs on it: SQL Server, Exchange, .NET, Office installed by MSI.

    Worked out from what the asset reports and what the sources say now; of other systems than Windows none is known.
    """
    access_asset(session, caller, asset_id, Permission.INVENTORY_READ)
    found = missing_of_asset(session, caller.organization_id, asset_id)
    (start,) = cast("tuple[int] | None", decode_cursor("missing-updates", params.cursor, "i")) or (0,)
    end = start + params.limit
    items = [
        {name: getattr(one, name) for name in MissingUpdateAnswer.model_fields} for one in found[start:end]
    ]
    return page(items, encode_cursor("missing-updates", (end,) if end < len(found) else None))


def _asset(row: object) -> dict[str, Any]:
    return {name: getattr(row, name) for name in AssetAnswer.model_fields}
