"""From recorded source documents and an agent's report to a finding that explains itself, and to its end.

The recorded samples of each source go through their own adapters, as the worker runs them.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.findings.scan import Scanner
from sentrikat.findings.scan_record import scan_record
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.readers import read
from sentrikat.reactions import following
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import DEBIAN_12, deb, new_organization, open_flaws, report, rows
from tests.conftest import database

__all__ = ["database"]  # fixture: an empty one

FLAW = "CVE-2023-5217"
VPX = {"description": "Heap overflow in libvpx.", "releases": {}}


@pytest.fixture
def loaded(database: Database, clock: FrozenClock, samples: Path) -> Database:
    """Debian's tracker, NVD and KEV as recorded, with one real flaw of Debian 12 beside them."""
    tracker = json.loads((samples / "debian" / "tracker.json").read_bytes())
    tracker["libvpx"] = {
        FLAW: VPX
        | {
            "releases": {
                "bookworm": {
                    "status": "resolved",
                    "repositories": {"bookworm": "1.12.0-1+deb12u3"},
                    "fixed_version": "1.12.0-1+deb12u1",
                    "urgency": "not yet assigned",
                },
                "bullseye": {
                    "status": "resolved",
                    "repositories": {"bullseye": "1.9.0-1+deb11u3"},
                    "fixed_version": "1.9.0-1+deb11u1",
                    "urgency": "not yet assigned",
                },
            }
        }
    }
    kev = json.loads((samples / "kev" / "known_exploited_vulnerabilities_2026-05-30.json").read_bytes())
    kev["vulnerabilities"].append(kev["vulnerabilities"][0] | {"cveID": FLAW, "dateAdded": "2023-10-02"})
    kev["count"] = len(kev["vulnerabilities"])
    nvd = feed("nvd").sources[0]
    documents = {
        "debian": {feed("debian").sources[0]: json.dumps(tracker).encode()},
        "kev": {feed("kev").sources[0]: json.dumps(kev).encode()},
        "nvd": {
            f"{nvd}nvdcve-2.0-2023.json.gz": gzip.compress((samples / "nvd" / "nvdcve-2.0.json").read_bytes())
        },
    }
    for name, content in documents.items():
        transport = DictTransport(content, live=False, fetched_at=clock.now())
        outcome = run_feed(database, feed(name), transport, clock, after=following(clock))
        assert outcome.outcome == "succeeded", outcome
        assert outcome.quarantined == 0
    return database


LIBVPX = deb("libvpx7", "1.12.0-1", "libvpx")
REPAIRED = deb("libvpx7", "1.12.0-1+deb12u3", "libvpx")


def test_a_package_with_a_flaw_is_found_priced_and_explained_and_its_upgrade_ends_it(
    loaded: Database, clock: FrozenClock
) -> None:
    organization = new_organization(loaded)
    report(loaded, clock, organization, "web-1", [LIBVPX, deb("bash", "5.2-1")])
    report(loaded, clock, organization, "web-2", [REPAIRED])

    assert open_flaws(loaded, "web-1") == {FLAW}
    assert open_flaws(loaded, "web-2") == set()
    chosen = rows(
        loaded,
        "select r.source, p.ecosystem, p.name, r.fixed, f.outcome from finding f join match m on m.id = f.match_id"
        " join affected_range r on r.id = m.range_id join product p on p.id = r.product_id",
    )
    assert chosen == [("debian", "debian:12", "libvpx", "1.12.0-1+deb12u1", "14_days")]

    report(loaded, clock, organization, "web-1", [REPAIRED, deb("bash", "5.2-1")])
    assert open_flaws(loaded, "web-1") == set()
    assert rows(loaded, "select close_reason from finding") == [("upgraded",)]


def test_a_scan_says_of_the_same_host_what_is_stored_of_it(loaded: Database, clock: FrozenClock) -> None:
    report(loaded, clock, new_organization(loaded), "web-1", [LIBVPX])
    body: dict[str, Any] = {
        "report_id": "scan",
        "hostname": "web-1",
        "agent_id": "a",
        "os": DEBIAN_12,
        "collected_at": clock.now().isoformat(),
        "complete": True,
        "software": [LIBVPX],
    }
    with loaded.as_system() as session:
        scanner = Scanner(session)
        scanner.begin()
        (record,) = map(scan_record, scanner.scan([read(json.dumps(body).encode())]))
        session.rollback()

    (finding,) = record["findings"]
    assert {finding["vulnerability"]} == open_flaws(loaded, "web-1")
    assert finding["evidence"]["sentence"] == (
        "libvpx7 1.12.0-1 is installed; Debian's security tracker: libvpx before 1.12.0-1+deb12u1 is affected;"
        " fixed in 1.12.0-1+deb12u1; 1.12.0-1 < 1.12.0-1+deb12u1."
    )


def test_the_same_documents_again_change_nothing(loaded: Database, clock: FrozenClock, samples: Path) -> None:
    tables = ("advisory", "affected_range", "enrichment", "likelihood", "vulnerability", "product")
    before = {table: rows(loaded, f"select count(*) from {table}") for table in tables}
    content = gzip.compress((samples / "nvd" / "nvdcve-2.0.json").read_bytes())
    transport = DictTransport(
        {f"{feed('nvd').sources[0]}nvdcve-2.0-2024.json.gz": content}, live=False, fetched_at=clock.now()
    )
    again = run_feed(loaded, feed("nvd"), transport, clock, after=following(clock))

    assert again.merged is not None
    assert (again.merged.added, again.merged.changed, again.merged.changed_statements) == (0, 0, 0)
    assert {table: rows(loaded, f"select count(*) from {table}") for table in tables} == before
