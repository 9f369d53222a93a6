"""How each feed stands, in words: whatever qualifies it is never shown as green."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.feeds.adapter import Feed
from sentrikat.feeds.registry import FEEDS
from sentrikat.vulnerabilities.canary import HISTORY, Effect, Remark, expectation_of
from sentrikat.vulnerabilities.candidates import Candidate, candidates

# A feed is late when its last success is older than its pace, and stale at three times that.
STALE_AFTER_PACES = 3
CLOCK_TOLERANCE = timedelta(minutes=5)  # between two machines that keep their time

STATES = (
    "fresh",
    "late",
    "stale",
    "failing",
    "drifted",
    "shrunken",
    "held",
    "rolled back",
    "never loaded",
)


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed. `state` is one of STATES; only `fresh` is good. `problems` say why not, `remedy` what to do.

    `data_as_of` is when the data held was fetched from its source, which for imported data is not when it came.
    `usual_records` is the band a whole run is expected in; None where runs differ by nature.
    """

    name: str
    title: str
    state: str
    license: str
    terms: str
    pace: timedelta
    last_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    data_as_of: datetime | None = None
    age: timedelta | None = None
    record_count: int = 0
    quarantined: int = 0
    last_error: str | None = None
    last_outcome: str | None = None
    last_transport: str | None = None
    added: int = 0
    changed: int = 0
    withdrawn: int = 0
    problems: tuple[str, ...] = ()
    remedy: str | None = None
    usual_records: tuple[int, int] | None = None
    usual_changes: tuple[int, int] | None = None
    unfamiliar: Mapping[str, int] = field(default_factory=dict)
    candidate: Candidate | None = None
    rolled_back_at: datetime | None = None
    rolled_back_to: int | None = None

    @property
    def good(self) -> bool:
        """Say whether figures may rest on this feed without a remark."""
        return self.state == "fresh"


# The last attempt tells how it went; the last that brought something, what it is like.
_STATUSES = """
select f.name, f.last_attempt_at, f.last_success_at, f.data_as_of, f.record_count, f.last_error, f.rolled_back_at,
    f.rolled_back_to, (select count(*) from quarantined_record q where q.feed = f.name) as quarantined,
    r.outcome, coalesce(b.transport, r.transport) as transport, coalesce(r.added, 0) as added,
    coalesce(r.changed, 0) as changed, coalesce(r.withdrawn, 0) as withdrawn,
    coalesce(b.remarks, '{}'::jsonb) as remarks
from feed f
left join lateral (
    select * from feed_run where feed_run.feed = f.name order by started_at desc, id desc limit 1
) r on true
left join lateral (
    select remarks, transport from feed_run
    where feed_run.feed = f.name and outcome = 'succeeded' and merged_at is not null order by id desc limit 1
) b on true
"""

_BANDS = text("""
select feed, min(records) as fewest, max(records) as most, min(added + changed) as quietest,
    max(added + changed) as busiest
from (
    select feed, records, added, changed, row_number() over (partition by feed order by id desc) as place
    from feed_run
    where outcome = 'succeeded' and transport <> 'rollback' and records > 0
      and not coalesce((remarks->>'cut')::boolean, false)
) as last
where place <= :limit group by feed
""")


def feed_statuses(session: Session, now: datetime) -> list[FeedStatus]:
    """Give the status of every feed there is, loaded or not, in the order they run."""
    rows = {row.name: row for row in session.execute(text(_STATUSES))}
    held = candidates(session)
    bands = {row.feed: row for row in session.execute(_BANDS, {"limit": HISTORY})}
    return [_status(one, rows.get(one.name), held.get(one.name), bands.get(one.name), now) for one in FEEDS]


def _status(feed: Feed, row: Any, candidate: Candidate | None, band: Any, now: datetime) -> FeedStatus:
    if row is None:
        return FeedStatus(
            feed.name,
            feed.title,
            "never loaded",
            feed.license,
            feed.terms,
            feed.pace,
            problems=("nothing of it was ever loaded",),
            remedy=f"Fetch it: sentrikat feeds refresh {feed.name}, or import a bundle.",
        )
    # A bundle made last month is last month's data, whenever it was imported.
    moments = [one for one in (row.last_success_at, row.data_as_of) if one]
    last_good = min(moments) if len(moments) == 2 and row.transport != "network" else row.last_success_at
    age = now - last_good if last_good else None
    # What somebody let live knowing it is odd is not odd any more.
    remarks = (
        [] if "accepted_by" in row.remarks else [Remark(**one) for one in row.remarks.get("remarks", ())]
    )
    state, problems, remedy = _judged(feed, row, age, remarks, candidate)
    whole = expectation_of(feed.name).whole
    return FeedStatus(
        name=feed.name,
        title=feed.title,
        state=state,
        license=feed.license,
        terms=feed.terms,
        pace=feed.pace,
        last_attempt_at=row.last_attempt_at,
        last_success_at=row.last_success_at,
        data_as_of=row.data_as_of,
        age=age,
        record_count=row.record_count,
        quarantined=row.quarantined,
        last_error=row.last_error,
        last_outcome=row.outcome,
        last_transport=row.transport,
        added=row.added,
        changed=row.changed,
        withdrawn=row.withdrawn,
        problems=problems,
        remedy=remedy,
        usual_records=(band.fewest, band.most) if band is not None and whole else None,
        usual_changes=(band.quietest, band.busiest) if band is not None else None,
        unfamiliar=row.remarks.get("unfamiliar", {}),
        candidate=candidate,
        rolled_back_at=row.rolled_back_at,
        rolled_back_to=row.rolled_back_to,
    )


