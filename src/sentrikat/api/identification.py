"""The identification queue, and what people decide of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json, page
from sentrikat.api.context import Now, SystemSession, TenantSession, requires
from sentrikat.api.paging import PageParams, decode_cursor, encode_cursor
from sentrikat.domain.matching.correction import Pattern
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.inventory.corrections import correct, list_corrections, withdraw
from sentrikat.inventory.models import TitleCorrection
from sentrikat.inventory.undecided import list_undecided, search_products
from sentrikat.reactions import after_correction

router = APIRouter(prefix="/identification", tags=["identification"])
Reader = Annotated[Caller, requires(Permission.INVENTORY_READ)]
Writer = Annotated[Caller, requires(Permission.INVENTORY_WRITE)]


class CandidateAnswer(Answer):
    """A product that a title may mean. `score` 0..1; `evidence` says why."""

    product: str
    title: str | None
    score: float
    evidence: list[str]


class UndecidedAnswer(Answer):
    """Software of one title that could not be told for certain, in all its versions."""

    component_id: int
    kind: str
    name: str
    vendor: str | None
    bundle_id: str | None
    versions: list[str]
    assets: int
    candidates: list[CandidateAnswer]


class Queue(Answer):
    """A page of the queue; what is on the most assets stands first."""

    items: list[UndecidedAnswer]
    next_cursor: str | None


class CorrectionAnswer(Answer):
    """What people of the organization said software is. Patterns: `*` stands for any text."""

    id: int
    title: str | None
    vendor: str | None
    bundle_id: str | None
    meaning: str
    reason: str
    author: str
    created_at: datetime


class Corrections(Answer):
    """Every correction of the organization, the newest first: the first that fits counts."""

    items: list[CorrectionAnswer]


class FoundProductAnswer(Answer):
    """A product of the catalogue."""

    product: str
    title: str | None


class FoundProducts(Answer):
    """The products that resemble the words, at most 20, the likest first."""

    items: list[FoundProductAnswer]


class SearchParams(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    words: Annotated[
        str, Field(min_length=2, max_length=200, description="Any part of maker, product or title.")
    ]


class NewCorrection(BaseModel):
    """Software of this title, maker or bundle id is this product, or none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str | None, Field(max_length=500, description="Pattern; `*` stands for any text.")] = (
        None
    )
    vendor: Annotated[str | None, Field(max_length=500)] = None
    bundle_id: Annotated[str | None, Field(max_length=500)] = None
    meaning: Annotated[
        str,
        Field(
            max_length=1000,
            description="vendor:product as in CPE names; `unlisted`: no source speaks of it;"
            " `ignored`: not to be judged.",
        ),
    ]
    reason: Annotated[str, Field(min_length=5, max_length=500, description="Why; kept in the audit log.")]


@router.get("", response_model=Queue)
def list_queue(caller: Reader, session: TenantSession, params: Annotated[PageParams, Query()]) -> Response:
    """List the software that could not be told for certain, with what it may be."""
    rows, following = list_undecided(
        session,
        caller.organization_id,
        after=decode_cursor("identification", params.cursor, "ii"),  # type: ignore[arg-type]  # of that shape
        limit=params.limit,
    )
    items = [
        {
            "component_id": row.component_id,
            "kind": row.kind,
            "name": row.name,
            "vendor": row.vendor,
            "bundle_id": row.bundle_id,
            "versions": list(row.versions),
            "assets": row.assets,
            "candidates": [
                {
                    "product": one.product,
                    "title": one.title,
                    "score": one.score,
                    "evidence": list(one.evidence),
                }
                for one in row.candidates
            ],
        }
        for row in rows
    ]
    return page(items, encode_cursor("identification", following))


@router.get("/products", response_model=FoundProducts)
def search(_caller: Reader, session: TenantSession, params: Annotated[SearchParams, Query()]) -> Response:
    """Search the catalogue of products."""
    found = search_products(session, params.words)
    return json({"items": [{"product": one.product, "title": one.title} for one in found]})


@router.get("/corrections", response_model=Corrections)
def list_made(caller: Reader, session: TenantSession) -> Response:
    """List the organization's corrections."""
    return json({"items": [_correction(one) for one in list_corrections(session, caller.organization_id)]})


@router.post("/corrections", response_model=CorrectionAnswer, status_code=201)
def make(caller: Writer, session: SystemSession, now: Now, wanted: NewCorrection) -> Response:
    """Say what software is; the organization's findings follow in the same transaction, nobody else's change."""
    pattern = Pattern(wanted.title, wanted.vendor, wanted.bundle_id)
    made, moved = correct(session, caller, pattern, wanted.meaning, wanted.reason, now=now)
    after_correction(session, moved, now=now)
    return json(_correction(made), status=201)


@router.delete("/corrections/{correction_id}", status_code=204)
def take_back(caller: Writer, session: SystemSession, now: Now, correction_id: int) -> Response:
    """Take a correction back; the organization's findings follow in the same transaction."""
    after_correction(session, withdraw(session, caller, correction_id, now=now), now=now)
    return Response(status_code=204)


def _correction(one: TitleCorrection) -> dict[str, object]:
    return {
        "id": one.id,
        "title": one.title,
        "vendor": one.vendor,
        "bundle_id": one.bundle_id,
        "meaning": one.meaning,
        "reason": one.reason,
        "author": one.author,
        "created_at": one.created_at,
    }
