"""The audit log of the organization, and of the installation, for their auditors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, SystemSession, TenantSession, exporting_of, requires, settings_of
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.audit.checkpoints import last_signed, prove
from sentrikat.audit.export import WRITERS, Form
from sentrikat.audit.journal import INSTALLATION
from sentrikat.audit.queries import EntryFilters, list_entries
from sentrikat.audit.signing_key import known_keys
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.infra.streams import Streamed

router = APIRouter(prefix="/audit", tags=["audit"])
Auditor = Annotated[Caller, requires(Permission.AUDIT_READ)]
Installer = Annotated[Caller, requires(Permission.INSTALLATION_READ)]


class Entry(Answer):
    """One action."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    address: str | None
    detail: dict[str, Any]
    hash: str


class Entries(Answer):
    """A page of entries, the newest first."""

    items: list[Entry]
    next_cursor: str | None


class Verification(Answer):
    """Whether the chain of hashes holds, and agrees with its checkpoints."""

    holds: bool
    entries: int
    head: str
    broken_entry: int | None
    fault: str | None = Field(
        description="changed, removed, added, moved, truncated, rewritten or checkpoint."
    )
    reason: str | None
    checkpoints: int = Field(description="Signed checkpoints that hold.")
    checkpoints_known: bool = Field(description="Whether this machine has the key to look at them at all.")
    signed_at: datetime | None = Field(description="Time of the last checkpoint.")
    signed_entry: int | None = Field(description="The last entry it covers.")
    unsigned_entries: int | None = Field(description="Entries written since; null: none was ever made.")


class Filters(BaseModel):
    """Which entries are wanted. `action`, `object` and `address` are how these begin."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[AwareDatetime | None, Field(description="From this moment on.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Before this moment.")] = None
    actor: Annotated[str | None, Field(max_length=200, examples=["user:4"], pattern="^[^\\x00]*$")] = None
    action: Annotated[str | None, Field(max_length=100, examples=["sign_in"], pattern="^[^\\x00]*$")] = None
    object: Annotated[str | None, Field(max_length=200, examples=["asset:"], pattern="^[^\\x00]*$")] = None
    address: Annotated[str | None, Field(max_length=100, pattern="^[^\\x00]*$")] = None

    def filters(self) -> EntryFilters:
        """Give them as the queries take them."""
        return EntryFilters(
            self.since,
            self.until,
            (self.actor,) if self.actor else None,
            self.action,
            self.object,
            self.address,
        )


class ListParams(Filters, PageParams):
    """Which entries, and which page of them."""


class ExportParams(Filters):
    """Which entries, and in which form."""

    form: Annotated[
        Form, Field(description="entry: lines that can be verified; ocsf: events of the open schema.")
    ] = Form.ENTRY


@router.get("", response_model=Entries)
def list_all(caller: Auditor, session: TenantSession, params: Annotated[ListParams, Query()]) -> Response:
    """List what was done in the organization."""
    return _list(session, caller.organization_id, params)


@router.get("/verification", response_model=Verification)
def verification(request: Request, caller: Auditor, session: TenantSession) -> Response:
    """Walk the chain of hashes from the first entry, and compare it with the signed checkpoints."""
    return _verification(request, session, caller.organization_id)


@router.get("/export", response_class=StreamingResponse)
def export(request: Request, caller: Auditor, now: Now, params: Annotated[ExportParams, Query()]) -> Response:
    """Send the log as JSON Lines, however long; without filters the file proves itself."""
    return _export(request, caller.organization_id, now, params)


@router.get("/installation", response_model=Entries)
def list_installation(
    _caller: Installer, session: SystemSession, params: Annotated[ListParams, Query()]
) -> Response:
    """List what was done to the installation: sign-ins, accounts, organizations, feeds."""
    return _list(session, INSTALLATION, params)


@router.get("/installation/verification", response_model=Verification)
def verification_of_installation(request: Request, _caller: Installer, session: SystemSession) -> Response:
    """Walk the installation's own chain, and compare it with the signed checkpoints."""
    return _verification(request, session, INSTALLATION)


@router.get("/installation/export", response_class=StreamingResponse)
def export_installation(
    request: Request, _caller: Installer, now: Now, params: Annotated[ExportParams, Query()]
) -> Response:
    """Send the installation's log as JSON Lines."""
    return _export(request, INSTALLATION, now, params)


def _list(session: Session, chain: int, params: ListParams) -> Response:
    position = decode_cursor("audit", params.cursor, "i")
    before = int(str(position[0])) if position else None
    rows = list_entries(session, chain, before=before, limit=params.limit + 1, filters=params.filters())
    shown = rows[: params.limit]
    following = (shown[-1].id,) if len(rows) > params.limit else None
    return page([row._asdict() for row in shown], encode_cursor("audit", following))


def _verification(request: Request, session: Session, chain: int) -> Response:
    keys = known_keys(settings_of(request))
    proof = prove(session, chain, keys, None if keys else ())
    broken, signed = proof.walked.broken or proof.forged, last_signed(session, chain)
    return json(
        {
            "holds": proof.holds,
            "entries": proof.walked.entries,
            "head": proof.walked.head,
            "broken_entry": broken.entry_id if broken else None,
            "fault": broken.fault if broken else None,
            "reason": broken.reason if broken else None,
            "checkpoints": len(proof.checkpoints),
            "checkpoints_known": bool(keys),
            "signed_at": signed.at if signed else None,
            "signed_entry": signed.entry_id if signed else None,
            "unsigned_entries": signed.since if signed else None,
        }
    )


def _export(request: Request, chain: int, now: datetime, params: ExportParams) -> Response:
    database = exporting_of(request)
    opened = database.as_system if chain == INSTALLATION else lambda: database.as_organization(chain)

    # A session of its own: the answer is sent after those of the route have ended.
    def lines() -> Iterator[bytes]:
        with opened() as session:
            yield from WRITERS[params.form](session, chain, params.filters(), now=now)

    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return Streamed(lines(), media_type="application/x-ndjson", headers=headers)