def _judged(
    feed: Feed, row: Any, age: timedelta | None, remarks: list[Remark], candidate: Candidate | None
) -> tuple[str, tuple[str, ...], str | None]:
    """Give state, reasons and remedy, the state that asks most of somebody first."""
    name = feed.name
    if candidate is not None:
        return (
            "held",
            (candidate.effect.words(), *(one.words for one in candidate.remarks)),
            f"Look at it, then: sentrikat feeds approve {name}, or reject {name}.",
        )
    if row.rolled_back_at is not None:
        return (
            "rolled back",
            (f"the data of run {row.rolled_back_to} is in use, and nothing new is fetched",),
            f"Once its source is good again: sentrikat feeds release {name}.",
        )
    if age is None:
        return (
            "never loaded",
            (row.last_error or "nothing of it was ever loaded",),
            f"Fetch it: sentrikat feeds refresh {name}, or import a bundle.",
        )
    if age < -CLOCK_TOLERANCE:
        return (
            "stale",
            ("its last success lies in the future, so its age is unknown: the clock was set back",),
            f"Check the clock of this machine, then: sentrikat feeds refresh {name}.",
        )
    if age > feed.pace * STALE_AFTER_PACES:
        why = (
            f"its data is {_days(age)} old, more than three times its pace of {_days(feed.pace)}",
            *([row.last_error] if row.last_error else []),
        )
        return "stale", why, f"Fetch it: sentrikat feeds refresh {name}, or import a newer bundle."
    if row.last_error is not None:
        return (
            "failing",
            (row.last_error,),
            "The next run tries again; docs/admin/feeds.md says what messages mean.",
        )
    for state in ("shrunken", "drifted"):
        words = tuple(one.words for one in remarks if one.state == state)
        if words:
            remedy = (
                f"Fetch it again: sentrikat feeds refresh {name}; if it stays so, roll it back."
                if state == "shrunken"
                else "Update SentriKat: the source has changed its format."
            )
            return state, words, remedy
    if age > feed.pace:
        return "late", ("its last update was missed",), "The next run tries again."
    return "fresh", (), None


def _days(length: timedelta) -> str:
    """Write an age in days, in hours below two of them."""
    hours = int(length.total_seconds()) // 3600
    return f"{hours} h" if hours < 48 else f"{hours // 24:,} days"


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a feed, as its page and the API show it."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    transport: str
    outcome: str
    documents: int
    records: int
    added: int
    changed: int
    withdrawn: int
    quarantined: int
    error: str | None
    effect: str | None
    can_return: bool  # a rollback to the state after it can be done


MOST_RUNS = 50  # shown; unchanged ones are most of them


def runs_of(session: Session, feed: str, *, notable: bool = False) -> list[RunRow]:
    """Give a feed's last runs, the newest first; `notable`: without those that found nothing new."""
    rows = session.execute(
        text(
            "select *, merged_at is not null and outcome = 'succeeded' and exists ("
            "   select from feed_run l where l.feed = r.feed and l.id > r.id and l.merged_at is not null"
            "     and l.outcome in ('succeeded', 'rolled_back'))"
            " and not exists ("
            "   select from feed_run l where l.feed = r.feed and l.id > r.id and l.merged_at is not null"
            "     and l.outcome in ('succeeded', 'rolled_back') and not l.undoable) as can_return"
            " from feed_run r where feed = :feed and (outcome <> 'unchanged' or not :notable)"
            " order by started_at desc, id desc limit :limit"
        ),
        {"feed": feed, "limit": MOST_RUNS, "notable": notable},
    )
    return [
        RunRow(
            id=row.id,
            started_at=row.started_at,
            finished_at=row.finished_at,
            transport=row.transport,
            outcome=row.outcome,
            documents=row.documents,
            records=row.records,
            added=row.added,
            changed=row.changed,
            withdrawn=row.withdrawn,
            quarantined=row.quarantined,
            error=row.error,
            effect=Effect.from_json(row.remarks["effect"]).words() if "effect" in row.remarks else None,
            can_return=row.can_return,
        )
        for row in rows
    ]
