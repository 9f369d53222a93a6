"""Vendors' updates as stored: by record, with their history, and read back over all sources."""

from __future__ import annotations

from datetime import timedelta

from sentrikat.domain.advisory import Advisory, Product, VendorUpdate
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.updates import load_supersedence, load_updates
from tests.builders import publish, rows

TITLE = "windows 10 version 22h2 for x64-based systems"


def month(source: str, name: str, *updates: VendorUpdate) -> Advisory:
    return Advisory(source, name, (), updates=updates)


def update(name: str, *older: str, build: str | None = None, repairs: tuple[str, ...] = ()) -> VendorUpdate:
    return VendorUpdate(
        name, Product("msrc", TITLE), fixed_build=build, supersedes=older, vulnerabilities=repairs
    )


def test_what_a_record_says_of_updates_replaces_what_it_said(database: Database, clock: FrozenClock) -> None:
    publish(
        database, clock, "msrc", month("msrc", "2031-Jan", update("KB2", "KB1", repairs=("CVE-2031-0001",)))
    )
    publish(database, clock, "msrc", month("msrc", "2031-Feb", update("KB3", "KB2")))
    clock.advance(timedelta(hours=1))
    publish(database, clock, "msrc", month("msrc", "2031-Jan", update("KB2", "KB1", build="10.0.19045.2")))

    with database.as_system() as session:
        held = load_updates(session, [TITLE])
    assert [(one.name, one.fixed_build) for one in held] == [("KB2", "10.0.19045.2"), ("KB3", None)]
    assert rows(database, "select name from vendor_update where valid_to is not null") == [("KB2",)]


def test_supersedence_is_what_all_sources_say(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "msrc", month("msrc", "2031-Feb", update("KB3", "KB2")))
    publish(
        database,
        clock,
        "wesng",
        month("wesng", "KB3", update("KB3", "KB1")),
        month("wesng", "KB2", update("KB2")),
    )

    with database.as_system() as session:
        assert load_supersedence(session) == {"KB3": ("KB1", "KB2")}


def test_a_source_that_drops_an_update_ends_its_word(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "wesng", month("wesng", "KB3", update("KB3")), complete=True)
    publish(database, clock, "wesng", month("wesng", "KB4", update("KB4")), complete=True)

    with database.as_system() as session:
        assert [one.name for one in load_updates(session, [TITLE])] == ["KB4"]


def test_a_record_of_updates_is_about_no_flaw(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "msrc", month("msrc", "2031-Jan", update("KB2", repairs=("CVE-2031-0001",))))

    assert rows(database, "select name from vulnerability") == []
