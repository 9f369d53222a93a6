"""Bundles that were brought to this installation, and the second person's word on those that wait."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import SystemSession, database_of, requires, settings_of
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.infra.clock import Clock
from sentrikat.vulnerabilities.bundle_approval import Verdict, decide_on_bundle, offered_bundles

router = APIRouter(prefix="/bundles", tags=["Feeds"])
Manager = Annotated[Caller, requires(Permission.INSTALLATION_MANAGE)]
Decider = Annotated[Caller, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


class Part(Answer):
    """What a bundle holds of one feed."""

    feed: str
    documents: int
    bytes: int = Field(description="Unpacked.")


class Bundle(Answer):
    """A bundle that was offered here."""

    id: int
    maker: str = Field(description="Who makes bundles of this origin, as its key says.")
    origin: str
    sequence: int = Field(description="Its number among those of its origin.")
    is_delta: bool
    made_at: datetime
    sha256: str = Field(description="Of its manifest, which names every document with its digest.")
    bytes: int | None = Field(description="Of the file; none where nobody had to approve it.")
    holds: list[Part]
    state: str = Field(description="pending, rejected, importing, incomplete or imported.")
    waits: bool = Field(description="A second person may decide.")
    may_approve: bool = Field(description="You may: it waits, and you are not who brought it.")
    offered_at: datetime
    offered_by: str
    decided_at: datetime | None
    decided_by: str | None
    finished_at: datetime | None
    trouble: str | None = Field(description="Why an approved one was not taken in.")
    not_taken_in: dict[str, str] = Field(description="Feeds of it that were not, with what became of them.")


class Bundles(Answer):
    """The last 100 bundles: those that wait first, then the newest."""

    items: list[Bundle]


class Decided(Answer):
    """Whether a job takes it in now (`under_way`) or it is done."""

    under_way: bool


@router.get("", response_model=Bundles)
def list_all(caller: Manager, session: SystemSession) -> Response:
    """List the bundles that were brought here."""
    return json({"items": [asdict(one) for one in offered_bundles(session, caller)]})


@router.post("/{bundle_id}/{verdict}", status_code=202, response_model=Decided)
def decide(request: Request, caller: Decider, bundle_id: int, verdict: Verdict) -> Response:
    """Approve or reject a waiting bundle, as a second person."""
    clock: Clock = request.app.state.clock
    under_way = decide_on_bundle(
        database_of(request), settings_of(request), caller, bundle_id, verdict, clock
    )
    return json({"under_way": under_way}, status=202)
