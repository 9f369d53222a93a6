"""Why the figures of a page are qualified, one line per reason, each leading to its cure."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from sentrikat.identity.access import Visit
from sentrikat.inventory.coverage import COUNT_CAP, coverage
from sentrikat.inventory.undecided import COUNT_CAP as UNDECIDED_CAP
from sentrikat.inventory.undecided import count_undecided
from sentrikat.vulnerabilities.freshness import FeedStatus, feed_statuses
from sentrikat.web.rendering import Doubt
from sentrikat.web.words import number, plural, span

_WORDS = {
    "held": "An update waits for approval",
    "rolled back": "Rolled back, not updated",
    "shrunken": "Less than usual",
    "drifted": "The format has changed",
    "failing": "The last update failed",
}


def doubts_of(session: Session, visit: Visit, now: datetime) -> list[Doubt]:
    """Give every reason there is; none is good news."""
    found = feed_doubts(feed_statuses(session, now))
    covered = coverage(session, visit.caller.organization_id, now)
    if covered.silent:
        words = f"{number(covered.silent)} of {plural(covered.assets, 'asset')} silent for two days"
        found.append(Doubt(words, "/assets?silent=yes"))
    if undecided := count_undecided(session, visit.caller.organization_id):
        count = f"more than {UNDECIDED_CAP:,}" if undecided > UNDECIDED_CAP else number(undecided)
        found.append(
            Doubt(f"{count} {'title' if undecided == 1 else 'titles'} to identify", "/identification")
        )
    if covered.unidentified:
        count = (
            f"more than {COUNT_CAP:,}" if covered.unidentified > COUNT_CAP else number(covered.unidentified)
        )
        one = covered.unidentified == 1
        found.append(Doubt(f"{count} {'product' if one else 'products'} not judged", "/unidentified"))
    return found


def feed_doubts(statuses: list[FeedStatus]) -> list[Doubt]:
    """Give one line for each way of not being fresh, naming the feeds."""
    never = [status.title for status in statuses if status.state == "never loaded"]
    found = []
    if never:
        named = ", ".join(never[:3]) + (f" and {len(never) - 3} more" if len(never) > 3 else "")
        found.append(Doubt(f"Never loaded: {named}", "/feeds"))
    old = [
        f"{status.title} {span(status.age)}"
        for status in statuses
        if status.state in {"stale", "late"} and status.age is not None
    ]
    if old:
        found.append(Doubt(f"Old data: {', '.join(old)}", "/feeds"))
    for state, words in _WORDS.items():
        titles = [status.title for status in statuses if status.state == state]
        if titles:
            found.append(Doubt(f"{words}: {', '.join(titles)}", "/feeds"))
    return found
