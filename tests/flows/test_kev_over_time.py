"""The catalog of exploited flaws from one date to the next, as published, through the product's own downloader.

What enters the catalog moves deadlines and is told once; nothing is matched again.
"""

from __future__ import annotations

import gzip
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.http import HttpTransport
from sentrikat.findings.by_vulnerability import list_concerning
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import advisory, deb, new_organization, publish, report, rows, score, statement
from tests.conftest import database
from tests.integration.feeds.conftest import Mirror, mirror, running_mirror

__all__ = ["database", "mirror", "running_mirror"]  # fixtures: an empty database, and the upstreams' mirror

DATES = ("2026-02-27", "2026-03-31", "2026-04-29", "2026-05-30")


def catalog(shared_data: Path, date: str) -> dict[str, str]:
    """Flaw to the day it was added, read without any of our code."""
    path = shared_data / "data" / "kev" / f"known_exploited_vulnerabilities_{date}.json.gz"
    entries = json.loads(gzip.decompress(path.read_bytes()))["vulnerabilities"]
    return {entry["cveID"]: entry["dateAdded"] for entry in entries}


def test_from_one_catalog_to_the_next(
    database: Database, clock: FrozenClock, shared_data: Path, mirror: Mirror, tmp_path: Path
) -> None:
    catalogs = [catalog(shared_data, date) for date in DATES]
    # Three flaws that each catalog brings, one that all have, and one that none has.
    brought = [sorted(new.keys() - old.keys())[:3] for old, new in itertools.pairwise(catalogs)]
    always, never = "CVE-2021-44228", "CVE-1999-99999"
    everything = [always, never, *(flaw for group in brought for flaw in group)]
    publish(
        database,
        clock,
        "debian",
        *(
            advisory(flaw, statement("debian:12", "anvil"), scores=(score(5.0, "medium"),))
            for flaw in everything
        ),
    )
    organization = new_organization(database)
    for host in ("one", "two"):
        report(database, clock, organization, host, [deb("anvil", "1.0-1")])
    matches = rows(database, "select xmin, * from match order by id")
    assert len(matches) == len(everything)

    expected = {always}
    told = 0
    for date, group in zip(DATES, [[], *brought], strict=True):
        mirror.control(kev_date=date)
        clock.set(datetime.fromisoformat(date).replace(hour=18, tzinfo=UTC))
        with (
            httpx2.Client(timeout=60) as client,
            HttpTransport(client, clock.now, base=mirror.url, folder=tmp_path) as transport,
        ):
            outcome = run_feed(database, feed("kev"), transport, clock, after=following(clock))
        assert outcome.outcome == "succeeded", outcome
        expected |= set(group)

        exploited = rows(
            database,
            "select v.name, v.exploited_since::text from vulnerability v where exploited_since is not null"
            " and name = any(:names) order by 1",
            names=everything,
        )
        assert exploited == [(flaw, catalogs[-1][flaw]) for flaw in sorted(expected)]
        urgent = rows(
            database,
            "select distinct v.name from finding f join vulnerability v on v.id = f.vulnerability_id"
            " where f.outcome = '14_days' order by 1",
        )
        assert [flaw for (flaw,) in urgent] == sorted(expected)
        events = rows(
            database,
            "select v.name, e.count from event e join vulnerability v on v.id = e.vulnerability_id"
            " where e.kind = 'became_exploited' order by e.id",
        )[told:]
        assert sorted(events) == [(flaw, 2) for flaw in sorted(group or [always])]
        ((since,),) = rows(
            database,
            "select min(at) from (select at from event where kind = 'became_exploited' order by id offset :told) e",
            told=told,
        )
        told += len(events)
        with database.as_organization(organization) as session:
            listed, _ = list_concerning(session, organization, became_exploited_after=since)
        assert [(one.row.name, one.findings, one.assets) for one in listed] == [
            (one.row.name, 2, 2) for one in listed
        ]
        assert {one.row.name for one in listed} == set(group or [always])
        assert rows(database, "select xmin, * from match order by id") == matches

    # What became exploited is first in the order, and the due date counts from the catalog's day.
    (first,) = rows(
        database,
        "select v.name, v.exploited_since + 14 from finding f join vulnerability v on v.id = f.vulnerability_id"
        " order by f.priority desc, f.id desc limit 1",
    )
    assert first[0] in expected
    assert rows(
        database,
        "select distinct f.due_at from finding f join vulnerability v on v.id = f.vulnerability_id where v.name = :name",
        name=first[0],
    ) == [
        (
            datetime.combine(first[1] + timedelta(days=1), datetime.min.time(), UTC)
            - timedelta(microseconds=1),
        )
    ]

    # A mirror that goes back in time takes nothing back.
    mirror.control(kev_date=DATES[0])
    with (
        httpx2.Client(timeout=60) as client,
        HttpTransport(client, clock.now, base=mirror.url, folder=tmp_path) as transport,
    ):
        assert run_feed(database, feed("kev"), transport, clock).outcome == "refused"
    assert rows(database, "select count(*) from vulnerability where exploited_since is not null") == [
        (len(catalogs[-1]),)
    ]
