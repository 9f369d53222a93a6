"""Assets: the list, one asset, and what people know of it."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request, Response

from sentrikat.audit.journal import record
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.lifecycle import Support
from sentrikat.domain.matching.correction import CORRECTABLE
from sentrikat.domain.permissions import Permission
from sentrikat.findings.queries import FindingFilters, list_findings
from sentrikat.findings.queue import QUEUE_CAP, count_possible
from sentrikat.identity.access import Visit
from sentrikat.inventory.access import access_asset
from sentrikat.inventory.attributes import CRITICALITIES, EXPOSURES, change_attributes
from sentrikat.inventory.coverage import COUNT_CAP as NOT_JUDGED_CAP
from sentrikat.inventory.coverage import SILENT_AFTER, coverage, list_silent, list_unidentified
from sentrikat.inventory.lifecycle import unsupported_on, unsupported_systems
from sentrikat.inventory.queries import (
    count_assets,
    count_software,
    list_assets,
    list_receipts,
    list_software,
)
from sentrikat.inventory.receipts import confirm
from sentrikat.inventory.updates import missing_of_asset
from sentrikat.reactions import after_asset_change
from sentrikat.web import cursors
from sentrikat.web.context import Form, Now, TenantSession, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter()
Reader = Annotated[Visit, requires(Permission.INVENTORY_READ)]

ROWS = 50
SOFTWARE_ROWS = 50
RECEIPT_ROWS = 10
Cursor = Annotated[str | None, Query(max_length=700)]


@router.get("/assets")
def show_list(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    hostname: Annotated[str, Query(max_length=253)] = "",
    exposure: Literal["", "public", "internal", "unknown"] = "",
    silent: Literal["", "yes"] = "",
    unsupported: Literal["", "yes"] = "",
    after: Cursor = None,
) -> Response:
    """List the assets of the organization."""
    organization_id = visit.caller.organization_id
    position = cast("tuple[str, int] | None", cursors.read(after, "si"))
    name = hostname.replace("\x00", "").strip()
    day = now.date() if unsupported else None
    if silent:
        page = list_silent(session, organization_id, now, after=position, limit=ROWS)
        total = coverage(session, organization_id, now).silent
    else:
        page = list_assets(
            session,
            organization_id,
            hostname=name or None,
            exposure=exposure or None,
            unsupported_on=day,
            after=position,
            limit=ROWS,
        )
        total = count_assets(
            session,
            organization_id,
            hostname=name or None,
            exposure=exposure or None,
            unsupported_on=day,
        )
    return render(
        request,
        "assets.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        rows=page.assets,
        total=total,
        next_cursor=cursors.write(page.next),
        after=after,
        hostname=name,
        exposure=exposure,
        silent=silent,
        unsupported=unsupported,
        systems=unsupported_systems(session, organization_id, [row.id for row in page.assets], now.date()),
        silent_before=now - SILENT_AFTER,
        criticalities=CRITICALITIES,
    )


@router.get("/assets/{asset_id}")
def show(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    asset_id: int,
    software: Annotated[str, Query(max_length=200)] = "",
    after: Cursor = None,
    saved: bool = False,
) -> Response:
    """Show one asset: what it is, what is wrong with it, what runs on it, what it reported."""
    organization_id = visit.caller.organization_id
    asset = access_asset(session, visit.caller, asset_id, Permission.INVENTORY_READ)
    name = software.replace("\x00", "").strip()
    page = list_software(
        session,
        organization_id,
        asset_id,
        name=name or None,
        # It is what the rest of the page cannot speak for.
        unjudged_first=True,
        after=cast("tuple[int, str, int] | None", cursors.read(after, "isi")),
        limit=SOFTWARE_ROWS,
    )
    # A role of the organization's own may read one of these and not the others.
    may_find, may_report = (
        visit.caller.may(Permission.FINDINGS_READ),
        visit.caller.may(Permission.REPORT_READ),
    )
    found = (
        list_findings(session, organization_id, FindingFilters(asset_id=asset_id), None, 20)
        if may_find
        else None
    )
    past = unsupported_on(session, organization_id, asset_id, now.date())
    return render(
        request,
        "asset.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        asset=asset,
        saved=saved,
        silent=asset.last_report_at < now - SILENT_AFTER,
        unsupported=past,
        system_ended=any(one.kind == "os" and one.support is Support.ENDED for one in past),
        found=found,
        possible=count_possible(session, organization_id, asset_id=asset_id) if may_find else 0,
        possible_cap=QUEUE_CAP,
        software=page.software,
        software_total=count_software(session, organization_id, asset_id),
        software_name=name,
        next_cursor=cursors.write(page.next),
        after=after,
        missing_updates=missing_of_asset(session, organization_id, asset_id)
        if asset.os_family == "windows"
        else (),
        receipts=list_receipts(session, organization_id, asset_id=asset_id, limit=RECEIPT_ROWS).receipts
        if may_report
        else None,
        titled=CORRECTABLE,
        exposures=EXPOSURES,
        criticalities=CRITICALITIES,
        may_change=visit.caller.may(Permission.INVENTORY_WRITE),
    )


@router.post("/assets/{asset_id}")
def change(
    request: Request,
    visit: Annotated[Visit, requires(Permission.INVENTORY_WRITE)],
    session: TenantSession,
    now: Now,
    asset_id: int,
    form: Form,
) -> Response:
    """Set exposure and criticality; deadlines follow in the same transaction."""
    criticality = form.get("criticality", "")
    if criticality and criticality not in {str(number) for number in CRITICALITIES}:
        raise InvalidInput(
            "The asset was not changed: its criticality is 1 to 4.", hint="Nothing was changed."
        )
    asset, changed = change_attributes(
        session,
        visit.caller,
        asset_id,
        exposure=form.get("exposure") or None,
        criticality=int(criticality) if criticality else None,
        now=now,
    )
    if changed:
        after_asset_change(session, visit.caller.organization_id, asset.id, now=now)
    if request.headers.get("X-Panel") == "1":
        return Response(status_code=204)
    return see_other(f"/assets/{asset.id}?saved=true")


@router.post("/assets/{asset_id}/receipts/{receipt_id}/confirmation")
def confirm_held(
    visit: Annotated[Visit, requires(Permission.INVENTORY_WRITE)],
    session: TenantSession,
    now: Now,
    asset_id: int,
    receipt_id: int,
    _form: Form,
) -> Response:
    """Let a report that was held take effect after all."""
    access_asset(session, visit.caller, asset_id, Permission.INVENTORY_WRITE)
    caller = visit.caller
    receipt = confirm(session, caller.organization_id, receipt_id, by=visit.session.login)
    record(
        session, caller, "report.confirmed", f"receipt:{receipt.id}", {"report": receipt.report_id}, now=now
    )
    return see_other(f"/assets/{asset_id}")


@router.get("/unidentified")
def unidentified(
    request: Request, visit: Reader, session: TenantSession, now: Now, after: Cursor = None
) -> Response:
    """List the software that could not be judged."""
    organization_id = visit.caller.organization_id
    rows, following = list_unidentified(
        session, organization_id, after=cast("tuple[str, int] | None", cursors.read(after, "si")), limit=ROWS
    )
    return render(
        request,
        "unidentified.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        rows=rows,
        total=coverage(session, organization_id, now).unidentified,
        cap=NOT_JUDGED_CAP,
        titled=CORRECTABLE,
        next_cursor=cursors.write(following),
        after=after,
    )
