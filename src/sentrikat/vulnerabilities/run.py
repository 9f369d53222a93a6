"""One feed run: fetch, parse, stage, merge, and what follows from it, as one transaction.

A run that fails at any point leaves the data of the last good run in place; only the run's own record, written
apart, says that it was tried. A run that was killed is found by the next one and closed as failed. One whose effect
is suspicious (`canary`) is undone within its transaction, and its documents are kept as a candidate (`candidates`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, SentriKatError
from sentrikat.feeds.adapter import (
    Document,
    Feed,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    noticing,
)
from sentrikat.feeds.held import none_older
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.locks import KNOWLEDGE, advisory_lock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.canary import (
    MOST_NAMES,
    Effect,
    FindingsChange,
    Limits,
    Noticed,
    Remark,
    judge,
    present_canaries,
    usual_volume,
)
from sentrikat.vulnerabilities.candidates import drop_candidate, fingerprint, keep_candidate
from sentrikat.vulnerabilities.merge import Merged, merge
from sentrikat.vulnerabilities.past import forget_past
from sentrikat.vulnerabilities.run_record import (
    RunReport,
    begin_run,
    end_run,
    keep_quarantined,
    keep_state,
)
from sentrikat.vulnerabilities.staging import Staging

MOST_QUARANTINED = 1000  # kept with their reason; beyond, they are only counted

AfterMerge = Callable[[Session, Merged], FindingsChange | None]
Progress = Callable[[int], None]


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
    limits: Limits | None = None,
    accepted_by: str | None = None,
) -> RunReport:
    """Bring one feed up to date; `after` runs in the same transaction once the data is merged.

    A run beyond `limits` is held, unless somebody accepted it beforehand (`accepted_by`). Trouble with the source is
    part of the report, not an exception; trouble of ours (a full disk, a lost database) is raised after it was
    recorded as far as that is possible.
    """
    started = clock.now()
    options = replace(options or FetchOptions(), now=started)
    run_id = begin_run(database, feed.name, transport_kind, started)
    run = _Run(
        database, feed, transport, clock, options, run_id, after, progress, limits or Limits(), accepted_by
    )
    try:
        report = run.attempt()
    except SentriKatError as trouble:
        outcome = "refused" if trouble.code in {"conflict", "refused"} else "failed"
        report = RunReport(feed.name, outcome, error=trouble.message, hint=trouble.hint)
    except BaseException as trouble:
        report = RunReport(feed.name, "failed", error=f"{type(trouble).__name__}: {trouble}")
        try:
            end_run(database, run_id, report, clock)
        except SQLAlchemyError as lost:
            # The next run closes this one; what matters to the caller is why it broke.
            trouble.add_note(f"The run could not be recorded as failed: {lost}")
        raise
    end_run(database, run_id, report, clock)
    return report


@dataclass(frozen=True, slots=True)
class _Read:
    """What came in: documents and what was not understood in them; the records are staged."""

    documents: list[Document]
    quarantined: list[Quarantined]
    set_aside: int
    unfamiliar: Mapping[str, int]

    @property
    def cut(self) -> bool:
        return any(document.cut for document in self.documents)

    @property
    def whole(self) -> bool:
        return any(document.whole for document in self.documents)


class _Suspicious(Exception):
    """Takes a run back to before its merge; never seen outside."""

    def __init__(self, report: RunReport) -> None:
        super().__init__(report.feed)
        self.report = report


@dataclass(frozen=True, slots=True)
class _Run:
    database: Database
    feed: Feed
    transport: Transport
    clock: Clock
    options: FetchOptions
    run_id: int
    after: AfterMerge | None
    progress: Progress | None
    limits: Limits
    accepted_by: str | None

    def attempt(self) -> RunReport:
        name = self.feed.name
        with self.database.as_system() as session:
            # Two runs of one feed, by schedule and by hand: the second sees what the first brought.
            advisory_lock(session, f"feeds.run.{name}")
            stored = session.execute(
                text(
                    "select state, filled_at is not null as filled, rolled_back_at, record_count from feed"
                    " where name = :name"
                ),
                {"name": name},
            ).one()
            if stored.rolled_back_at is not None:
                raise _rolled_back(name, stored.rolled_back_at)
            state = FeedState.from_json(stored.state)
            documents = self.feed.fetch(self.transport, state, self.options)
            if self.accepted_by is None:
                documents = none_older(documents, state)
            decided = None if self.accepted_by else _waiting(session, name)
            if decided is not None:
                # Nothing is read twice to come to the same end.
                fetched = list(documents)
                if fetched and fingerprint(fetched) == bytes(decided.fingerprint):
                    return _again(name, decided, len(fetched))
                documents = iter(fetched)
            staging = Staging(session, name)
            read = self._read(staging, documents)
            if not read.documents:
                # The source is back at what is held, so nothing of the candidate is left to decide.
                drop_candidate(session, name, "replaced")
                return RunReport(name, "unchanged")
            # One merge at a time: ids of new targets must become visible in order (findings.match), and two merges
            # that touch the same flaw would wait for each other anyway. A slow source keeps nobody waiting: it is
            # read by now. Reports are taken in before or after, never beside (inventory.ingest): each side must see
            # what the other stored, or a new component would miss a new statement for good.
            try:
                with session.begin_nested():
                    advisory_lock(session, KNOWLEDGE)
                    report = self._bring_in(session, staging, read, stored.filled, stored.record_count)
                    if (
                        self.accepted_by is None
                        and stored.filled
                        and any(one.holds for one in report.remarks)
                    ):
                        raise _Suspicious(report)
            except _Suspicious as stop:
                return self._hold(session, stop.report, read)
            drop_candidate(session, name, "approved" if self.accepted_by else "replaced")
            _mark(session, self.run_id, read.documents)
            keep_state(
                session, name, self.run_id, state.after(read.documents), read.documents, self.clock.now()
            )
            keep_quarantined(session, name, self.run_id, read.quarantined)
            forget_past(session, self.clock.now() - self.limits.undoable_for)
            return report

    def _hold(self, session: Session, report: RunReport, read: _Read) -> RunReport:
        """Keep what a run brought, now that nothing of it is in use."""
        keep_candidate(
            session,
            self.feed.name,
            self.run_id,
            read.documents,
            report.remarks,
            report.effect or Effect(),
            largest=self.limits.largest_candidate,
            now=self.clock.now(),
        )
        _mark(session, self.run_id, read.documents)
        return _held(report, self.run_id)

    def _read(self, staging: Staging, documents: Iterable[Document]) -> _Read:
        fetched: list[Document] = []
        quarantined: list[Quarantined] = []
        set_aside = 0
        with _rare_collections(), noticing() as unfamiliar:
            for document in documents:
                if not fetched:
                    staging.begin()
                fetched.append(document)
                for record in _counted(self.feed.parse(document), self.progress):
                    if isinstance(record, Quarantined):
                        set_aside += 1
                        if record.id:
                            staging.keep(record.id)
                        if len(quarantined) < MOST_QUARANTINED:
                            quarantined.append(record)
                    else:
                        staging.add(record)
        return _Read(fetched, quarantined, set_aside, dict(unfamiliar.most_common(MOST_NAMES)))

    def _bring_in(
        self, session: Session, staging: Staging, read: _Read, filled: bool, before: int
    ) -> RunReport:
        """Merge, let findings follow, and look at what that did."""
        name = self.feed.name
        canaries = present_canaries(session, name)
        usual = usual_volume(session, name)
        merged = merge(
            session,
            staging,
            complete=(self.feed.complete or read.whole) and not read.cut,
            now=merge_moment(session, self.clock.now()),
            run_id=self.run_id,
            undoable=filled,
        )
        findings = self.after(session, merged) if self.after is not None else None
        flaws, products = session.execute(
            text("select count(distinct vulnerability_id), count(distinct product_id) from changed_statement")
        ).one()
        effect = Effect(
            records=staging.records,
            records_before=before,
            added=merged.added,
            changed=merged.changed,
            withdrawn=merged.withdrawn + merged.facts_withdrawn,
            statements_opened=merged.statements,
            statements_closed=merged.statements_closed,
            flaws=flaws,
            products=products,
            quarantined=read.set_aside,
            findings=findings or FindingsChange(),
        )
        noticed = Noticed(
            whole=not read.cut,
            filled=filled,
            usual=usual,
            canaries_before=canaries,
            canaries_after=present_canaries(session, name),
            unfamiliar=read.unfamiliar,
        )
        remarks = tuple(judge(name, effect, noticed, self.limits))
        session.execute(
            text(
                "update feed_run set merged_at = :at, undoable = :undoable, remarks = cast(:remarks as jsonb)"
                " where id = :id"
            ),
            {
                "id": self.run_id,
                "at": merged.at,
                "undoable": filled,
                "remarks": orjson.dumps(self._said(read, effect, remarks)).decode(),
            },
        )
        return RunReport(
            name,
            "succeeded",
            documents=len(read.documents),
            records=staging.records,
            quarantined=read.set_aside,
            merged=merged,
            effect=effect,
            remarks=remarks,
        )

    def _said(self, read: _Read, effect: Effect, remarks: Iterable[Remark]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "remarks": [asdict(one) for one in remarks],
            "effect": effect.as_json(),
            "unfamiliar": read.unfamiliar,
        }
        if read.cut:
            said["cut"] = True
        if self.accepted_by is not None:
            said["accepted_by"] = self.accepted_by
        return said


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for reference cycles less often while records are read: they have none.

    Records are many small objects that go as soon as their batch is stored. Looking through them again and again took
    a fifth of the time of a load.
    """
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def merge_moment(session: Session, now: datetime) -> datetime:
    """Give the moment a merge's facts bear: `now`, unless the clock was set back before that of an earlier merge.

    A fact would otherwise end before it began, and a rollback could not tell one run's facts from another's.
    """
    last: datetime | None = session.scalar(text("select max(merged_at) from feed_run"))
    return max(now, last + timedelta(microseconds=1)) if last is not None else now


