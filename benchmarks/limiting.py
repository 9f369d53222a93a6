"""Checks of a client's budget: one client asked by many processes, and each process with clients of its own."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

from benchmarks.measure import Row
from sentrikat.identity.budgets import Budget, take
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.sessions import Database
from sentrikat.migrations import runner

BUDGET = "> 5,000 a second"
LIMIT = Budget(1_000, 100_000)


def checks(directory: Path, count: int = 8_000, processes: int = 8) -> list[Row]:
    """Ask as often as can be, a transaction each, as a request does, and many in one."""
    with EmbeddedPostgres(directory / "postgresql") as server:
        runner.upgrade(server.url())
        each = count // processes
        rows = []
        for words, same in (("one client", True), ("a client each", False)):
            asked = [
                (server.url(), "shared" if same else f"client {n}", n, each, False) for n in range(processes)
            ]
            rate, allowed = _together(asked)
            rows.append(
                Row(
                    f"rate limit: {processes} processes, {words}, a transaction each",
                    "-",
                    f"{rate:,.0f} a second",
                    f"{allowed:,} of {count:,} let through",
                )
            )
        asked = [(server.url(), f"own {n}", n, each * 5, True) for n in range(2)]
        rate, _ = _together(asked)
        rows.append(Row("rate limit: 2 connections, the check alone", BUDGET, f"{rate:,.0f} a second"))
        return rows


def _together(asked: list[tuple[str, str, int, int, bool]]) -> tuple[float, int]:
    with multiprocessing.get_context("spawn").Pool(len(asked)) as pool:
        found = pool.starmap(_ask, asked, chunksize=1)
    begin, end = min(f[0] for f in found), max(f[1] for f in found)
    return sum(one[3] for one in asked) / (end - begin), sum(f[2] for f in found)


def _ask(url: str, client: str, _number: int, count: int, in_one: bool) -> tuple[float, float, int]:
    database = Database(url, application_name="sentrikat bench", pool_size=2)
    clock = SystemClock()
    allowed = 0
    try:
        with database.as_system() as session:
            take(session, f"warm {client}", LIMIT, clock.now())
        begin = time.time()
        if in_one:
            with database.as_system() as session:
                for number in range(count):
                    take(session, f"{client} {number % 50}", LIMIT, clock.now())
        else:
            for _ in range(count):
                with database.as_system() as session:
                    taken = take(session, client, LIMIT, clock.now())
                allowed += taken is not None and taken.allowed
        return begin, time.time(), allowed
    finally:
        database.close()
