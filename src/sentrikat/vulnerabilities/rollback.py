"""Undo the last runs of a feed: what they said is taken back, what was said before is said again.

The past is not rewritten. A rollback is a run of its own that brings the records of then: advisories from the
documents that were replaced (`past`), facts from their own closed rows. So "what did we know on that day" keeps its
answer, and a rollback can be rolled back. Afterwards the feed waits until it is released, or its source would bring
the same data back within the hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.advisory import Advisory
from sentrikat.domain.errors import Conflict, NotFound, SentriKatError
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.adapter import FeedState
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.locks import KNOWLEDGE, advisory_lock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities import likelihoods
from sentrikat.vulnerabilities.aliases import forget_aliases, unfile
from sentrikat.vulnerabilities.canary import Effect, FindingsChange
from sentrikat.vulnerabilities.candidates import drop_candidate
from sentrikat.vulnerabilities.enrichments import restore_facts
from sentrikat.vulnerabilities.merge import PREFERRED_SCORES, Merged, merge
from sentrikat.vulnerabilities.packing import unpacked
from sentrikat.vulnerabilities.past import RESTORE_WORDS
from sentrikat.vulnerabilities.run import AfterMerge, merge_moment
from sentrikat.vulnerabilities.run_record import RECORDS_HELD, RunReport, begin_run, end_run
from sentrikat.vulnerabilities.staging import Staging

TRANSPORT = "rollback"
_AT_ONCE = 2_000  # advisories read into memory
_ADVISORY: TypeAdapter[Advisory] = TypeAdapter(Advisory)


@dataclass(frozen=True, slots=True)
class Span:
    """The run whose data will be in use, and those undone for it."""

    target: int
    moment: datetime  # of the target's facts
    started: datetime
    state: FeedState
    undone: tuple[int, ...]


def roll_back(
    database: Database,
    feed: str,
    clock: Clock,
    caller: Caller,
    *,
    to: int | None = None,
    after: AfterMerge | None = None,
) -> RunReport:
    """Go back to the state after the run `to`, or to before the last run that brought something."""
    caller.require(Permission.INSTALLATION_MANAGE)
    with database.as_system() as session:
        span_of(session, feed, to)  # refused before anything is written
    run_id = begin_run(database, feed, TRANSPORT, clock.now())
    try:
        with database.as_system() as session:
            report = _undo(session, feed, run_id, clock, caller, to, after)
    except SentriKatError as trouble:
        end_run(database, run_id, RunReport(feed, "failed", error=trouble.message, hint=trouble.hint), clock)
        raise
    except BaseException as trouble:
        end_run(
            database, run_id, RunReport(feed, "failed", error=f"{type(trouble).__name__}: {trouble}"), clock
        )
        raise
    end_run(database, run_id, report, clock)
    return report


def release(session: Session, caller: Caller, feed: str, *, now: datetime) -> None:
    """Let a feed that was rolled back be brought up to date again."""
    caller.require(Permission.INSTALLATION_MANAGE)
    run = session.execute(
        text(
            "update feed f set rolled_back_at = null, rolled_back_to = null from feed o"
            " where f.name = :name and o.name = f.name and o.rolled_back_at is not null returning o.rolled_back_to"
        ),
        {"name": feed},
    ).scalar()
    if run is None:
        raise Conflict(f"{feed} was not released: it is not rolled back.", hint="Nothing was changed.")
    _audit(session, caller, "feed.released", feed, {"run": run}, now)


_RUNS = text("""
select id, outcome, transport, started_at, merged_at, state, undoable from feed_run
where feed = :feed and merged_at is not null and outcome in ('succeeded', 'rolled_back') order by id
""")


def span_of(session: Session, feed: str, to: int | None) -> Span:
    """Say what a rollback would undo; Conflict or NotFound where it cannot be done."""
    runs = session.execute(_RUNS, {"feed": feed}).all()
    good = [run for run in runs if run.outcome == "succeeded"]
    brought = [run for run in good if run.transport != TRANSPORT]
    if to is None:
        if len(brought) < 2:
            raise Conflict(
                f"{feed} was not rolled back: there is no earlier run to go back to.",
                hint="Its first fill cannot be undone. Nothing was changed.",
            )
        target = brought[-2]
    else:
        found = [run for run in good if run.id == to]
        if not found:
            raise NotFound(
                f"{feed} was not rolled back: run {to} brought nothing that could be gone back to.",
                hint=f"Runs: {', '.join(str(run.id) for run in brought[-10:]) or 'none'}. Nothing was changed.",
            )
        target = found[0]
    undone = [run for run in runs if run.id > target.id]
    if not undone:
        raise Conflict(
            f"{feed} was not rolled back: the data of run {target.id} is in use already.",
            hint="Nothing was changed.",
        )
    if not all(run.undoable for run in undone):
        first = next(run for run in undone if not run.undoable)
        raise Conflict(
            f"{feed} was not rolled back: what run {first.id} of {first.started_at:%d %B %Y} replaced is not kept.",
            hint="A first fill cannot be undone, nor a run older than SENTRIKAT_FEED_ROLLBACK_DAYS."
            " Nothing was changed.",
        )
    return Span(
        target=target.id,
        moment=target.merged_at,
        started=target.started_at,
        # Without validators, so that the next run fetches; with cursors, so that it knows from where on.
        state=replace(FeedState.from_json(target.state), validators={}),
        undone=tuple(run.id for run in undone),
    )


def _undo(
    session: Session,
    feed: str,
    run_id: int,
    clock: Clock,
    caller: Caller,
    to: int | None,
    after: AfterMerge | None,
) -> RunReport:
    advisory_lock(session, f"feeds.run.{feed}")
    span = span_of(session, feed, to)
    drop_candidate(session, feed, "replaced")
    before = session.scalar(text("select record_count from feed where name = :name"), {"name": feed}) or 0
    staging = Staging(session, feed)
    staging.begin()
    gone: list[int] = []
    for advisory_id, document in _records_of_then(session, span.undone):
        if document is None:
            gone.append(advisory_id)
        else:
            staging.add(_ADVISORY.validate_json(unpacked(document)))
    advisory_lock(session, KNOWLEDGE)
    now = merge_moment(session, clock.now())
    forget_aliases(session, feed, span.undone)
    merged = merge(session, staging, complete=False, now=now, run_id=run_id, undoable=True, withdraw=gone)
    if unfile(session, span.undone):
        session.execute(text(PREFERRED_SCORES))
    restore_facts(session, feed, since=span.moment, now=now)
    if feed == likelihoods.SOURCE:
        likelihoods.restore_likelihoods(session, since=span.moment, now=now)
    session.execute(text(RESTORE_WORDS), {"undone": list(span.undone), "source": feed})
    merged = replace(
        merged,
        changed_statements=_count(session, "changed_statement"),
        changed_enrichments=_count(session, "changed_enrichment"),
        since=span.moment,
    )
    findings = after(session, merged) if after is not None else None
    effect = _effect(session, staging, merged, before, findings)
    _settle(session, feed, run_id, span, effect, merged, now)
    detail = {"to": span.target, "undone": list(span.undone), "effect": effect.words()}
    _audit(session, caller, "feed.rolled_back", feed, detail, clock.now())
    return RunReport(feed, "succeeded", records=staging.records, merged=merged, effect=effect)


_THEN = text("""
select distinct on (advisory_id) advisory_id, document from advisory_past
where feed_run_id = any(cast(:undone as bigint[])) and advisory_id > :after
order by advisory_id, feed_run_id, id limit :limit
""")


def _records_of_then(session: Session, undone: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
    """Give each advisory the runs touched with its document of before the first of them; None: it was not there."""
    after = 0
    while rows := session.execute(_THEN, {"undone": list(undone), "after": after, "limit": _AT_ONCE}).all():
        for row in rows:
            yield row.advisory_id, row.document
        after = rows[-1].advisory_id


def _count(session: Session, table: str) -> int:
    return session.scalar(text(f"select count(*) from {table}")) or 0  # noqa: S608


def _effect(
    session: Session, staging: Staging, merged: Merged, before: int, findings: FindingsChange | None
) -> Effect:
    flaws, products = session.execute(
        text("select count(distinct vulnerability_id), count(distinct product_id) from changed_statement")
    ).one()
    return Effect(
        records=staging.records,
        records_before=before,
        added=merged.added,
        changed=merged.changed,
        withdrawn=merged.withdrawn,
        statements_opened=merged.statements,
        statements_closed=merged.statements_closed,
        flaws=flaws,
        products=products,
        findings=findings or FindingsChange(),
    )


def _settle(
    session: Session, feed: str, run_id: int, span: Span, effect: Effect, merged: Merged, now: datetime
) -> None:
    values: dict[str, Any] = {
        "name": feed,
        "run": run_id,
        "now": now,
        "at": merged.at,
        "target": span.target,
        "started": span.started,
        "undone": list(span.undone),
        "state": orjson.dumps(span.state.as_json()).decode(),
        "remarks": orjson.dumps({"effect": effect.as_json(), "to": span.target}).decode(),
    }
    for statement in _SETTLE:
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        session.execute(text(statement), wanted)


_SETTLE = (
    (
        "update feed set state = cast(:state as jsonb), data_as_of = :started, rolled_back_at = :now,"  # noqa: S608
        f" rolled_back_to = :target, record_count = {RECORDS_HELD} where name = :name"
    ),
    "update feed_run set outcome = 'rolled_back' where id = any(cast(:undone as bigint[])) and outcome = 'succeeded'",
    (
        "update feed_run set merged_at = :at, undoable = true, state = cast(:state as jsonb),"
        " remarks = cast(:remarks as jsonb) where id = :run"
    ),
    "delete from quarantined_record where feed_run_id = any(cast(:undone as bigint[]))",
)


def _audit(
    session: Session, caller: Caller, action: str, feed: str, detail: dict[str, Any], now: datetime
) -> None:
    record(session, replace(caller, organization_id=0), action, f"feed:{feed}", detail, now=now)
