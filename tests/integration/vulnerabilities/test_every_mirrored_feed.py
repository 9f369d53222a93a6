"""Every feed that the upstreams' mirror serves against every fault it offers, in the real forms, cut to some records.

`test_every_feed_against_every_fault` has all feeds against made-up sources; here speaks the mirror itself. ENISA's list,
which is a single record there, is in `test_run_against_upstream_trouble`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sentrikat.feeds import redhat_data
from sentrikat.feeds.adapter import FetchOptions
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.http import HttpTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from tests.builders import rows
from tests.integration.feeds.conftest import BUILDING_SECONDS, Mirror
from tests.integration.vulnerabilities.small_pack import make_small
from tests.integration.vulnerabilities.test_rollback import in_use


@dataclass(frozen=True)
class Served:
    """Where a feed's documents are, which key of them it cannot do without, and what withdraws one of its records.

    `dated`: the server says when a document last changed, so an old copy is recognized. `dropped` is a query for the
    ids that a fault lets disappear.
    """

    place: str
    key: str
    dated: bool = True
    dropped: str = "select external_id from advisory where source = :name and withdrawn_at is null"


ENRICHED = "select v.name from enrichment e join vulnerability v on v.id = e.vulnerability_id where source = :name and valid_to is null"
STATED = "select distinct v.name from affected_range r join vulnerability v on v.id = r.vulnerability_id where r.source = :name and r.valid_to is null"
NOTHING = "select 1 where :name = ''"  # its records have ids of ours, which the mirror does not know
RAW = "/raw.githubusercontent.com/"
CODE = "/codeload.github.com/"

SERVED = {
    "kev": Served("/www.cisa.gov/", "vulnerabilities", dropped=ENRICHED),
    "epss": Served("/epss.empiricalsecurity.com/", "", dropped="select name from vulnerability where epss is not null and :name <> ''"),
    "exploitdb": Served("/gitlab.com/", "", dropped=NOTHING),
    "metasploit": Served(f"{RAW}rapid7/", "references", dropped=NOTHING),
    "vulnrichment": Served(f"{CODE}cisagov/", "cveMetadata"),
    "overrides": Served(f"{CODE}anchore/", "cve"),
    "msrc": Served("/api.msrc.microsoft.com/", "Vulnerability", dated=False),
    "wesng": Served(f"{RAW}bitsadmin/", "", dropped=NOTHING),
    "nvd": Served("/nvd.nist.gov/", "vulnerabilities", dated=False),  # a file not asked for before
    "debian": Served("/security-tracker.debian.org/", "releases", dropped=STATED),
    "redhat": Served("/security.access.redhat.com/", "product_tree", dropped=NOTHING),
    "alpine": Served("/secdb.alpinelinux.org/", "packages", dated=False, dropped=NOTHING),
    "osv": Served("/osv-vulnerabilities.storage.googleapis.com/", "affected"),
    "redhat_data": Served("/access.redhat.com/", "name", dated=False),
    "nvd_cpe": Served("/nvd.nist.gov/", "products", dated=False),  # asks what changed since, which is nothing
    "endoflife": Served("/endoflife.date/", "eol"),
}  # fmt: skip

# Faults under which nothing good can come in; other refusals are tried on the made-up sources.
CLOSED: dict[str, dict[str, Any]] = {
    "unavailable": {"status": 503, "retry_after": 0},
    "line breaks": {"truncate": 40},
    "cut": {"truncate": 40, "truncate_clean": True},
}


@pytest.fixture(scope="module")
def running(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A mirror of a small pack."""
    folder = tmp_path_factory.mktemp("pack")
    make_small(shared_data / "data", folder)
    program, cache = shared_data / "tools" / "upstream_mirror.py", tmp_path_factory.mktemp("cache")
    process = subprocess.Popen(
        [sys.executable, str(program), "--port", "0", "--data", str(folder), "--cache", str(cache)],
        stdout=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}},
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    with process.stdout, httpx2.Client(timeout=BUILDING_SECONDS) as client:
        yield Mirror(url, client)
        process.terminate()
        process.wait(10)


