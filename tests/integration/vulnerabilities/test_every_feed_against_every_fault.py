"""Every feed against every fault of a source: the run fails in words, what was held stays, the next good run succeeds.

Each feed is tried on small made-up documents in its true form (`every_source`), over loopback and through the
product's own HTTP transport, into the real database: a good run, one under the fault, one after it. Faults of the
real documents at their real size are beside this: `test_run_against_upstream_trouble` and
`test_distributions_against_trouble`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sentrikat.feeds import redhat_data
from sentrikat.feeds.adapter import FetchOptions
from sentrikat.feeds.registry import FEEDS, feed
from sentrikat.feeds.transports.http import HttpTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from tests.builders import advisory, deb, new_organization, publish, report, rows, statement
from tests.integration.vulnerabilities.every_source import OLD_KEV, SCORES, Source, packed, sources
from tests.integration.vulnerabilities.small_internet import SmallInternet, serving
from tests.integration.vulnerabilities.test_run_against_upstream_trouble import held

SOURCES = sources()
MANY = 1_000_000

REFUSALS = {"forbidden": 403, "too-many": 429, "unavailable": 503}
DAMAGES = ("line-breaks", "cut", "empty", "foreign", "drifted", "hollow")


def test_every_feed_is_tried() -> None:
    assert set(SOURCES) == {one.name for one in FEEDS}


@pytest.fixture
def internet() -> Iterator[SmallInternet]:
    with serving({}) as served:
        yield served


def run(
    database: Database, clock: FrozenClock, internet: SmallInternet, folder: Path, name: str
) -> RunReport:
    with (
        httpx2.Client(timeout=10) as client,
        HttpTransport(
            client, clock.now, base=internet.url, folder=folder, attempts=2, first_wait_seconds=0.001
        ) as transport,
    ):
        options = FetchOptions(ecosystems=("RubyGems",))
        return run_feed(database, feed(name), transport, clock, options=options, after=following(clock))


@pytest.fixture(params=list(SOURCES))
def name(
    request: pytest.FixtureRequest,
    database: Database,
    clock: FrozenClock,
    internet: SmallInternet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A feed after its first good run, with something new at its source a day later."""
    monkeypatch.setattr(redhat_data, "FIRST", "2026-05-01")  # a window instead of 27 years of them
    found: str = request.param
    source = SOURCES[found]
    internet.documents = dict(source.first)
    first = run(database, clock, internet, tmp_path, found)
    assert (first.outcome, first.error) == ("succeeded", None)
    clock.advance(timedelta(days=1))
    internet.documents |= {**source.also, source.place: source.fresh}
    return found


def spoil(internet: SmallInternet, source: Source, fault: str) -> None:
    """Let the source have a fault."""
    if fault in REFUSALS:
        internet.refusing, internet.refusals = REFUSALS[fault], MANY
    elif fault == "line-breaks":
        internet.cutting = source.place
    else:
        internet.documents[source.place] = {
            "cut": source.fresh[: len(source.fresh) // 2],
            "empty": b"",
            "foreign": b"<html><body>Please sign in to the proxy</body></html>",
            "drifted": source.drifted,
            "hollow": source.hollow,
        }[fault]


def heal(internet: SmallInternet, source: Source) -> None:
    """Let the fault be gone."""
    internet.refusals, internet.cutting = 0, ""
    internet.documents[source.place] = source.fresh


def kept(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a feed brings, and what is remembered of it."""
    return {
        **held(database),
        "cycles": rows(database, "select * from release_cycle order by id"),
        "catalogue": rows(database, "select * from catalogue_product order by product_id"),
    }


def test_a_feed_keeps_what_it_has_under_every_fault_and_recovers(
    database: Database, clock: FrozenClock, internet: SmallInternet, tmp_path: Path, name: str
) -> None:
    before = kept(database)
    wrong: list[str] = []
    for fault in (*REFUSALS, *DAMAGES):
        spoil(internet, SOURCES[name], fault)
        clock.advance(timedelta(minutes=1))
        outcome = run(database, clock, internet, tmp_path, name)
        if outcome.outcome not in ("failed", "refused", "held") or not outcome.error:
            wrong.append(f"{fault}: {outcome}")
        if outcome.error and outcome.error.startswith(("Traceback", "KeyError")):
            wrong.append(f"{fault}: {outcome.error}")
        if kept(database) != before:
            wrong.append(f"{fault} changed what was held")
            break
        heal(internet, SOURCES[name])
    assert not wrong

    internet.latency_seconds, internet.refusing, internet.refusals = 0.02, 503, 1  # slow, and once too busy
    assert run(database, clock, internet, tmp_path, name).outcome == "succeeded"


@pytest.mark.parametrize(
    ("name", "older"),
    [
        ("kev", OLD_KEV.replace(b"2026-04-28T", b"2026-01-28T")),
        ("epss", packed(SCORES.replace(b"2026-06-07", b"2026-06-01"))),
    ],
    indirect=["name"],
)
def test_an_older_copy_is_refused(
    database: Database, clock: FrozenClock, internet: SmallInternet, tmp_path: Path, name: str, older: bytes
) -> None:
    before = kept(database)
    internet.documents[SOURCES[name].place] = older

    refused = run(database, clock, internet, tmp_path, name)

    assert (refused.outcome, bool(refused.error)) == ("refused", True)
    assert kept(database) == before


def test_a_record_that_moves_to_another_id_leaves_its_finding_open(
    database: Database, clock: FrozenClock
) -> None:
    """The source files the same flaw under a new id: the old record is withdrawn, the finding goes on."""
    ranges = statement("debian:12", "anvil")
    publish(database, clock, "debian", advisory("CVE-2026-0001", ranges, named="DSA-1"), complete=True)
    report(database, clock, new_organization(database), "host", [deb("anvil", "1.0-1")])
    findings = "select id, closed_at, opened_at from finding"
    before = rows(database, findings)
    events = rows(database, "select count(*) from event")
    clock.advance(timedelta(hours=1))

    moved = publish(
        database, clock, "debian", advisory("CVE-2026-0001", ranges, named="DSA-2"), complete=True
    )

    assert moved.outcome == "succeeded", moved
    assert rows(database, "select external_id, withdrawn_at is null from advisory order by external_id") == [
        ("DSA-1", False),
        ("DSA-2", True),
    ]
    assert len(before) == 1
    assert rows(database, findings) == before
    assert rows(database, "select count(*) from event") == events
