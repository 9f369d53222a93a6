"""Reports of agents, and SBOMs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.bodies import UnsupportedMedia, read_body, unpack
from sentrikat.api.context import Now, TenantSession, requires, settings_of
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.inventory.access import access_receipt
from sentrikat.inventory.models import Receipt
from sentrikat.inventory.queries import list_receipts
from sentrikat.inventory.receipts import accept, confirm

router = APIRouter(tags=["reports"])

# What a Content-Type says of the form. Plain JSON is judged by its content.
FORMS = {
    "application/json": None,
    "application/vnd.sentrikat.report+json": "agent-report",
    "application/vnd.cyclonedx+json": "cyclonedx",
    "application/spdx+json": "spdx",
}
Status = Literal["received", "processed", "unchanged", "outdated", "held", "failed"]


class ReportParams(BaseModel):
    """What the body is, where its type does not say it."""

    model_config = ConfigDict(extra="forbid")

    form: Literal["agent-report", "cyclonedx", "spdx"] | None = None
    asset: Annotated[
        str | None, Field(min_length=1, max_length=253, description="Host name to file an SBOM under.")
    ] = None


class ReceiptAnswer(Answer):
    """What became of a report."""

    id: int
    report_id: str
    form: str
    received_at: datetime
    processed_at: datetime | None
    status: Status
    detail: str | None
    asset_id: int | None
    asset_hint: str | None
    installed: int | None
    removed: int | None


class Receipts(Answer):
    """A page of receipts, the newest first."""

    items: list[ReceiptAnswer]
    next_cursor: str | None


class ReceiptParams(PageParams):
    """Which receipts are wanted."""

    asset: Annotated[int | None, Field(description="Of this asset only.")] = None
    status: Annotated[Status | None, Field(description="In this state only.")] = None


@router.post(
    "/agent/reports",
    status_code=202,
    response_model=ReceiptAnswer,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {name: {"schema": {"type": "object"}} for name in FORMS},
            "description": "An agent report (contracts/agent-report), a CycloneDX or an SPDX document; "
            "Content-Encoding gzip is understood.",
        }
    },
)
def submit(
    request: Request,
    caller: Annotated[Caller, requires(Permission.REPORT_SUBMIT)],
    session: TenantSession,
    now: Now,
    params: Annotated[ReportParams, Query()],
    body: Annotated[bytes, Depends(read_body)],
) -> Response:
    """Take a report in. It is kept as received and worked on at once; the receipt says what became of it.

    The same report sent again gets its first receipt, so a sender that heard no answer may simply repeat.
    """
    plain = unpack(body, request.headers.get("Content-Encoding"), settings_of(request).max_report_bytes)
    form = params.form or _form_of(request.headers.get("Content-Type"))
    receipt = accept(
        session,
        caller.organization_id,
        plain,
        form,
        now=now,
        asset_hint=params.asset,
        key_id=caller.key_id,
    )
    return json(_receipt(receipt), status=202, headers={"Location": f"/api/v1/receipts/{receipt.id}"})


@router.get("/receipts", response_model=Receipts)
def list_all(
    caller: Annotated[Caller, requires(Permission.REPORT_READ)],
    session: TenantSession,
    params: Annotated[ReceiptParams, Query()],
) -> Response:
    """List what was received."""
    found = list_receipts(
        session,
        caller.organization_id,
        asset_id=params.asset,
        status=params.status,
        after=decode_cursor("receipts", params.cursor, "ti"),  # type: ignore[arg-type]  # of that shape
        limit=params.limit,
    )
    return page([_receipt(row) for row in found.receipts], encode_cursor("receipts", found.next))


@router.get("/receipts/{receipt_id}", response_model=ReceiptAnswer)
def show(
    caller: Annotated[Caller, requires(Permission.REPORT_READ)], session: TenantSession, receipt_id: int
) -> Response:
    """Say what became of one report."""
    return json(_receipt(access_receipt(session, caller, receipt_id, Permission.REPORT_READ)))


@router.post("/receipts/{receipt_id}/confirmation", status_code=202, response_model=ReceiptAnswer)
def confirm_held(
    caller: Annotated[Caller, requires(Permission.INVENTORY_WRITE)],
    session: TenantSession,
    now: Now,
    receipt_id: int,
) -> Response:
    """Let a report that was held take effect: somebody looked at it and says it is true."""
    receipt = confirm(session, caller.organization_id, receipt_id, by=caller.actor)
    record(
        session, caller, "report.confirmed", f"receipt:{receipt.id}", {"report": receipt.report_id}, now=now
    )
    return json(_receipt(receipt), status=202)


def _form_of(content_type: str | None) -> str | None:
    media = (content_type or "application/json").partition(";")[0].strip().lower()
    if media not in FORMS:
        raise UnsupportedMedia(
            f"The report was not accepted: {media[:60]} is not read here.",
            hint=f"Send one of {', '.join(FORMS)}.",
        )
    return FORMS[media]


def _receipt(row: Receipt | object) -> dict[str, object]:
    return {name: getattr(row, name) for name in ReceiptAnswer.model_fields}
