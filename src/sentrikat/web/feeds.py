"""Feeds: where our knowledge comes from, how far it can be trusted, and what is decided about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy import text

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Permission
from sentrikat.feeds.registry import feed
from sentrikat.identity.access import Visit
from sentrikat.vulnerabilities.bundle_approval import count_waiting
from sentrikat.vulnerabilities.coverage import OVERALL, WINDOW, coverage_of_new_flaws
from sentrikat.vulnerabilities.decisions import Decision, decide
from sentrikat.vulnerabilities.freshness import feed_statuses, runs_of
from sentrikat.web.context import Form, Now, TenantSession, database_of, requires
from sentrikat.web.people import names_for
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other
from sentrikat.web.words import span

router = APIRouter(prefix="/feeds")
Reader = Annotated[Visit, requires(Permission.KNOWLEDGE_READ)]
Manager = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE)]

MOST_QUARANTINED = 20  # shown

# What a page says after a decision whose work is done by a job.
_ASKED = {"approve": "The held run is going live", "rollback": "The rollback is under way"}


@router.get("")
def show(request: Request, visit: Reader, session: TenantSession, now: Now) -> Response:
    """Say how every feed stands; only fresh ones are good."""
    statuses = feed_statuses(session, now)
    coverage = coverage_of_new_flaws(session, now)
    return render(
        request,
        "feeds.html",
        visit=visit,
        now=now,
        statuses=statuses,
        fresh=sum(status.good for status in statuses),
        ages={status.name: span(status.age) for status in statuses if status.age is not None},
        paces={status.name: span(status.pace) for status in statuses},
        coverage=coverage,
        overall=coverage[OVERALL],
        window=WINDOW.days,
        bundles_waiting=_bundles_waiting(request, visit),
    )


def _bundles_waiting(request: Request, visit: Visit) -> int | None:
    """Give how many bundles wait for a second person; None for who may not decide."""
    if not visit.caller.may(Permission.INSTALLATION_MANAGE):
        return None
    with database_of(request).as_system() as session:
        return count_waiting(session)


@router.get("/{name}")
def show_one(
    request: Request, visit: Reader, session: TenantSession, now: Now, name: str, asked: str = ""
) -> Response:
    """Show one feed: why it stands as it does, what its runs did, and what can be decided."""
    wanted = feed(name)
    status = next(one for one in feed_statuses(session, now) if one.name == wanted.name)
    quarantined = session.execute(
        text(
            "select record, reason, excerpt from quarantined_record where feed = :name order by id limit :limit"
        ),
        {"name": name, "limit": MOST_QUARANTINED},
    ).all()
    return render(
        request,
        "feed.html",
        visit=visit,
        now=now,
        source=status,
        age=span(status.age) if status.age is not None else None,
        pace=span(status.pace),
        coverage=coverage_of_new_flaws(session, now).get(name),
        window=WINDOW.days,
        runs=runs_of(session, name, notable=True),
        quarantined=quarantined,
        asked=_ASKED.get(asked),
        names=names_for(
            request, visit, [status.candidate.decided_by or ""] if status.candidate is not None else []
        ),
    )


@router.post("/decision")
def decide_on(request: Request, visit: Manager, now: Now, form: Form) -> Response:
    """Approve or reject a held run, roll back, or release."""
    wanted, run = feed(form.get("feed", "")), form.get("run", "")
    if form.get("decision") not in set(Decision) or not (run == "" or run.isdecimal()):
        raise InvalidInput(
            "Nothing was decided: the form is not one of this page.", hint="Open the page again."
        )
    decision = Decision(form["decision"])
    with database_of(request).as_system() as session:
        decide(session, visit.caller, wanted.name, decision, int(run) if run else None, now=now)
    return see_other(f"/feeds/{wanted.name}?asked={decision}")