def _rolled_back(name: str, since: datetime) -> Conflict:
    return Conflict(
        f"{name} was not brought up to date: it was rolled back on {since:%d %B %Y %H:%M} UTC and waits.",
        hint=f"Once its source is good again: sentrikat feeds release {name}. The data rolled back to is in use.",
    )


_WAITING = text("""
select id, outcome, fingerprint, error as words from feed_run
where feed = :name and outcome in ('held', 'rejected') and fingerprint is not null order by id desc limit 1
""")


def _waiting(session: Session, name: str) -> Any:
    """Give the last run of a feed that was held or rejected, to know its documents again."""
    return session.execute(_WAITING, {"name": name}).one_or_none()


def _again(name: str, decided: Any, documents: int) -> RunReport:
    if decided.outcome == "held":
        return RunReport(name, "held", documents=documents, error=decided.words, hint=_decide(name))
    return RunReport(
        name,
        "refused",
        documents=documents,
        error=f"{name} was not brought up to date: its source still gives what was rejected as run {decided.id}.",
        hint="The data of the last good run stays in use; what the source gives next is judged anew.",
    )


def _held(report: RunReport, run_id: int) -> RunReport:
    words = (
        f"{report.feed} is held, run {run_id}: "
        + "; ".join(one.words for one in report.remarks if one.holds)
        + "."
    )
    return replace(report, outcome="held", merged=None, error=words, hint=_decide(report.feed))


def _decide(name: str) -> str:
    return (
        f"Look at it with: sentrikat feeds status {name}. Then: sentrikat feeds approve {name}, or reject {name}."
        " The data of the last good run stays in use."
    )


def _mark(session: Session, run_id: int, documents: Iterable[Document]) -> None:
    session.execute(
        text("update feed_run set fingerprint = :fingerprint where id = :id"),
        {"fingerprint": fingerprint(documents), "id": run_id},
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
