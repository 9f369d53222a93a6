"""What an administrator decides about a feed in a browser or over the API: written down now, done by a job."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from sentrikat.domain.permissions import Caller, Permission
from sentrikat.infra.jobs.queue import enqueue
from sentrikat.vulnerabilities.candidates import decide_approval, reject_candidate
from sentrikat.vulnerabilities.rollback import release, span_of


class Decision(StrEnum):
    """What can be decided."""

    APPROVE = "approve"
    REJECT = "reject"
    ROLL_BACK = "rollback"
    RELEASE = "release"


def decide(
    session: Session, caller: Caller, feed: str, decision: Decision, run: int | None, *, now: datetime
) -> bool:
    """Do what was decided, or queue it; give whether it takes a while.

    `run` is the held run looked at, or the one whose data is to be in use again.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    if decision is Decision.REJECT:
        reject_candidate(session, caller, feed, run, now=now)
        return False
    if decision is Decision.RELEASE:
        release(session, caller, feed, now=now)
        return False
    lock = f"feed:{feed}"
    if decision is Decision.APPROVE:
        held = decide_approval(session, caller, feed, run, now=now)
        enqueue(session, "approve_feed", queue="feeds", lock=lock, name=feed, run_id=held.run_id)
    else:
        span = span_of(session, feed, run)
        enqueue(
            session,
            "roll_back_feed",
            queue="feeds",
            lock=lock,
            queueing_lock=f"roll_back_feed:{feed}",
            name=feed,
            to=span.target,
            actor=caller.actor,
            address=caller.address,
        )
    return True
