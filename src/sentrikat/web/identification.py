"""The identification queue: what could not be told for certain, and people's word for it."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.matching.correction import IGNORED, UNLISTED, Pattern
from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.inventory.corrections import correct, list_corrections, withdraw
from sentrikat.inventory.undecided import (
    COUNT_CAP,
    access_undecided,
    count_undecided,
    list_undecided,
    search_products,
)
from sentrikat.reactions import after_correction
from sentrikat.web import cursors
from sentrikat.web.context import Form, Now, SystemSession, TenantSession, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.people import names_for
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/identification")
Reader = Annotated[Visit, requires(Permission.INVENTORY_READ)]
Writer = Annotated[Visit, requires(Permission.INVENTORY_WRITE)]

ROWS = 25
Cursor = Annotated[str | None, Query(max_length=700)]
MEANINGS = {UNLISTED: "no source speaks of it", IGNORED: "not to be judged"}


@router.get("")
def queue(
    request: Request, visit: Reader, session: TenantSession, now: Now, after: Cursor = None
) -> Response:
    """List what is to be decided, with the likeliest product of each."""
    organization_id = visit.caller.organization_id
    corrections = list_corrections(session, organization_id)
    rows, following = list_undecided(
        session, organization_id, after=cast("tuple[int, int] | None", cursors.read(after, "ii")), limit=ROWS
    )
    return render(
        request,
        "identification.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        rows=rows,
        total=count_undecided(session, organization_id),
        cap=COUNT_CAP,
        corrections=corrections,
        names=names_for(request, visit, [one.author for one in corrections]),
        meanings=MEANINGS,
        next_cursor=cursors.write(following),
        after=after,
        may_decide=visit.caller.may(Permission.INVENTORY_WRITE),
    )


@router.get("/{component_id}")
def one(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    component_id: int,
    words: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show one title with every candidate, and search the catalogue for another product."""
    row = access_undecided(session, visit.caller.organization_id, component_id)
    return render(
        request,
        "identification_one.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        row=row,
        words=words,
        found=search_products(session, words),
        may_decide=visit.caller.may(Permission.INVENTORY_WRITE),
    )


@router.post("/decisions")
def decide(visit: Writer, session: SystemSession, now: Now, form: Form) -> Response:
    """Store people's word; findings of the organization's assets follow in the same transaction."""
    pattern = Pattern(*(form.get(name, "").strip() or None for name in ("title", "vendor", "bundle_id")))
    meaning = form.get("meaning", "").strip()
    if not meaning:
        raise InvalidInput(
            "Nothing was decided: no product was chosen.",
            hint="Choose a product, “no source speaks of it” or “not to be judged”. Nothing was changed.",
            fields={"meaning": "is missing"},
        )
    _, moved = correct(session, visit.caller, pattern, meaning, form.get("reason", ""), now=now)
    after_correction(session, moved, now=now)
    return see_other("/identification")


@router.post("/corrections/{correction_id}/withdrawal")
def take_back(visit: Writer, session: SystemSession, now: Now, correction_id: int, _form: Form) -> Response:
    """Take a correction back."""
    after_correction(session, withdraw(session, visit.caller, correction_id, now=now), now=now)
    return see_other("/identification")
