"""What is past its end is a finding of its own kind: told by the day, with what there is to say of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product, ReleaseCycles
from sentrikat.domain.lifecycle import Cycle, Ending, Support, support_on
from sentrikat.feeds.adapter import Quarantined
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.lifecycle import (
    SUPPORT,
    Unsupported,
    count_unsupported,
    lifecycle_sentence,
    load_cycles,
    unsupported_on,
    unsupported_systems,
)
from sentrikat.inventory.queries import count_assets, list_assets
from tests.builders import DEBIAN_12, NOON, cpe, deb, new_organization, publish, report, rows

DAY = date(2026, 6, 2)
BIONIC = {"family": "linux", "name": "ubuntu", "version": "18.04"}
UTOPIC = {"family": "linux", "name": "ubuntu", "version": "14.10"}
UBUNTU = (
    Cycle("ubuntu", "18.04", security=Ending(date(2023, 5, 31)), extended=Ending(date(2028, 4, 1))),
    Cycle("ubuntu", "14.10", security=Ending(date(2015, 7, 23))),
    Cycle("ubuntu", "26.04", security=Ending(date(2031, 4, 30))),
)
ANVIL = (
    Cycle("anvil", "1", security=Ending(over=True)),
    Cycle("anvil", "2", security=Ending(date(2026, 6, 2))),
    Cycle("anvil", "3", security=Ending(over=False)),
    Cycle("anvil", "4"),
)
PRODUCTS = (Product("cpe:a", "acme:anvil"), Product("npm", "anvil"))


def say(database: Database, clock: FrozenClock, product: str, *cycles: Cycle, **more: Any) -> None:
    publish(database, clock, "endoflife", ReleaseCycles("endoflife", product, cycles, **more))


@pytest.fixture
def known(database: Database, clock: FrozenClock) -> Database:
    say(database, clock, "ubuntu", *UBUNTU)
    say(database, clock, "anvil", *ANVIL, products=PRODUCTS)
    return database


def past(database: Database, organization_id: int, day: date = DAY) -> list[Unsupported]:
    with database.as_organization(organization_id) as session:
        asset = session.scalar(text("select id from asset order by id limit 1"))
        assert asset is not None
        return unsupported_on(session, organization_id, asset, day)


def test_a_host_past_its_end_says_so_though_it_has_no_finding(known: Database, clock: FrozenClock) -> None:
    organization = new_organization(known)
    report(known, clock, organization, "host", [deb("bash", "4.3-1")], os=UTOPIC)

    (found,) = past(known, organization)
    assert (found.kind, found.name, found.version) == ("os", "ubuntu", "14.10")
    assert (found.support, found.since, found.extended_until) == (Support.ENDED, date(2015, 7, 23), None)
    assert found.sentence == (
        "Unsupported since 23 July 2015: no more advisories come, so no findings does not mean none."
    )
    assert rows(known, "select count(*) from finding") == [(0,)]


@pytest.mark.parametrize(
    ("software", "state"),
    [
        (cpe("acme", "anvil", "1.9"), [("ended", None)]),  # over, nobody says since when
        (cpe("acme", "anvil", "2.4.1"), []),  # its last day
        (cpe("acme", "anvil", "3.0"), []),  # no end was announced
        (cpe("acme", "anvil", "4.0"), []),  # nothing was said: not shown as supported, not as ended
        (cpe("acme", "anvil", "20.0"), []),  # 20 is not 2
        ({"type": "npm", "name": "anvil", "version": "1.0.0"}, [("ended", None)]),
        (deb("anvil", "1.0-1"), []),  # a distribution's package is maintained by the distribution
        (cpe("other", "anvil", "1.0"), []),
    ],
)
def test_software_is_past_its_end_where_its_product_and_version_are_certain(
    known: Database, clock: FrozenClock, software: dict[str, Any], state: list[tuple[str, date | None]]
) -> None:
    organization = new_organization(known)
    report(known, clock, organization, "host", [software], os=DEBIAN_12)

    assert [(str(one.support), one.since) for one in past(known, organization)] == state


def test_the_day_decides_and_no_job_is_needed(known: Database, clock: FrozenClock) -> None:
    organization = new_organization(known)
    report(known, clock, organization, "host", [cpe("acme", "anvil", "2.4")], os=BIONIC)

    def states(day: date) -> list[tuple[str, str]]:
        return [(one.name, str(one.support)) for one in past(known, organization, day)]

    assert states(date(2023, 5, 31)) == []
    assert states(date(2023, 6, 1)) == [("ubuntu", "extended")]
    assert states(date(2026, 6, 3)) == [("ubuntu", "extended"), ("anvil", "ended")]
    assert states(date(2028, 4, 2)) == [("ubuntu", "ended"), ("anvil", "ended")]


def test_the_order_of_loading_does_not_matter(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    report(database, clock, organization, "host", [cpe("acme", "anvil", "1.0")], os=UTOPIC)
    assert past(database, organization) == []

    say(database, clock, "ubuntu", *UBUNTU)
    say(database, clock, "anvil", *ANVIL, products=PRODUCTS)

    assert [one.name for one in past(database, organization)] == ["ubuntu", "anvil"]


def test_an_end_that_moves_keeps_its_history(known: Database, clock: FrozenClock) -> None:
    organization = new_organization(known)
    report(known, clock, organization, "host", [], os=UTOPIC)
    clock.advance(timedelta(days=1))
    say(
        known,
        clock,
        "ubuntu",
        Cycle("ubuntu", "14.10", security=Ending(date(2027, 1, 1))),
        *(one for one in UBUNTU if one.name == "26.04"),
    )

    assert past(known, organization) == []
    assert rows(
        known,
        "select cycle, security_ends_on, valid_to from release_cycle where product = 'ubuntu' order by id",
    ) == [
        ("14.10", date(2015, 7, 23), clock.now()),
        ("18.04", date(2023, 5, 31), clock.now()),  # no longer listed
        ("26.04", date(2031, 4, 30), None),  # unchanged: one row
        ("14.10", date(2027, 1, 1), None),
    ]


def test_a_release_that_could_not_be_read_stays_as_it_was(known: Database, clock: FrozenClock) -> None:
    publish(
        known,
        clock,
        "endoflife",
        Quarantined("ubuntu 14.10", "eol is neither a day nor true or false", "{}"),
        ReleaseCycles("endoflife", "ubuntu", tuple(one for one in UBUNTU if one.name != "14.10")),
    )

    assert rows(known, "select valid_to from release_cycle where cycle = '14.10'") == [(None,)]


def test_a_product_that_is_no_longer_told_by_a_name_loses_it(known: Database, clock: FrozenClock) -> None:
    organization = new_organization(known)
    report(known, clock, organization, "host", [cpe("acme", "anvil", "1.0")], os=DEBIAN_12)
    assert len(past(known, organization)) == 1

    say(known, clock, "anvil", *ANVIL, products=(Product("npm", "anvil"),))

    assert past(known, organization) == []


def test_lists_and_counts_agree_and_stay_within_the_organization(known: Database, clock: FrozenClock) -> None:
    mine, theirs = new_organization(known, "mine"), new_organization(known, "theirs")
    report(known, clock, mine, "over", [cpe("acme", "anvil", "1.0")], os=UTOPIC)
    report(known, clock, mine, "bought", [], os=BIONIC)
    report(known, clock, mine, "old-tool", [cpe("acme", "anvil", "1.0")], os=DEBIAN_12)
    report(known, clock, mine, "fine", [], os={**UTOPIC, "version": "26.04"})
    report(known, clock, theirs, "foreign", [], os=UTOPIC)

    with known.as_organization(mine) as session:
        found = list_assets(session, mine, unsupported_on=DAY).assets
        names = {one.id: one.hostname for one in list_assets(session, mine).assets}
        counted = count_unsupported(session, mine, DAY)
        systems = unsupported_systems(session, mine, list(names), DAY)
        assert count_assets(session, mine, unsupported_on=DAY) == len(found)
    assert [one.hostname for one in found] == ["old-tool", "over"]
    assert (counted.assets, counted.systems) == (2, 1)
    assert {names[asset]: str(support) for asset, support in systems.items()} == {
        "over": "ended",
        "bought": "extended",
    }


def test_a_retired_asset_and_removed_software_are_not_counted(known: Database, clock: FrozenClock) -> None:
    organization = new_organization(known)
    report(known, clock, organization, "host", [cpe("acme", "anvil", "1.0")], os=UTOPIC)
    report(known, clock, organization, "host", [cpe("acme", "anvil", "3.0")], os=UTOPIC)
    assert [one.name for one in past(known, organization)] == ["ubuntu"]
    with known.as_system() as session:
        session.execute(text("update asset set retired_at = :now"), {"now": NOON})

    with known.as_organization(organization) as session:
        counted = count_unsupported(session, organization, DAY)
    assert (counted.assets, counted.systems) == (0, 0)


ENDINGS = [
    None,
    Ending(over=True),
    Ending(over=False),
    Ending(DAY - timedelta(days=1)),
    Ending(DAY),
    Ending(DAY + timedelta(days=1)),
]


def test_the_statement_in_sql_says_what_the_domain_says(database: Database, clock: FrozenClock) -> None:
    cycles = [
        Cycle("p", f"{number}", security=security, extended=extended)
        for number, (security, extended) in enumerate((a, b) for a in ENDINGS for b in ENDINGS)
    ]
    say(database, clock, "p", *cycles)

    with database.as_system() as session:
        assert {one.name: one for one in load_cycles(session, ["p"])["p"]} == {
            one.name: one for one in cycles
        }
        said = _support_in_sql(session)
    assert said == {one.name: support_on(one, DAY) for one in cycles}


def _support_in_sql(session: Session) -> dict[str, Support]:
    found = session.execute(text(f"select cycle, {SUPPORT} as support from release_cycle r"), {"day": DAY})
    return {row.cycle: Support(row.support) for row in found}


@pytest.mark.parametrize(
    ("support", "since", "until", "says"),
    [
        (Support.ENDED, date(2023, 5, 31), None, "Unsupported since 31 May 2023: no more advisories come"),
        (
            Support.ENDED,
            date(2019, 4, 25),
            date(2024, 4, 25),
            "Unsupported since 25 April 2019 (extended support ended on 25 April 2024): no more",
        ),
        (Support.ENDED, None, None, "Unsupported; the source names no day: no more advisories come"),
        (
            Support.EXTENDED,
            date(2023, 5, 31),
            date(2028, 4, 1),
            "Security support ended on 31 May 2023: repairs come only with extended support until 1 April 2028.",
        ),
        (
            Support.EXTENDED,
            None,
            None,
            "Security support has ended: repairs come only with extended support.",
        ),
    ],
)
def test_an_end_in_words(support: Support, since: date | None, until: date | None, says: str) -> None:
    assert says in lifecycle_sentence(support, since, until)
