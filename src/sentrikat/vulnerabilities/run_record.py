"""What is written down of a feed run: that it began, how it ended, where the feed stands after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.feeds.adapter import Document, FeedState, Quarantined
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.copy import copy_rows
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.canary import Effect, Remark
from sentrikat.vulnerabilities.likelihoods import SOURCE as LIKELIHOODS
from sentrikat.vulnerabilities.merge import Merged

# How many records of the feed `:name` are in use. Likelihoods are counted where each flaw has its newest.
RECORDS_HELD = f"""(
    (select count(*) from advisory where source = :name and withdrawn_at is null)
    + (select count(*) from enrichment where source = :name and valid_to is null)
    + (select count(*) from release_cycle where source = :name and valid_to is null)
    + (select count(*) from catalogue_product where source = :name)
    + case when :name = '{LIKELIHOODS}' then (select count(*) from vulnerability where epss is not null) else 0 end
)"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. `outcome` is succeeded, unchanged, failed, refused or held; `error` says why."""

    feed: str
    outcome: str
    documents: int = 0
    records: int = 0
    quarantined: int = 0
    merged: Merged | None = None
    error: str | None = None
    hint: str | None = None
    effect: Effect | None = None
    remarks: tuple[Remark, ...] = ()


def begin_run(database: Database, name: str, transport_kind: str, now: datetime) -> int:
    """Write down that a run has begun, and close one that was killed."""
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


def end_run(database: Database, run_id: int, report: RunReport, clock: Clock) -> None:
    """Write down how a run ended, whether or not what it did was kept."""
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


def keep_state(
    session: Session, name: str, run_id: int, state: FeedState, documents: Sequence[Document], now: datetime
) -> None:
    """Keep where the feed stands after a run, with the feed and with the run."""
    stored = orjson.dumps(state.as_json()).decode()
    session.execute(
        text("update feed_run set state = cast(:state as jsonb) where id = :id"),
        {"state": stored, "id": run_id},
    )
    session.execute(
        text(
            "update feed set state = cast(:state as jsonb), data_as_of = :fetched,"  # noqa: S608
            " filled_at = coalesce(filled_at, cast(:filled as timestamptz)),"
            f" record_count = {RECORDS_HELD} where name = :name"
        ),
        {
            "name": name,
            "state": stored,
            "fetched": max(document.fetched_at for document in documents),
            "filled": None if any(document.cut for document in documents) else now,
        },
    )


def keep_quarantined(session: Session, name: str, run_id: int, records: Iterable[Quarantined]) -> None:
    """Keep what a run could not read, in place of what earlier ones could not."""
    # What was set aside by earlier runs and is good now, or gone, is no longer of interest.
    session.execute(text("delete from quarantined_record where feed = :name"), {"name": name})
    copy_rows(
        session,
        "quarantined_record",
        ("feed", "feed_run_id", "record", "reason", "excerpt"),
        ((name, run_id, one.id or "?", one.reason, one.excerpt) for one in records),
    )
