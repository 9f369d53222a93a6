"""Bundles that were brought here, and the second person's word on those that wait."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.infra.clock import Clock
from sentrikat.vulnerabilities.bundle_approval import Verdict, decide_on_bundle, offered_bundles
from sentrikat.web.context import Form, Now, SystemSession, database_of, requires, settings_of
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/bundles")
Manager = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE)]
Decider = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


@router.get("")
def show(request: Request, visit: Manager, session: SystemSession, now: Now, asked: str = "") -> Response:
    """List the bundles, those that wait first."""
    return render(
        request,
        "bundles.html",
        visit=visit,
        now=now,
        bundles=offered_bundles(session, visit.caller),
        two_persons=settings_of(request).bundle_two_persons,
        asked=asked if asked in set(Verdict) else None,
    )


@router.post("/decision")
def decide(request: Request, visit: Decider, form: Form) -> Response:
    """Approve or reject a waiting bundle."""
    number = form.get("bundle", "")
    if form.get("decision") not in set(Verdict) or not number.isdecimal() or len(number) > 15:
        raise InvalidInput(
            "Nothing was decided: the form is not one of this page.", hint="Open the page again."
        )
    verdict, clock = Verdict(form["decision"]), _clock_of(request)
    decide_on_bundle(database_of(request), settings_of(request), visit.caller, int(number), verdict, clock)
    return see_other(f"/bundles?asked={verdict}")


def _clock_of(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock
