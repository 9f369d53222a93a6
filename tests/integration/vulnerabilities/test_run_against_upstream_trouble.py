"""What goes wrong at a source ends in its run's record: the last good data and every finding stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import Enrichment, PublishedExploit
from sentrikat.feeds.adapter import FetchOptions
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.http import HttpTransport
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from tests.builders import (
    advisory,
    deb,
    exploited,
    new_organization,
    publish,
    report,
    rows,
    statement,
)
from tests.integration.feeds.conftest import Mirror

EXPLOITED = "CVE-2021-26855"  # ProxyLogon; no canary, so that it may go
CISA = "/www.cisa.gov/"
OSV = "/osv-vulnerabilities.storage.googleapis.com/"
KEV_FILE = feed("kev").sources[0]

HELD = {
    "facts": "select vulnerability_id, kind, source, fact, valid_from, valid_to from enrichment order by id",
    "likelihoods": "select * from likelihood order by vulnerability_id, valid_from",
    "statements": "select * from affected_range order by id",
    "records": "select id, source, external_id, digest, withdrawn_at from advisory order by id",
    "flaws": "select * from vulnerability order by id",
    "findings": "select * from finding order by id",
    "events": "select * from event order by id",
    "state": "select name, state, data_as_of, record_count, last_success_at from feed order by name",
}


def held(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a run may change, but for its own record."""
    return {name: rows(database, query) for name, query in HELD.items()}


def run(
    database: Database, clock: FrozenClock, mirror: Mirror, folder: Path, name: str = "kev", **options: Any
) -> RunReport:
    """Run a feed against the mirror, as the worker does, with less patience."""
    with (
        httpx2.Client(timeout=60) as client,
        HttpTransport(
            client, clock.now, base=mirror.url, folder=folder, attempts=2, first_wait_seconds=0.01
        ) as transport,
    ):
        return run_feed(
            database, feed(name), transport, clock, options=FetchOptions(**options), after=following(clock)
        )


@pytest.fixture
def loaded(database: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path) -> Database:
    """The catalog of the end of April, and a host with a flaw that stands in it."""
    mirror.control(kev_date="2026-04-29")
    assert run(database, clock, mirror, tmp_path).outcome == "succeeded"
    publish(database, clock, "debian", advisory(EXPLOITED, statement("debian:12", "anvil")))
    report(database, clock, new_organization(database), "host", [deb("anvil", "1.0-1")])
    clock.advance(timedelta(hours=1))
    return database


@pytest.mark.parametrize(
    ("change", "outcome", "says"),
    [
        ({"status": 403}, "failed", "403"),
        ({"status": 429, "retry_after": 0}, "failed", "429"),
        ({"status": 503}, "failed", "503"),
        ({"truncate": 1000}, "failed", "known_exploited_vulnerabilities.json"),
        ({"truncate": 1000, "truncate_clean": True}, "failed", "known_exploited_vulnerabilities.json"),
        ({"drift": {"vulnerabilities": "items"}}, "failed", "vulnerabilities"),
        ({"drift": {"cveID": "cve_id"}}, "failed", "known_exploited_vulnerabilities.json"),
        # an old copy, as a stale mirror gives
        ({"kev_date": "2026-02-27"}, "refused", "already holds"),
    ],
    ids=lambda value: "-".join(f"{k}" for k in value) if isinstance(value, dict) else "",
)
def test_a_run_that_fails_changes_nothing_and_says_why(
    loaded: Database,
    clock: FrozenClock,
    mirror: Mirror,
    tmp_path: Path,
    change: dict[str, Any],
    outcome: str,
    says: str,
) -> None:
    before = held(loaded)
    mirror.control(kev_date="2026-05-30")
    mirror.control(**({"prefix": CISA} if "kev_date" not in change else {}), **change)

    failed = run(loaded, clock, mirror, tmp_path)

    assert failed.outcome == outcome
    assert failed.error is not None
    assert says in failed.error
    assert held(loaded) == before
    recorded = rows(loaded, "select outcome, error, finished_at from feed_run order by id desc limit 1")
    assert recorded == [(outcome, failed.error, clock.now())]
    with loaded.as_system() as session:
        status = next(one for one in feed_statuses(session, clock.now()) if one.name == "kev")
    assert (status.state, status.good, status.last_error) == ("failing", False, failed.error)

    mirror.control(reset=True)
    mirror.control(kev_date="2026-05-30")
    assert run(loaded, clock, mirror, tmp_path).outcome == "succeeded"
    assert rows(loaded, "select last_error from feed where name = 'kev'") == [(None,)]


LISTS = {
    "euvd": "/euvdservices.enisa.europa.eu/",
    "exploitdb": "/gitlab.com/",
    "metasploit": "/raw.githubusercontent.com/rapid7/",
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"truncate": 300}, {"truncate": 300, "truncate_clean": True}], ids=str
)
def test_trouble_with_a_list_leaves_its_marks(
    database: Database,
    clock: FrozenClock,
    mirror: Mirror,
    tmp_path: Path,
    name: str,
    fault: dict[str, Any],
) -> None:
    flaw = Enrichment(
        name, EXPLOITED, published_exploit=PublishedExploit(1, None, ("https://feeds.example/1",))
    )
    listed = exploited(EXPLOITED, source=name) if name == "euvd" else flaw
    publish(database, clock, name, listed, complete=True)
    before = held(database)
    mirror.control(prefix=LISTS[name], **fault)

    failed = run(database, clock, mirror, tmp_path, name)

    assert failed.outcome == "failed"
    assert failed.error
    assert held(database) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"dateReleased": "2026-06-01T00:00:00Z", "count": 0, "vulnerabilities": []}',
        b'{"dateReleased": "2026-06-01T00:00:00Z", "count": 2, "vulnerabilities": [{}]}',
        b"<html>Please sign in to the proxy</html>",
        b"\xff\xfe\x00",
    ],
)
def test_an_empty_or_foreign_document_takes_no_mark_away(
    database: Database, clock: FrozenClock, body: bytes
) -> None:
    publish(database, clock, "kev", *[], complete=True)
    good = b'{"dateReleased": "2026-05-01T00:00:00Z", "count": 1, "vulnerabilities": [%s]}' % (
        b'{"cveID": "CVE-2021-44228", "vendorProject": "Apache", "product": "Log4j2", "vulnerabilityName": "Log4Shell",'
        b'"dateAdded": "2021-12-10", "shortDescription": "x", "requiredAction": "Update.", "dueDate": "2021-12-24"}'
    )
    loaded = run_feed(database, feed("kev"), DictTransport({KEV_FILE: good}), clock, after=following(clock))
    assert loaded.outcome == "succeeded", loaded
    before = held(database)

    failed = run_feed(database, feed("kev"), DictTransport({KEV_FILE: body}), clock, after=following(clock))

    assert failed.outcome == "failed"
    assert failed.error
    assert held(database) == before


def test_an_entry_taken_out_upstream_takes_its_mark_along(
    loaded: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.control(prefix=CISA, drop_ids=[EXPLOITED])
    clock.advance(timedelta(days=1))
    with loaded.as_system() as session:  # the mirror gives the same catalog of April, so let it be asked anew
        session.execute(text("update feed set state = '{}' where name = 'kev'"))
    outcome = run(loaded, clock, mirror, tmp_path)

    assert outcome.outcome == "succeeded", outcome
    assert rows(loaded, "select exploited_since from vulnerability where name = :name", name=EXPLOITED) == [
        (None,)
    ]
    assert rows(loaded, "select count(*) from finding where closed_at is null") == [(1,)]


def test_a_slow_source_and_one_that_recovers_are_waited_for(
    loaded: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.control(kev_date="2026-05-30")
    mirror.control(prefix=CISA, latency_ms=200, status=503, retry_after=0, times=1)

    assert run(loaded, clock, mirror, tmp_path).outcome == "succeeded"


def test_an_unchanged_source_is_a_success_without_work(
    loaded: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path
) -> None:
    before = held(loaded)
    assert run(loaded, clock, mirror, tmp_path).outcome == "unchanged"

    after = held(loaded)
    assert {name: found for name, found in after.items() if name != "state"} == {
        name: found for name, found in before.items() if name != "state"
    }
    assert rows(loaded, "select last_success_at from feed where name = 'kev'") == [(clock.now(),)]


@pytest.mark.parametrize(
    "fault", [{"truncate": 100_000}, {"truncate": 100_000, "truncate_clean": True}, {"status": 503}], ids=str
)
def test_an_archive_that_breaks_off_leaves_the_packages_as_they_were(
    database: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path, fault: dict[str, Any]
) -> None:
    mirror.control(prefix=OSV, **fault)
    failed = run(database, clock, mirror, tmp_path, "osv", ecosystems=("crates.io",))

    assert failed.outcome == "failed"
    assert rows(database, "select count(*) from advisory") == [(0,)]


def test_an_archive_is_taken_in_whole_and_found_unchanged_after(
    database: Database, clock: FrozenClock, mirror: Mirror, tmp_path: Path
) -> None:
    organization = new_organization(database)
    first = run(database, clock, mirror, tmp_path, "osv", ecosystems=("crates.io",))
    assert first.outcome == "succeeded", first
    assert first.records + first.quarantined >= 1_600
    report(database, clock, organization, "host", [{"type": "cargo", "name": "smallvec", "version": "0.6.9"}])

    found = rows(
        database,
        "select v.name, r.fixed from finding f join vulnerability v on v.id = f.vulnerability_id"
        " join match m on m.id = f.match_id join affected_range r on r.id = m.range_id order by 1",
    )
    assert ("CVE-2019-15551", "0.6.10") in found
    assert run(database, clock, mirror, tmp_path, "osv", ecosystems=("crates.io",)).outcome == "unchanged"
