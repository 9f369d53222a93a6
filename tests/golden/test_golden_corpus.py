"""The golden corpus: what made people distrust matchers, each case with its one right answer.

All cases live in one world: the products of every case are decoys for the others. Each inventory goes both ways,
through `sentrikat scan` and as a stored host's report, and must come out the same.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import Product, Remedy, Statement, Status
from sentrikat.domain.cpe.name import parse
from sentrikat.domain.inventory import Inventory
from sentrikat.domain.matching.lanes import scheme_of
from sentrikat.domain.ranges import VersionRange
from sentrikat.feeds import debian, msrc, nvd, osv
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.findings.reasoning import METHODS
from sentrikat.findings.scan import Scanner
from sentrikat.findings.scan_record import scan_record
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.readers.agent_report import read
from sentrikat.reactions import following
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import NOON, advisory, new_organization, publish, report
from tests.golden.corpus import (
    Case,
    Line,
    debian_document,
    msrc_months,
    nvd_document,
    office_page,
    osv_archives,
    read_cases,
)
from tests.postgres import SharedServer

CASES = read_cases()
ADAPTERS = {"nvd", "osv", "debian", "msrc"}
_REMEDIES = {
    "open": Remedy.OPEN,
    "deferred": Remedy.DEFERRED,
    "wont-fix": Remedy.WILL_NOT_FIX,
    "eol": Remedy.END_OF_LIFE,
}


@dataclass
class Said:
    """What was said of one machine."""

    found: set[str] = field(default_factory=set)
    possible: set[str] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)
    product: dict[str, str] = field(default_factory=dict)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CASES) >= 150


def test_every_flaw_a_case_expects_is_one_some_source_names() -> None:
    named = {
        name for case in CASES for line in case.says for name in (line.flaw, line.flaw.rpartition("=")[2])
    }

    assert {flaw for case in CASES for flaw in case.affected | case.review} - named == set()


@pytest.fixture(scope="module")
def world(database_server: SharedServer) -> Iterator[Database]:
    """Everything any case says, in one database."""
    name = f"golden_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name))
    clock = FrozenClock(NOON)
    lines = {line: None for case in CASES for line in case.says}
    by_source: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_source[line.source].append(line)
    documents = {
        "nvd": {nvd.MODIFIED: nvd_document(by_source["nvd"])},
        "osv": {osv.archive_url(one): content for one, content in osv_archives(by_source["osv"]).items()},
        "debian": {debian.URL: debian_document(by_source["debian"])},
        "msrc": {
            **{msrc.MONTHS + name: held for name, held in msrc_months(by_source["msrc"]).items()},
            msrc.CSAF + "a-page-imported-by-hand": office_page(by_source["msrc"]),
        },
    }
    for source, held in documents.items():
        transport = DictTransport(held, live=False)
        outcome = run_feed(database, feed(source), transport, clock, after=following(clock))
        assert (outcome.outcome, outcome.quarantined) == ("succeeded", 0), outcome
    for source, said in by_source.items():
        if source not in ADAPTERS:
            records = [
                advisory(line.flaw, _statement(line), source=source, named=f"{line.flaw}/{number}")
                for number, line in enumerate(said)
            ]
            assert publish(database, clock, source, *records).outcome == "succeeded"
    yield database
    database.close()
    database_server.drop(name)


def _statement(line: Line) -> Statement:
    """A line as the domain's own statement, for sources whose documents say nothing more."""
    exact = line.bound("=")
    span = VersionRange(
        scheme_of(line.ecosystem),
        line.bound(">=") or exact,
        line.bound("<"),
        line.bound("<=") or exact,
    )
    return Statement(
        Product(line.ecosystem, line.name),
        Status.UNAFFECTED if line.word == "not-affected" else Status.AFFECTED,
        span,
        described=line.word != "undescribed",
        remedy=_REMEDIES.get(line.word or "", Remedy.FIXED if span.fixed else None),
        module=line.option("module"),
    )


@pytest.fixture(scope="module")
def scanned(world: Database) -> dict[str, Said]:
    """What `scan` says of every machine, by case."""
    records: dict[str, dict[str, Any]] = {}
    with world.as_system() as session:
        scanner = Scanner(session)
        scanner.begin()
        for result in scanner.scan(_inventory(case) for case in CASES):
            record = orjson.loads(orjson.dumps(scan_record(result)))
            records[record["ref"]] = record
        session.rollback()
    return {name: _said(record) for name, record in records.items()}


def _inventory(case: Case) -> Inventory:
    return read(orjson.dumps(case.report()))


def _said(record: dict[str, Any]) -> Said:
    said = Said()
    for finding in record["findings"]:
        said.found.add(finding["vulnerability"])
    for one in record["unknown"]:
        said.unknown[one["component"]["name"]] = one["reason"]
        said.possible.update(one["hints"])
    for component in record["components"]:
        name = parse(component["cpe"]) if component["cpe"] else None
        said.product[component["name"]] = f"{name.vendor}:{name.product}" if name else ""
    return said


@pytest.fixture(scope="module")
def stored(world: Database) -> dict[str, set[str]]:
    """The flaws with an open, certain finding on every machine, by case."""
    clock = FrozenClock(NOON)
    organization = new_organization(world, "golden")
    for case in CASES:
        sent = case.report()
        report(world, clock, organization, case.id, sent["software"], os=sent["os"])
    found: dict[str, set[str]] = {case.id: set() for case in CASES}
    with world.as_system() as session:
        rows = session.execute(
            text(
                "select a.hostname, v.name from finding f join asset a on a.id = f.asset_id"
                " join vulnerability v on v.id = f.vulnerability_id"
                " where f.closed_at is null and f.verdict = 'affected'"
            )
        )
        for hostname, flaw in rows:
            found[hostname].add(flaw)
    return found


def test_every_way_of_identification_has_words(world: Database, stored: dict[str, set[str]]) -> None:
    assert stored
    with world.as_system() as session:
        used = set(session.scalars(text("select distinct method from component_product")))

    assert used - METHODS.keys() == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_machine_has_exactly_the_flaws_it_should(
    case: Case, scanned: dict[str, Said], stored: dict[str, set[str]]
) -> None:
    said = scanned[case.id]
    reason = f"{case.origin}: {case.why}"

    assert said.found == case.affected, reason
    assert stored[case.id] == case.affected, f"{reason} (stored)"
    assert case.review <= said.possible, reason
    assert case.unknown.items() <= said.unknown.items(), reason
    for name, product in case.product.items():
        assert said.product.get(name, "") == product, reason
