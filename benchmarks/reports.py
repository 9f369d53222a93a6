"""Agent reports end to end: accepted, taken in, matched, until their findings can be seen."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

from benchmarks.estate import Estate, software_of
from benchmarks.measure import Row, milliseconds, peak_megabytes, times, watch
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.receipts import accept
from sentrikat.reactions import run_ingest

PACKAGES = 500
CHANGED = 5


class Fleet:
    """Hosts that report: the same packages each, a few upgraded when asked."""

    def __init__(self, database: Database, estate: Estate, seed: int) -> None:
        self.database = database
        self.estate = estate
        with database.as_system() as session:
            self.release: str = session.execute(
                text(
                    "select namespace from component where kind = 'deb' and namespace like 'debian:%'"
                    " group by 1 order by count(*) desc limit 1"
                )
            ).scalar_one()
            self.software = list(software_of(session, PACKAGES, self.release, seed))
        self.sent = 0
        self.name = secrets.token_hex(4)  # reports of a copied installation must not be taken for these

    def report(self, host: int, *, upgraded: int = 0) -> bytes:
        """Write the report of a host whose first `upgraded` packages moved to a version of their own."""
        self.sent += 1
        software: list[dict[str, Any]] = [dict(one) for one in self.software]
        for one in software[:upgraded]:
            # A rebuild: a version nobody had, so it is identified and matched anew.
            one["version"] = one["source_version"] = f"{one['version']}+h{host}.{self.sent}"
        distribution, _, number = self.release.partition(":")
        return json.dumps(
            {
                "report_id": f"bench-{self.name}-{self.sent}",
                "agent_id": f"bench-agent-{host}",
                "hostname": f"bench-{host}",
                "machine_id": f"bench-machine-{host}",
                "os": {"family": "linux", "name": distribution, "version": number, "arch": "x86_64"},
                "collected_at": datetime.now(UTC).isoformat(),
                "complete": True,
                "software": software,
                "updates": [],
            }
        ).encode()

    def accept(self, body: bytes) -> int:
        """Take a report in at the door; give its receipt."""
        with self.database.as_organization(self.estate.organization_id) as session:
            return accept(session, self.estate.organization_id, body, now=SystemClock().now()).id

    def deliver(self, body: bytes) -> None:
        """Do what door and worker do with a report, one after the other."""
        run_ingest(self.database, receipt_id=self.accept(body))


def agent_reports(database: Database, estate: Estate, seed: int, hosts: int) -> list[Row]:
    """Send first, unchanged and slightly changed reports, one after the other."""
    fleet = Fleet(database, estate, seed)
    fleet.deliver(fleet.report(0))  # caches of statements and versions are warm in a running worker
    first = times(lambda host: fleet.deliver(fleet.report(host + 1)), hosts)
    unchanged = times(lambda host: fleet.deliver(fleet.report(host + 1)), hosts)
    changed = times(lambda host: fleet.deliver(fleet.report(host + 1, upgraded=CHANGED)), hosts)
    name = f"agent report, {len(fleet.software)} packages"
    return [
        Row(f"{name}, unchanged", "p95 < 15 ms", milliseconds(unchanged)),
        Row(f"{name}, {CHANGED} changed", "p95 < 60 ms", milliseconds(changed)),
        Row(f"{name}, first of a host", "p95 < 250 ms", milliseconds(first)),
    ]


def sustained(
    database: Database, estate: Estate, seed: int, directory: Path, hosts: int, count: int
) -> list[Row]:
    """Queue full reports of known hosts, then let a worker of its own take them in; its memory is read at the end.

    One in five brings upgrades, as on the day after a patch day; the others say what was said before.
    """
    fleet = Fleet(database, estate, seed)
    for host in range(hosts):
        fleet.deliver(fleet.report(host + 1))
    bodies = [
        fleet.report(number % hosts + 1, upgraded=0 if number % 5 else CHANGED) for number in range(count)
    ]
    with psycopg.connect(conninfo(database.url)) as owner:
        # What earlier measurements queued was done by hand.
        owner.execute("delete from procrastinate_jobs where status = 'todo'")
    with watch() as accepting:
        for body in bodies:
            fleet.accept(body)
    environment = os.environ | {
        "SENTRIKAT_DATA_DIR": str(directory),
        "SENTRIKAT_LOG_LEVEL": "warning",
        "SENTRIKAT_FEEDS_ENABLED": "false",
    }
    worker = subprocess.Popen([sys.executable, "-m", "sentrikat", "worker"], env=environment)
    try:
        with psycopg.connect(conninfo(database.url), autocommit=True) as owner:
            waiting = _waiting(owner)
            while _waiting(owner) == waiting:  # its own start is not the measurement
                time.sleep(0.02)
            begun = _waiting(owner)
            with watch() as working:
                while _waiting(owner):
                    time.sleep(0.05)
        memory = peak_megabytes(worker.pid)
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    return [
        Row(
            f"sustained full reports of {len(fleet.software)} packages, one worker",
            "> 50 a second",
            f"{begun / working.seconds:.0f} a second",
            f"the door accepts {count / accepting.seconds:.0f} a second on one connection",
        ),
        Row("memory of the job worker", "< 400 MB", f"{memory:.0f} MB at its peak"),
    ]


def _waiting(owner: psycopg.Connection[Any]) -> int:
    row = owner.execute(
        "select count(*) from procrastinate_jobs where task_name = 'ingest_report'"
        " and status in ('todo', 'doing')"
    ).fetchone()
    return int(row[0]) if row else 0
