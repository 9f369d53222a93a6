"""The life of a finding: what opens it, what closes it and why, and that its history stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import Status
from sentrikat.findings.reconcile import reconcile_asset
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import rematch
from tests.builders import (
    advisory,
    deb,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    statement,
)

FLAW = "CVE-2026-1001"
LIFE = "select opened_at, closed_at, close_reason from finding order by id"


@pytest.fixture
def organization(database: Database, clock: FrozenClock) -> int:
    """An organization whose host runs a package with a flaw."""
    publish(database, clock, "debian", advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1")))
    made = new_organization(database)
    report(database, clock, made, "host", [deb("anvil", "1.0-1"), deb("rope", "1.0-1")])
    return made


def later(clock: FrozenClock) -> None:
    clock.advance(timedelta(days=1))


def reasons(database: Database) -> list[str | None]:
    return [row[2] for row in rows(database, LIFE)]


def events(database: Database) -> list[tuple[str, int, str | None]]:
    return rows(database, "select kind, count, detail->>'reason' from event order by id")


def test_an_upgrade_closes_the_finding_as_upgraded(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    later(clock)
    report(database, clock, organization, "host", [deb("anvil", "2.0-1"), deb("rope", "1.0-1")])

    ((_, closed_at, reason),) = rows(database, LIFE)
    assert (closed_at, reason) == (clock.now(), "upgraded")
    assert events(database) == [("opened", 1, None), ("closed", 1, "upgraded")]


def test_an_upgrade_that_does_not_help_moves_the_finding_to_the_new_version(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    report(database, clock, organization, "host", [deb("anvil", "1.5-1"), deb("rope", "1.0-1")])

    assert [row[2] for row in open_findings(database)] == ["1.5-1"]
    assert reasons(database) == ["upgraded", None]


def test_a_removed_package_closes_its_findings_as_removed(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    report(database, clock, organization, "host", [deb("rope", "1.0-1")])

    assert reasons(database) == ["removed"]


def test_a_part_of_an_inventory_removes_nothing(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    report(database, clock, organization, "host", [deb("saw", "1.0-1")], complete=False)

    assert reasons(database) == [None]


@pytest.mark.parametrize(
    "correction",
    [
        advisory(FLAW, statement("debian:12", "anvil", fixed="0.9-1")),  # it was repaired earlier
        advisory(FLAW, statement("debian:12", "anvil", status=Status.UNAFFECTED)),
        advisory(FLAW, statement("debian:12", "hammer")),  # it was another package
        advisory(FLAW, rejected=True),
    ],
)
def test_a_corrected_statement_closes_the_finding(
    database: Database,
    clock: FrozenClock,
    organization: int,  # noqa: ARG001  # its host has the finding
    correction: object,
) -> None:
    publish(database, clock, "debian", correction)  # type: ignore[arg-type]

    assert reasons(database) == ["statement_changed"]
    assert open_findings(database) == []


def test_a_withdrawn_statement_closes_the_finding_and_its_return_opens_another(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    first = clock.now()
    said = advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1"))
    other = advisory("CVE-2026-1002", statement("debian:12", "saw"))
    later(clock)
    publish(database, clock, "debian", other, complete=True)
    second = clock.now()
    later(clock)
    publish(database, clock, "debian", said, other, complete=True)

    assert rows(database, LIFE) == [(first, second, "statement_changed"), (clock.now(), None, None)]
    assert organization


def test_another_source_with_a_better_word_takes_over_the_same_finding(
    database: Database, clock: FrozenClock
) -> None:
    """The finding keeps its age; only the statement behind it changes."""
    publish(database, clock, "osv", advisory(FLAW, statement("debian:12", "anvil"), named="DSA-1"))
    organization = new_organization(database)
    report(database, clock, organization, "host", [deb("anvil", "1.0-1")])
    opened = clock.now()
    later(clock)
    publish(database, clock, "debian", advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1")))

    assert rows(database, LIFE) == [(opened, None, None)]
    chosen = "select r.source from finding f join match m on m.id = f.match_id join affected_range r on r.id = m.range_id"
    assert rows(database, chosen) == [("debian",)]


def test_a_retired_asset_has_no_findings(database: Database, clock: FrozenClock, organization: int) -> None:
    with database.as_system() as session:
        asset = session.execute(text("update asset set retired_at = now() returning id")).scalar_one()
        reconcile_asset(session, organization, asset, now=clock.now())

    assert reasons(database) == ["asset_retired"]


def test_judging_everything_anew_repairs_findings_that_are_wrong(
    database: Database,
    clock: FrozenClock,
    organization: int,  # noqa: ARG001  # its host has the finding
) -> None:
    """The projection can be rebuilt from the facts, whatever happened to it."""
    before = open_findings(database)
    with database.as_system() as session:
        session.execute(text("delete from deadline_change; delete from finding; delete from match"))
        session.execute(
            text(
                "insert into finding (organization_id, asset_id, component_id, vulnerability_id, match_id,"
                " verdict, opened_at) select i.organization_id, i.asset_id, i.component_id, v.id, 0, 'affected',"
                " now() from install i join component c on c.id = i.component_id, vulnerability v"
                " where c.name = 'rope'"
            )
        )
    with database.as_system() as session:
        reconciled = rematch(session, now=clock.now())

    assert (reconciled.opened, reconciled.closed) == (1, 1)
    assert open_findings(database) == before


def test_judging_everything_anew_changes_nothing(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    report(database, clock, organization, "other", [deb("anvil", "1.0-1")])
    before = (
        rows(database, "select * from finding order by id"),
        rows(database, "select * from match order by id"),
    )
    told = rows(database, "select count(*) from event")
    later(clock)
    with database.as_system() as session:
        reconciled = rematch(session, now=clock.now())

    assert (reconciled.opened, reconciled.closed) == (0, 0)
    assert (
        rows(database, "select * from finding order by id"),
        rows(database, "select * from match order by id"),
    ) == before
    assert rows(database, "select count(*) from event") == told


def test_a_feed_tells_one_event_per_organization_and_flaw(database: Database, clock: FrozenClock) -> None:
    organizations = [new_organization(database, slug) for slug in ("acme", "other")]
    for organization in organizations:
        for host in ("one", "two"):
            report(database, clock, organization, host, [deb("anvil", "1.0-1")])
    publish(database, clock, "debian", advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1")))

    told = rows(database, "select organization_id, kind, count, asset_id from event order by organization_id")
    assert told == [(organization, "opened", 2, None) for organization in organizations]


def test_two_organizations_with_the_same_component_see_their_own_findings_only(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    theirs = new_organization(database, "other")
    report(database, clock, theirs, "their-host", [deb("anvil", "1.0-1")])
    assert rows(database, "select count(*) from component where name = 'anvil'") == [(1,)]

    hosts = "select a.hostname from finding f join asset a on a.id = f.asset_id"
    for who, host in ((organization, "host"), (theirs, "their-host")):
        with database.as_organization(who) as session:
            assert session.scalars(text(hosts)).all() == [host]
            for table in ("finding", "event", "deadline_change", "install", "asset"):
                of = set(session.scalars(text(f"select organization_id from {table}")).all())
                assert of <= {who}, table
    with database.as_visitor() as session:
        assert session.scalars(text(hosts)).all() == []


def test_an_upgrade_in_one_organization_closes_nothing_in_the_other(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    theirs = new_organization(database, "other")
    report(database, clock, theirs, "their-host", [deb("anvil", "1.0-1")])
    report(database, clock, organization, "host", [deb("anvil", "2.0-1"), deb("rope", "1.0-1")])

    assert [row[0] for row in open_findings(database)] == ["their-host"]