@pytest.fixture
def mirror(running: Mirror, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(redhat_data, "WINDOW_DAYS", 20_000)  # all years in one list
    running.control(reset=True)
    yield running
    running.control(reset=True)


def run(database: Database, clock: FrozenClock, mirror: Mirror, folder: Path, name: str) -> RunReport:
    with (
        httpx2.Client(timeout=BUILDING_SECONDS) as client,
        HttpTransport(
            client, clock.now, base=mirror.url, folder=folder, attempts=2, first_wait_seconds=0.001
        ) as transport,
    ):
        options = FetchOptions(ecosystems=("RubyGems",))
        return run_feed(database, feed(name), transport, clock, options=options, after=following(clock))


def told(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What is in use."""
    used = {
        **in_use(database),
        "cycles": rows(database, "select * from release_cycle order by id"),
        "catalogue": rows(database, "select * from catalogue_product order by product_id"),
    }
    del used["counts"]
    return used


def ask_anew(database: Database, name: str) -> None:
    """Let the feed fetch as on its first day: the mirror serves the same documents every day."""
    rows(database, "update feed set state = '{}' where name = :name returning name", name=name)


def shown(database: Database, clock: FrozenClock, name: str) -> tuple[str, bool]:
    with database.as_system() as session:
        status = next(one for one in feed_statuses(session, clock.now()) if one.name == name)
    return status.state, status.good


@pytest.mark.parametrize("name", SERVED)
def test_a_feed_in_its_real_form_survives_every_fault(
    database: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path, name: str
) -> None:
    served = SERVED[name]
    first = run(database, clock, mirror, tmp_path, name)
    assert (first.outcome, first.error) == ("succeeded", None)
    remembered = rows(database, "select state::text from feed where name = :name", name=name)[0][0]
    before = told(database)
    wrong: list[str] = []

    def tried(what: str, outcomes: tuple[str, ...], **fault: Any) -> RunReport:
        mirror.control(reset=True)
        mirror.control(prefix=served.place, **fault)
        clock.advance(timedelta(minutes=1))
        report = run(database, clock, mirror, tmp_path, name)
        if report.outcome not in outcomes:
            wrong.append(f"{what}: {report.outcome}, {report.error}")
        after = told(database)
        wrong.extend(f"{what} changed {part}" for part in before if after[part] != before[part])
        if report.outcome in ("failed", "refused", "held"):
            state, good = shown(database, clock, name)
            if good or not report.error:
                wrong.append(f"{what}: shown as {state}, {report.error}")
        return report

    for what, fault in CLOSED.items():
        ask_anew(database, name)
        tried(what, ("failed",), **fault)
    if served.key:
        ask_anew(database, name)
        tried("drift", ("failed", "held"), drift={served.key: "renamed"})
    ask_anew(database, name)
    tried("half of the answers", ("failed", "succeeded"), fail_rate=0.5, status=503, retry_after=0, seed=7)
    ask_anew(database, name)
    tried("slow, and once too busy", ("succeeded",), latency_ms=5, status=503, retry_after=0, times=1)

    rows(
        database,
        "update feed set state = cast(:state as jsonb) where name = :name returning name",
        name=name,
        state=remembered,
    )
    old = ("refused",) if served.dated else ("succeeded", "unchanged")
    tried("old copies", old, stale=30)

    gone = [
        one for (one,) in rows(database, f"select * from ({served.dropped}) as held order by 1", name=name)
    ]
    if (
        feed(name).complete and len(gone) >= 100 and name not in ("alpine", "wesng")
    ):  # whose records have ids of ours
        ask_anew(database, name)
        lost = tried("records disappear", ("held",), drop_ids=gone[: len(gone) // 2])
        assert "withdrawn" in (lost.error or "")
    elif not feed(name).complete:
        ask_anew(database, name)
        tried("records disappear", ("succeeded", "failed", "held"), drop_ids=gone[: len(gone) // 2])
    assert not wrong

    mirror.control(reset=True)
    ask_anew(database, name)
    clock.advance(timedelta(minutes=1))
    assert run(database, clock, mirror, tmp_path, name).outcome == "succeeded"
