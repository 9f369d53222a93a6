"""Appends to the audit log: one chain and several, one entry a transaction and many."""

from __future__ import annotations

import multiprocessing
import time
from functools import partial
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import Row, watch
from sentrikat.audit.journal import record, record_many
from sentrikat.audit.verification import verify
from sentrikat.domain.permissions import Caller
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.sessions import Database
from sentrikat.migrations import runner

BUDGET = "> 1,000 a second"
DETAIL = {"login": "mara.keller", "exposure": "public", "before": "unknown", "count": 12}


def appends(directory: Path, entries: int = 4_000, processes: int = 8) -> list[Row]:
    """Append in every way the product does, on a server that keeps its promises (fsync on)."""
    with EmbeddedPostgres(directory / "postgresql") as server:
        url = server.url()
        runner.upgrade(url)
        database = Database(url, application_name="sentrikat bench")
        try:
            bare = _bare_commits(database)
            rows = [Row("bare commits of one connection, one row each", "-", f"{bare:,.0f} a second")]
            one = _rate(partial(_one_by_one, url, 1, entries // 4), entries // 4)
            rows.append(
                Row(
                    "audit: one entry a transaction, one connection",
                    BUDGET,
                    _words(one),
                    f"{one / bare:.2f} x",
                )
            )
            chain = _together(url, [2] * processes, entries // processes)
            rows.append(
                Row(
                    f"audit: one entry a transaction, {processes} processes, one chain",
                    BUDGET,
                    _words(chain),
                    f"{chain / bare:.2f} x bare commits",
                )
            )
            chains = _together(url, list(range(10, 10 + processes)), entries // processes)
            rows.append(
                Row(
                    f"audit: one entry a transaction, {processes} processes, {processes} chains",
                    BUDGET,
                    _words(chains),
                    "all chains together",
                )
            )
            many = _rate(partial(_in_one_transaction, database, 3, entries), entries)
            rows.append(Row(f"audit: {entries:,} single appends in one transaction", BUDGET, _words(many)))
            batch = _rate(partial(_batch, database, 4, entries * 5), entries * 5)
            rows.append(Row(f"audit: {entries * 5:,} entries by record_many", BUDGET, _words(batch)))
            with database.as_system() as session:
                with watch() as walking:
                    checked = verify(session, 4)
                if not checked.holds or not verify(session, 2).holds:
                    raise AssertionError("a chain of the benchmark does not hold")
            rows.append(
                Row(
                    "audit: verification of a chain",
                    "-",
                    _words(checked.entries / walking.seconds, "entries"),
                )
            )
            return rows
        finally:
            database.close()


def _words(rate: float, what: str = "appends") -> str:
    return f"{rate:,.0f} {what} a second"


def _rate(work: partial[None], count: int) -> float:
    with watch() as running:
        work()
    return count / running.seconds


def _bare_commits(database: Database) -> float:
    """Measure what the disk allows: a transaction that writes one small row."""
    with database.engine.connect() as connection:
        connection.execute(text("create table bench_commit (n integer)"))
        connection.commit()
        with watch() as running:
            for number in range(1_000):
                connection.execute(text("insert into bench_commit values (:n)"), {"n": number})
                connection.commit()
    return 1_000 / running.seconds


def _caller(organization_id: int) -> Caller:
    return Caller(organization_id, "user:7", frozenset(), "192.0.2.17")


def _one_by_one(url: str, organization_id: int, count: int) -> None:
    clock = SystemClock()
    database = Database(url, application_name="sentrikat bench")
    caller = _caller(organization_id)
    for number in range(count):
        with database.as_organization(organization_id) as session:
            record(session, caller, "asset.changed", f"asset:{number}", DETAIL, now=clock.now())
    database.close()


def _together(url: str, chains: list[int], each: int) -> float:
    """Append from a process per element of `chains`; give the rate from the first start to the last end."""
    context = multiprocessing.get_context("spawn")
    barrier, ended = context.Barrier(len(chains)), context.Queue()
    started = [context.Process(target=_worker, args=(url, chain, each, barrier, ended)) for chain in chains]
    for process in started:
        process.start()
    spans: list[tuple[float, float]] = [ended.get() for _ in started]
    for process in started:
        process.join()
    return len(chains) * each / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _worker(url: str, chain: int, each: int, barrier: object, ended: object) -> None:
    _one_by_one(url, chain, 5)  # connected and warm
    barrier.wait()  # type: ignore[attr-defined]  # a context's barrier has no public type
    begin = time.time()
    _one_by_one(url, chain, each)
    ended.put((begin, time.time()))  # type: ignore[attr-defined]  # nor has its queue


def _in_one_transaction(database: Database, organization_id: int, count: int) -> None:
    now, caller = SystemClock().now(), _caller(organization_id)
    with database.as_organization(organization_id) as session:
        for number in range(count):
            record(session, caller, "asset.changed", f"asset:{number}", DETAIL, now=now)


def _batch(database: Database, organization_id: int, count: int) -> None:
    now, caller = SystemClock().now(), _caller(organization_id)
    with database.as_organization(organization_id) as session:
        record_many(
            session,
            caller,
            "asset.changed",
            ((f"asset:{number}", DETAIL) for number in range(count)),
            now=now,
        )
