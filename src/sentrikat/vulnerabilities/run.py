"""One feed run: fetch, parse, stage, merge, and what follows from it, as one transaction.

A run that fails at any point leaves the data of the last good run in place; only the run's own record, written
apart, says that it was tried. A run that was killed is found by the next one and closed as failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sentrikat.domain.errors import SentriKatError
from sentrikat.feeds.adapter import Document, Feed, FeedState, FetchOptions, Quarantined, Transport
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.copy import copy_rows
from sentrikat.infra.database.locks import KNOWLEDGE, advisory_lock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.merge import Merged, merge
from sentrikat.vulnerabilities.staging import Staging

MOST_QUARANTINED = 1000  # kept with their reason; beyond, they are only counted

AfterMerge = Callable[[Session, Merged], None]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. `outcome` is succeeded, unchanged, failed or refused; `error` says why."""

    feed: str
    outcome: str
    documents: int = 0
    records: int = 0
    quarantined: int = 0
    merged: Merged | None = None
    error: str | None = None
    hint: str | None = None


def run_feed(
    database: Database,
    feed: Feed,
    transport: Transport,
    clock: Clock,
    *,
    transport_kind: str = "network",
    options: FetchOptions | None = None,
    after: AfterMerge | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Bring one feed up to date; `after` runs in the same transaction once the data is merged.

    Trouble with the source is part of the report, not an exception; trouble of ours (a full disk, a lost
    database) is raised after it was recorded as far as that is possible.
    """
    started = clock.now()
    options = replace(options or FetchOptions(), now=started)
    run_id = _begin(database, feed.name, transport_kind, started)
    try:
        report = _attempt(database, feed, transport, clock, options, run_id, after, progress)
    except SentriKatError as trouble:
        outcome = "refused" if trouble.code in {"conflict", "refused"} else "failed"
        report = RunReport(feed.name, outcome, error=trouble.message, hint=trouble.hint)
    except BaseException as trouble:
        report = RunReport(feed.name, "failed", error=f"{type(trouble).__name__}: {trouble}")
        try:
            _end(database, run_id, report, clock)
        except SQLAlchemyError as lost:
            # The next run closes this one; what matters to the caller is why it broke.
            trouble.add_note(f"The run could not be recorded as failed: {lost}")
        raise
    _end(database, run_id, report, clock)
    return report


def _attempt(
    database: Database,
    feed: Feed,
    transport: Transport,
    clock: Clock,
    options: FetchOptions,
    run_id: int,
    after: AfterMerge | None,
    progress: Progress | None,
) -> RunReport:
    with database.as_system() as session:
        # Two runs of one feed, by schedule and by hand: the second sees what the first brought.
        advisory_lock(session, f"feeds.run.{feed.name}")
        state = FeedState.from_json(
            session.scalar(text("select state from feed where name = :name"), {"name": feed.name})
        )
        staging = Staging(session, feed.name)
        documents: list[Document] = []
        quarantined: list[Quarantined] = []
        set_aside = 0
        for document in feed.fetch(transport, state, options):
            if not documents:
                staging.begin()
            documents.append(document)
            for record in _counted(feed.parse(document), progress):
                if isinstance(record, Quarantined):
                    set_aside += 1
                    if record.id:
                        staging.keep(record.id)
                    if len(quarantined) < MOST_QUARANTINED:
                        quarantined.append(record)
                else:
                    staging.add(record)
        if not documents:
            return RunReport(feed.name, "unchanged")
        # One merge at a time: ids of new targets must become visible in order (findings.match), and two merges that
        # touch the same flaw would wait for each other anyway. A slow source keeps nobody waiting: it is read by now.
        # Reports are taken in before or after, never beside (inventory.ingest): each side must see what the other
        # stored, or a new component would miss a new statement for good.
        advisory_lock(session, KNOWLEDGE)
        now = clock.now()
        complete = feed.complete and not any(document.cut for document in documents)
        merged = merge(session, staging, complete=complete, now=now)
        _keep_state(session, feed.name, state.after(documents), documents)
        _keep_quarantined(session, feed.name, run_id, quarantined)
        if after is not None:
            after(session, merged)
        return RunReport(
            feed.name,
            "succeeded",
            documents=len(documents),
            records=staging.records,
            quarantined=set_aside,
            merged=merged,
        )


def _counted(records: Iterable[Any], progress: Progress | None) -> Iterator[Any]:
    if progress is None:
        yield from records
        return
    count = 0
    for record in records:
        count += 1
        if count % 500 == 0:
            progress(500)
        yield record
    progress(count % 500)


def _begin(database: Database, name: str, transport_kind: str, now: datetime) -> int:
    with database.as_system() as session:
        session.execute(
            text(
                "insert into feed (name, last_attempt_at) values (:name, :now)"
                " on conflict (name) do update set last_attempt_at = excluded.last_attempt_at"
            ),
            {"name": name, "now": now},
        )
        # Runs of a feed do not overlap (its job holds a lock), so one still "running" was killed.
        session.execute(
            text(
                "update feed_run set outcome = 'failed', finished_at = :now,"
                " error = 'The run was interrupted; nothing of it was kept.'"
                " where feed = :name and outcome = 'running'"
            ),
            {"name": name, "now": now},
        )
        run_id: int = session.execute(
            text(
                "insert into feed_run (feed, transport, started_at, outcome)"
                " values (:name, :transport, :now, 'running') returning id"
            ),
            {"name": name, "transport": transport_kind, "now": now},
        ).scalar_one()
        return run_id


def _end(database: Database, run_id: int, report: RunReport, clock: Clock) -> None:
    now = clock.now()
    merged = report.merged
    with database.as_system() as session:
        session.execute(
            text(
                "update feed_run set finished_at = :now, outcome = :outcome, documents = :documents,"
                " records = :records, quarantined = :quarantined, added = :added, changed = :changed,"
                " withdrawn = :withdrawn, error = :error where id = :id"
            ),
            {
                "id": run_id,
                "now": now,
                "outcome": report.outcome,
                "documents": report.documents,
                "records": report.records,
                "quarantined": report.quarantined,
                "added": merged.added if merged else 0,
                "changed": merged.changed if merged else 0,
                "withdrawn": merged.withdrawn if merged else 0,
                "error": report.error,
            },
        )
        good = report.outcome in {"succeeded", "unchanged"}
        session.execute(
            text(
                "update feed set last_error = :error,"
                " last_success_at = case when :good then :now else last_success_at end where name = :name"
            ),
            {"name": report.feed, "error": report.error, "good": good, "now": now},
        )


def _keep_state(session: Session, name: str, state: FeedState, documents: list[Document]) -> None:
    fetched = max(document.fetched_at for document in documents)
    session.execute(
        text(
            "update feed set state = cast(:state as jsonb), data_as_of = :fetched,"
            " record_count = (select count(*) from advisory where source = :name and withdrawn_at is null)"
            " + (select count(*) from enrichment where source = :name and valid_to is null)"
            " where name = :name"
        ),
        {"name": name, "state": orjson.dumps(state.as_json()).decode(), "fetched": fetched},
    )


def _keep_quarantined(session: Session, name: str, run_id: int, records: list[Quarantined]) -> None:
    # What was set aside by earlier runs and is good now, or gone, is no longer of interest.
    session.execute(text("delete from quarantined_record where feed = :name"), {"name": name})
    copy_rows(
        session,
        "quarantined_record",
        ("feed", "feed_run_id", "record", "reason", "excerpt"),
        ((name, run_id, one.id or "?", one.reason, one.excerpt) for one in records),
    )
