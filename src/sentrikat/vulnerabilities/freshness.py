"""How fresh each feed is, in words: stale is never shown as green."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.feeds.registry import FEEDS

# A feed is late when its last success is older than its pace, and stale at three times that.
STALE_AFTER_PACES = 3


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed. `state` is fresh, late, stale, failing or never loaded; only `fresh` is good.

    `data_as_of` is when the data held was fetched from its source, which for imported data is not when it came.
    """

    name: str
    title: str
    state: str
    license: str
    terms: str
    pace: timedelta
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    data_as_of: datetime | None
    age: timedelta | None
    record_count: int
    quarantined: int
    last_error: str | None
    last_outcome: str | None
    last_transport: str | None
    added: int
    changed: int
    withdrawn: int

    @property
    def good(self) -> bool:
        """Say whether figures may rest on this feed without a remark."""
        return self.state == "fresh"


_STATUSES = """
select f.name, f.last_attempt_at, f.last_success_at, f.data_as_of, f.record_count, f.last_error,
    (select count(*) from quarantined_record q where q.feed = f.name) as quarantined,
    r.outcome, r.transport, coalesce(r.added, 0) as added, coalesce(r.changed, 0) as changed,
    coalesce(r.withdrawn, 0) as withdrawn
from feed f
left join lateral (
    select * from feed_run where feed_run.feed = f.name order by started_at desc, id desc limit 1
) r on true
"""


def feed_statuses(session: Session, now: datetime) -> list[FeedStatus]:
    """Give the status of every feed there is, loaded or not, in the order they run."""
    rows = {row.name: row for row in session.execute(text(_STATUSES))}
    found = []
    for feed in FEEDS:
        row = rows.get(feed.name)
        # A bundle made last month is last month's data, whenever it was imported.
        moments = [one for one in (row.last_success_at, row.data_as_of) if one] if row else []
        last_good = min(moments) if len(moments) == 2 and row and row.transport != "network" else None
        last_good = last_good or (row.last_success_at if row else None)
        age = now - last_good if last_good else None
        found.append(
            FeedStatus(
                name=feed.name,
                title=feed.title,
                state=_state(age, feed.pace, row.last_error if row else None),
                license=feed.license,
                terms=feed.terms,
                pace=feed.pace,
                last_attempt_at=row.last_attempt_at if row else None,
                last_success_at=row.last_success_at if row else None,
                data_as_of=row.data_as_of if row else None,
                age=age,
                record_count=row.record_count if row else 0,
                quarantined=row.quarantined if row else 0,
                last_error=row.last_error if row else None,
                last_outcome=row.outcome if row else None,
                last_transport=row.transport if row else None,
                added=row.added if row else 0,
                changed=row.changed if row else 0,
                withdrawn=row.withdrawn if row else 0,
            )
        )
    return found


def _state(age: timedelta | None, pace: timedelta, error: str | None) -> str:
    if age is None:
        return "never loaded"
    if age > pace * STALE_AFTER_PACES:
        return "stale"
    if error is not None:
        return "failing"
    return "late" if age > pace else "fresh"
