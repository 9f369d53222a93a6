"""First and unchanged runs of every feed, through a server that speaks for the upstreams: time, memory, rows a second.

    python -m benchmarks.feeds --from http://127.0.0.1:PORT [--only nvd,epss] [--work DIR] [--keep DIR]

Each feed runs as a process of its own, so its memory is its own; the database is one, and grows from feed to feed as
on a real installation. The second run finds nothing new and costs what asking costs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import Row, machine, table, watch
from sentrikat.feeds.registry import FEEDS
from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.sessions import Database
from sentrikat.migrations import runner

_BUDGETS = {"nvd": "< 180 s, < 400 MB", "epss": "< 10 s"}
_MOST_RUNS = 40  # of one feed; Red Hat's documents are walked 1,500 a run


def main() -> int:
    """Run the feeds asked for; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeds", description="Measure feed runs.")
    parser.add_argument("--from", dest="base", required=True, help="address that stands for every upstream")
    parser.add_argument("--only", default="", help="some feeds, by name; none: all")
    parser.add_argument("--work", type=Path, help="working files, instead of a temporary folder")
    parser.add_argument("--keep", type=Path, help="load into this data directory and keep it")
    options = parser.parse_args()
    names = [one for one in options.only.split(",") if one] or [one.name for one in FEEDS]
    with tempfile.TemporaryDirectory(prefix="sentrikat-bench-", dir=options.work) as folder:
        directory = options.keep or Path(folder) / "installation"
        with EmbeddedPostgres(directory / "postgresql") as server:
            runner.upgrade(server.url())
            rows = [row for name in names for row in _runs(name, server.url(), options.base)]
    sys.stdout.write(f"{machine()}\n\n{table(rows)}\n")
    return 0


def _runs(name: str, database_url: str, base: str) -> list[Row]:
    first, megabytes, complaint = _run(name, database_url, base)
    if complaint:
        return [Row(f"{name}, first run", _BUDGETS.get(name, "-"), f"not done: {complaint}")]
    records, statements = _held(database_url, name)
    rate = f"{records / first:,.0f} records/s" if first else "-"
    runs, catching_up = 1, 0.0
    while True:
        _, _, complaint = _run(name, database_url, base)
        runs += 1
        outcome, seconds = _last_run(database_url, name)
        if outcome == "unchanged" or complaint or runs == _MOST_RUNS:
            break
        catching_up += seconds
    rows = [
        Row(
            f"{name}, first run: {records:,} records, {statements:,} statements",
            _BUDGETS.get(name, "< 400 MB"),
            f"{first:.1f} s, {megabytes:.0f} MB",
            rate,
        ),
        Row(
            f"{name}, unchanged",
            "< 1 s",
            f"{seconds:.2f} s" if outcome == "unchanged" else f"not reached: {complaint or outcome}",
            f"run {runs}" + (f", after {catching_up:.1f} s of catching up" if catching_up else ""),
        ),
    ]
    for row in rows:
        sys.stderr.write(f"bench: {row.work} | {row.budget} | {row.figure} | {row.ratio}\n")
        sys.stderr.flush()
    return rows


def _run(name: str, database_url: str, base: str) -> tuple[float, float, str]:
    """Refresh a feed in a process; give its seconds, its peak in megabytes, and what it complained of."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SENTRIKAT_")}
    environment |= {
        "SENTRIKAT_DATABASE_URL": database_url,
        "SENTRIKAT_FEED_BASE_URL": base,
        "SENTRIKAT_LOG_LEVEL": "error",
    }
    with watch() as running, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "sentrikat", "feeds", "refresh", name],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        words = said.read().decode(errors="replace").strip() if process.returncode else ""
    return running.seconds, usage.ru_maxrss / 1024, words[-200:]


def _last_run(database_url: str, name: str) -> tuple[str, float]:
    """Give how the last run of a feed ended, and its seconds from asking to the last commit."""
    database = Database(database_url, application_name="sentrikat bench")
    try:
        with database.as_system() as session:
            asked = text(
                "select outcome, extract(epoch from finished_at - started_at) from feed_run"
                " where feed = :name order by id desc limit 1"
            )
            outcome, seconds = session.execute(asked, {"name": name}).one()
    finally:
        database.close()
    return str(outcome), float(seconds or 0)


def _held(database_url: str, name: str) -> tuple[int, int]:
    database = Database(database_url, application_name="sentrikat bench")
    try:
        with database.as_system() as session:
            records = session.scalar(text("select record_count from feed where name = :name"), {"name": name})
            statements = session.scalar(
                text("select count(*) from affected_range where source = :name"), {"name": name}
            )
    finally:
        database.close()
    return int(records or 0), int(statements or 0)


if __name__ == "__main__":
    sys.exit(main())
