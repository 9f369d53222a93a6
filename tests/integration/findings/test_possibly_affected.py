"""Possibly affected: a name is evidence for people, is never lost, and never opens a finding."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.names import flaw_names, may_be, software_name
from sentrikat.domain.permissions import INSTALLATION_ADMINISTRATOR, Caller
from sentrikat.findings.dismissals import dismiss, restore
from sentrikat.findings.explain import explain
from sentrikat.findings.possible import hits_of
from sentrikat.findings.queue import QueueRow, count_possible, list_possible
from sentrikat.findings.scan import Scanner
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.readers import read_report
from tests.builders import (
    WINDOWS,
    advisory,
    cpe,
    exploited,
    forget_temporary,
    likely,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    statement,
)

EMS = {"type": "windows", "name": "FortiClient EMS", "version": "7.2.1", "vendor": "Fortinet Inc."}
FLAW, OTHER = "CVE-2026-1001", "CVE-2026-1002"


def queue(database: Database, organization: int, **asked: Any) -> list[QueueRow]:
    with database.as_organization(organization) as session:
        return list_possible(session, organization, **asked)[0]


def host(
    database: Database, clock: FrozenClock, organization: int, name: str, *software: dict[str, Any]
) -> int:
    return report(database, clock, organization, name, software, os=WINDOWS).asset_id


def ems_listed(database: Database, clock: FrozenClock, flaw: str = FLAW) -> None:
    publish(database, clock, "kev", exploited(flaw, vendor="Fortinet", product="FortiClient EMS"))


@pytest.mark.parametrize("inventory_first", [True, False])
def test_a_catalog_entry_without_products_is_queued_with_its_evidence(
    database: Database, clock: FrozenClock, *, inventory_first: bool
) -> None:
    organization = new_organization(database)
    if not inventory_first:
        ems_listed(database, clock)
    for name in ("one", "two", "three"):
        host(database, clock, organization, name, EMS)
    if inventory_first:
        ems_listed(database, clock)

    (entry,) = queue(database, organization)

    assert entry.evidence == (
        "CISA KEV names Fortinet FortiClient EMS; installed: FortiClient EMS 7.2.1 on 3 assets;"
        " no source describes versions."
    )
    assert (entry.vulnerability, entry.assets, entry.exploited_since is not None) == (FLAW, 3, True)
    assert open_findings(database) == []


def test_what_is_described_leaves_the_queue(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    asset = host(database, clock, organization, "one", EMS)
    ems_listed(database, clock)
    assert len(queue(database, organization, asset_id=asset)) == 1

    described = statement("cpe:a", "fortinet:forticlient_ems", fixed="7.2.0")
    publish(database, clock, "nvd", advisory(FLAW, described))

    assert queue(database, organization) == []
    assert rows(database, "select count(*) from flaw_name") == [(0,)]


def test_what_the_catalog_takes_back_leaves_the_queue(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    host(database, clock, organization, "one", EMS)
    ems_listed(database, clock)
    publish(
        database,
        clock,
        "kev",
        exploited(OTHER, vendor="Example", product="Frobnicator"),
        complete=True,
    )

    assert queue(database, organization) == []


def test_removed_software_and_a_retired_asset_are_not_counted(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    ems_listed(database, clock)
    host(database, clock, organization, "one", EMS)
    host(database, clock, organization, "two", EMS)
    host(database, clock, organization, "one", {**EMS, "name": "Another Program"})
    assert [entry.assets for entry in queue(database, organization)] == [1]

    with database.as_system() as session:
        session.execute(text("update asset set retired_at = now() where hostname = 'two'"))

    assert queue(database, organization) == []


def test_statements_without_versions_stand_in_the_same_queue(database: Database, clock: FrozenClock) -> None:
    """A CVE with only wildcard CPEs and a versioned product: to review, visible, and in one place with the rest."""
    organization = new_organization(database)
    host(database, clock, organization, "one", EMS, cpe("example", "frobnicator", "2.0"))
    publish(
        database, clock, "nvd", advisory(OTHER, statement("cpe:a", "example:frobnicator", described=False))
    )
    publish(database, clock, "epss", likely(OTHER, 0.9))
    ems_listed(database, clock)

    entries = queue(database, organization)

    assert [(one.vulnerability, one.basis, one.component_name) for one in entries] == [
        (FLAW, "catalog", "FortiClient EMS"),  # exploited before likely
        (OTHER, "statement", "frobnicator"),
    ]
    assert (
        "NVD names example frobnicator without saying which versions; installed: frobnicator 2.0 on 1 asset."
        in entries[1].evidence
    )
    assert {row[4] for row in open_findings(database)} == {"unknown"}


def test_an_empty_version_is_unknown_and_its_flaws_by_name_are_kept(
    database: Database, clock: FrozenClock
) -> None:
    """Neither all flaws of the product nor none."""
    organization = new_organization(database)
    without = {key: value for key, value in EMS.items() if key != "version"}
    host(database, clock, organization, "one", without, cpe("example", "frobnicator", None))
    publish(database, clock, "nvd", advisory(OTHER, statement("cpe:a", "example:frobnicator", fixed="3.0")))
    ems_listed(database, clock)

    assert open_findings(database) == []
    assert rows(database, "select identified from component where kind = 'cpe'") == [("no_version",)]
    assert ["without a version" in one.evidence for one in queue(database, organization)] == [True]


def test_one_organization_sees_its_own_software_only(database: Database, clock: FrozenClock) -> None:
    acme, other = new_organization(database), new_organization(database, "other")
    host(database, clock, acme, "one", EMS)
    ems_listed(database, clock)

    assert len(queue(database, acme)) == 1
    assert queue(database, other) == []


def test_explain_says_what_a_name_says(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    asset = host(database, clock, organization, "one", EMS)
    ems_listed(database, clock)

    with database.as_organization(organization) as session:
        (answer,) = explain(session, organization, asset, FLAW)

    assert answer.verdict == "unknown"
    assert answer.sentence == f"FortiClient EMS 7.2.1 on one is possibly affected by {FLAW}."
    assert [step.title for step in answer.chain] == ["Inventory", "Name", "Not judged"]


def test_a_scan_gives_it_as_a_hint(database: Database, clock: FrozenClock) -> None:
    ems_listed(database, clock)
    body = {"report_id": "r", "agent_id": "a", "hostname": "h", "os": WINDOWS, "complete": True}
    body |= {"collected_at": clock.now().isoformat(), "software": [EMS]}
    inventory = read_report(orjson.dumps(body)).inventory
    with database.as_system() as session:
        scanner = Scanner(session)
        scanner.begin()
        (result,) = scanner.scan([inventory])
        session.rollback()

    assert [(one.installed.component.name, one.hints) for one in result.unknown] == [
        ("FortiClient EMS", (FLAW,))
    ]
    assert result.hits == ()


def test_a_dismissal_survives_matching_and_upgrades_and_can_be_taken_back(
    database: Database, clock: FrozenClock
) -> None:
    organization = new_organization(database)
    host(database, clock, organization, "one", EMS)
    ems_listed(database, clock)
    caller = Caller(organization, "user:1", INSTALLATION_ADMINISTRATOR)
    (entry,) = queue(database, organization)
    with database.as_organization(organization) as session:
        dismiss(
            session,
            caller,
            [(FLAW, entry.component_id)],
            reason="Only the console is installed.",
            now=clock.now(),
        )

    host(database, clock, organization, "one", {**EMS, "version": "7.2.2"})
    ems_listed(database, clock, OTHER)
    ems_listed(database, clock)

    assert [one.vulnerability for one in queue(database, organization)] == [OTHER]
    (dismissed,) = queue(database, organization, dismissed=True)
    assert (dismissed.component_version, dismissed.dismissed_by) == ("7.2.2", "user:1")
    with database.as_organization(organization) as session:
        restore(session, caller, [(FLAW, dismissed.component_id)], now=clock.now())
        assert count_possible(session, organization) == 2
    assert rows(database, "select action from audit_entry order by id") == [
        ("possibly_affected.dismissed",),
        ("possibly_affected.restored",),
    ]


def test_a_listing_as_exploited_brings_a_dismissed_entry_back(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    host(database, clock, organization, "one", cpe("example", "frobnicator", "2.0"))
    publish(
        database, clock, "nvd", advisory(FLAW, statement("cpe:a", "example:frobnicator", described=False))
    )
    caller = Caller(organization, "user:1", INSTALLATION_ADMINISTRATOR)
    (entry,) = queue(database, organization)
    with database.as_organization(organization) as session:
        dismiss(
            session, caller, [(FLAW, entry.component_id)], reason="We do not use that part.", now=clock.now()
        )
    assert queue(database, organization) == []

    publish(database, clock, "kev", exploited(FLAW))

    assert [one.vulnerability for one in queue(database, organization)] == [FLAW]


def test_a_dismissal_needs_a_reason_and_an_entry(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    host(database, clock, organization, "one", EMS)
    ems_listed(database, clock)
    caller = Caller(organization, "user:1", INSTALLATION_ADMINISTRATOR)
    (entry,) = queue(database, organization)
    with database.as_organization(organization) as session:
        with pytest.raises(InvalidInput):
            dismiss(session, caller, [(FLAW, entry.component_id)], reason="no", now=clock.now())
        with pytest.raises(NotFound):
            dismiss(
                session,
                caller,
                [(FLAW, entry.component_id), (OTHER, entry.component_id)],
                reason="There is no such thing.",
                now=clock.now(),
            )
        with pytest.raises(InvalidInput):
            dismiss(session, caller, [], reason="Nothing was ticked at all.", now=clock.now())
    assert [one.vulnerability for one in queue(database, organization)] == [FLAW]  # all of them or none


WORDS = st.lists(
    st.sampled_from(["example", "acme", "frobnicator", "server", "mail", "2", "ems", "inc"]), max_size=4
).map(" ".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flaws=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4),
    software=st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=4),
)
def test_sql_and_domain_agree_and_no_finding_comes_of_a_name(
    database: Database,
    clock: FrozenClock,
    flaws: list[tuple[str, str]],
    software: list[tuple[str, str]],
) -> None:
    named = {f"CVE-2026-{2000 + number}": one for number, one in enumerate(flaws)}
    components = {
        number: Component("windows", "windows", title, "1.0", vendor=vendor or None)
        for number, (title, vendor) in enumerate(software)
    }
    expected = {
        (number, flaw)
        for number, (title, vendor) in enumerate(software)
        for flaw, (maker, product) in named.items()
        if any(may_be(one, software_name(title, vendor or None)) for one in flaw_names(maker, product))
    }
    publish(
        database,
        clock,
        "kev",
        *(exploited(flaw, vendor=maker, product=product) for flaw, (maker, product) in named.items()),
        complete=True,
    )

    with database.as_system() as session:
        names = {row.id: row.name for row in session.execute(text("select id, name from vulnerability"))}
        found = {
            (number, names[hit.vulnerability_id])
            for number, hits in hits_of(session, components).items()
            for hit in hits
        }
        forget_temporary(session)
    assert found == expected
    assert rows(database, "select count(*) from match") == [(0,)]
    assert open_findings(database) == []
