"""SUSE's VEX documents beside its updates in OSV's form: whose word counts, and what an archive takes away."""

from __future__ import annotations

from typing import Any

import pytest

from sentrikat.feeds import suse
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import (
    advisory,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    statement,
)
from tests.unit.feeds.samples import sample, tarred

VEX = sample("suse/cve-2026-10001.json")
FLAW, OTHER = "CVE-2026-10001", "CVE-2026-10002"


def bring(database: Database, clock: FrozenClock, *flaws: str) -> None:
    """Import an archive of documents about `flaws`, as from a file."""
    files = {f"csaf-vex/{one.lower()}.json": VEX.replace(FLAW.encode(), one.encode()) for one in flaws}
    transport = DictTransport({suse.ARCHIVE: tarred(files)}, live=False)
    outcome = run_feed(database, feed("suse"), transport, clock, after=following(clock))
    assert (outcome.outcome, outcome.quarantined) == ("succeeded", 0), outcome


def verdicts(database: Database, clock: FrozenClock, service_pack: str, *software: dict[str, Any]) -> Any:
    """Give component, flaw, verdict of the findings of a host of a service pack."""
    system = {"family": "linux", "name": "sles", "version": service_pack}
    report(database, clock, new_organization(database), "host", software, os=system)
    return {row[1]: row[4] for row in open_findings(database)}


def rpm(name: str, version: str, source: str = "anvil") -> dict[str, Any]:
    return {"type": "rpm", "name": name, "version": version, "source_name": source, "arch": "x86_64"}


@pytest.mark.parametrize(
    ("service_pack", "name", "version", "found"),
    [
        ("15.5", "libanvil2", "2.4.1-150500.6.6.1", {"libanvil2": "affected"}),
        ("15.5", "libanvil2", "2.4.1-150500.6.9.1", {}),
        (
            "15.5",
            "anvil-docs",
            "2.4.1-150500.6.6.1",
            {},
        ),  # built beside: OSV's update of the source would say affected
        ("15.6", "libanvil2", "2.6-150600.1.1", {"libanvil2": "affected"}),  # open: OSV knows repairs only
        ("12.5", "libanvil2", "9-1.1", {"libanvil2": "affected"}),  # will not be fixed, whatever the build
        ("12.4", "libanvil2", "1.9.8-8.3.1", {"libanvil2": "affected"}),  # repaired in LTSS
        ("12.4", "libanvil2", "1.9.8-8.7.1", {}),
        ("15.2", "libanvil2", "2.0-150200.1.1", {"libanvil2": "affected"}),  # VEX is silent, OSV is heard
        ("15.2", "libanvil2", "2.0-150200.9.1", {}),
    ],
)
def test_vex_is_heard_before_osv_and_osv_where_vex_is_silent(
    database: Database, clock: FrozenClock, service_pack: str, name: str, version: str, found: dict[str, str]
) -> None:
    update = advisory(
        FLAW,
        statement("sles:15.5", "anvil", fixed="2.4.1-150500.6.12.1"),  # a later update named the flaw again
        statement("sles:15.2", "anvil", fixed="2.0-150200.9.1"),
        source="osv",
    )
    publish(database, clock, "osv", update)
    bring(database, clock, FLAW)

    assert verdicts(database, clock, service_pack, rpm(name, version)) == found


def test_states_without_a_repair_are_kept_apart(database: Database, clock: FrozenClock) -> None:
    bring(database, clock, FLAW)

    said = rows(
        database,
        "select p.ecosystem, p.name, r.remedy from affected_range r join product p on p.id = r.product_id"
        " where r.status = 'affected' and r.remedy <> 'fixed' order by 1, 2",
    )

    assert said == [
        ("sles:12.5", "libanvil2", "will_not_fix"),
        ("sles:15.6", "compat-anvil", "deferred"),
        ("sles:15.6", "libanvil2", "open"),
    ]


def test_what_a_newer_archive_lacks_was_taken_away(database: Database, clock: FrozenClock) -> None:
    bring(database, clock, FLAW, OTHER)

    bring(database, clock, FLAW)

    assert rows(database, "select external_id, withdrawn_at is null from advisory order by 1") == [
        (FLAW, True),
        (OTHER, False),
    ]


def test_what_a_single_document_does_not_mention_stays(database: Database, clock: FrozenClock) -> None:
    bring(database, clock, FLAW, OTHER)
    one = DictTransport({f"{suse.BASE}{FLAW.lower()}.json": VEX + b"\n"}, live=False)

    run_feed(database, feed("suse"), one, clock, after=following(clock))

    assert rows(database, "select count(*) from advisory where withdrawn_at is null") == [(2,)]
