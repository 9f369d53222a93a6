"""Feeds of many documents against every fault of a source: what was held stays, whatever comes of one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sentrikat.feeds import alpine, endoflife
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from tests.builders import new_organization, report, rows
from tests.integration.feeds.conftest import Mirror
from tests.integration.vulnerabilities.test_run_against_upstream_trouble import run
from tests.unit.feeds.samples import SAMPLES

ALPINE = "/secdb.alpinelinux.org/"
ENDS = "/endoflife.date/"
HELD = "select source, external_id, digest, withdrawn_at from advisory order by id"
CYCLES = "select product, cycle, security_ends_on, valid_to from release_cycle order by id"


@pytest.mark.parametrize(
    ("name", "prefix", "fault"),
    [
        ("alpine", ALPINE, {"status": 403}),
        ("alpine", ALPINE, {"status": 404}),
        ("alpine", ALPINE, {"status": 429, "retry_after": 0}),
        ("alpine", ALPINE, {"status": 503}),
        ("alpine", ALPINE, {"truncate": 300}),
        ("alpine", ALPINE, {"truncate": 300, "truncate_clean": True}),
        ("alpine", ALPINE, {"drift": {"secfixes": "fixes"}}),
        ("alpine", ALPINE, {"drift": {"packages": "items"}}),
        ("alpine", f"{ALPINE}v3.18/main.json", {"drift": {"pkg": "package"}}),
        ("alpine", f"{ALPINE}v3.18/main.json", {"status": 404}),
        ("endoflife", ENDS, {"status": 503}),
        ("endoflife", ENDS, {"status": 404}),
        ("endoflife", f"{ENDS}api/ubuntu.json", {"truncate": 300, "truncate_clean": True}),
        ("endoflife", f"{ENDS}api/ubuntu.json", {"drift": {"eol": "end"}}),
        ("endoflife", f"{ENDS}api/all.json", {"truncate": 20, "truncate_clean": True}),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_source_in_trouble_fails_the_run_and_nothing_is_half_taken_in(
    database: Database,
    clock: FrozenClock,
    mirror: Mirror,
    tmp_path: Path,
    name: str,
    prefix: str,
    fault: dict[str, Any],
) -> None:
    mirror.control(prefix=prefix, **fault)

    failed = run(database, clock, mirror, tmp_path, name)

    assert failed.outcome == "failed"
    assert failed.error
    assert rows(database, HELD) == []
    assert rows(database, CYCLES) == []


# -- what was held -----------------------------------------------------------------------

BRANCHES = (SAMPLES / "alpine" / "main.json").read_bytes()
UBUNTU = (SAMPLES / "endoflife" / "ubuntu.json").read_bytes()


def server() -> DictTransport:
    documents = {
        **dict.fromkeys(alpine._NEEDED, BRANCHES),
        endoflife.ALL: b'["ubuntu"]',
        f"{endoflife.BASE}ubuntu.json": UBUNTU,
    }
    return DictTransport(documents)


def taken(database: Database, clock: FrozenClock, name: str, transport: DictTransport) -> RunReport:
    return run_feed(database, feed(name), transport, clock, after=following(clock))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>Sign in</html>", b"\xff\xfe\x00", BRANCHES[:200]]
)
def test_one_foreign_document_among_many_keeps_all_of_them(
    database: Database, clock: FrozenClock, body: bytes
) -> None:
    assert taken(database, clock, "alpine", server()).outcome == "succeeded"
    before = rows(database, HELD)
    assert before

    broken = server()
    broken.documents[f"{alpine.BASE}v3.15/main.json"] = body
    assert taken(database, clock, "alpine", broken).outcome == "failed"
    assert rows(database, HELD) == before

    assert taken(database, clock, "alpine", server()).outcome == "unchanged"


def test_a_repair_taken_back_upstream_is_taken_back_here(database: Database, clock: FrozenClock) -> None:
    taken(database, clock, "alpine", server())
    changed = server()
    for url in alpine._NEEDED:
        changed.documents[url] = BRANCHES.replace(b'"CVE-2021-0001", ', b"")

    assert taken(database, clock, "alpine", changed).outcome == "succeeded"
    assert rows(
        database,
        "select external_id from advisory where withdrawn_at is not null",
    ) == [("v3.18/main/anvil/CVE-2021-0001",)]


def test_documents_in_another_order_are_the_same_data(database: Database, clock: FrozenClock) -> None:
    taken(database, clock, "alpine", server())
    before = rows(database, HELD)
    turned = server()
    turned.documents = dict(reversed(turned.documents.items()))
    for url in alpine._NEEDED:
        turned.documents[url] += b"\n"

    assert taken(database, clock, "alpine", turned).outcome == "succeeded"
    assert rows(database, HELD) == before


def test_an_unchanged_source_of_ends_is_a_success_without_work(
    database: Database, clock: FrozenClock
) -> None:
    organization = new_organization(database)
    report(
        database,
        clock,
        organization,
        "host",
        [],
        os={"family": "linux", "name": "ubuntu", "version": "14.10"},
    )
    assert taken(database, clock, "endoflife", server()).outcome == "succeeded"
    before = rows(database, CYCLES)

    assert taken(database, clock, "endoflife", server()).outcome == "unchanged"
    assert rows(database, CYCLES) == before
    assert rows(database, "select product, cycle from component_cycle") == [("ubuntu", "14.10")]
    assert rows(database, "select record_count from feed where name = 'endoflife'") == [(3,)]
