"""What an organization says its software is: its own findings follow, and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import CatalogueEntry, Product
from sentrikat.domain.errors import Forbidden, InvalidInput, NotFound
from sentrikat.domain.matching.correction import Pattern
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.corrections import correct, list_corrections, withdraw
from sentrikat.inventory.undecided import (
    UndecidedRow,
    access_undecided,
    count_undecided,
    list_undecided,
    search_products,
)
from sentrikat.reactions import after_correction
from tests.builders import advisory, new_organization, open_flaws, publish, report, rows, statement

FLAW, OTHER = "CVE-2026-2001", "CVE-2026-2002"
WINDOWS = {"family": "windows", "name": "Windows 11", "version": "10.0.22631.1"}
PLAYER = {"type": "windows", "name": "Anvil Player", "version": "4.0", "vendor": "Anvil Works AG"}
REASON = "Seen on the disc"


@dataclass
class World:
    """Two organizations with the same program, and two products it may be."""

    database: Database
    clock: FrozenClock
    ours: int
    theirs: int

    def host(self, organization: int, name: str, *software: dict[str, Any]) -> int:
        return report(self.database, self.clock, organization, name, software, os=WINDOWS).asset_id

    def say(self, organization: int, meaning: str, *, title: str = "Anvil Player", **more: str) -> int:
        caller = Caller(organization, "user:1", frozenset({Permission.INVENTORY_WRITE}))
        with self.database.as_system() as session:
            made, moved = correct(
                session, caller, Pattern(title, **more), meaning, REASON, now=self.clock.now()
            )
            after_correction(session, moved, now=self.clock.now())
            return made.id

    def take_back(self, organization: int, correction: int) -> None:
        caller = Caller(organization, "user:1", frozenset({Permission.INVENTORY_WRITE}))
        with self.database.as_system() as session:
            moved = withdraw(session, caller, correction, now=self.clock.now())
            after_correction(session, moved, now=self.clock.now())

    def queue(self, organization: int) -> list[str]:
        with self.database.as_organization(organization) as session:
            return [row.name for row in list_undecided(session, organization)[0]]

    def states(self) -> dict[tuple[str, str | None], str]:
        found = rows(self.database, "select name, corrected, identified from component where kind <> 'os'")
        return {(name, corrected): identified for name, corrected, identified in found}


@pytest.fixture
def world(database: Database, clock: FrozenClock) -> World:
    """Nobody can tell what Anvil Player is: Anvil Works has two players, and names neither so."""
    made = World(database, clock, new_organization(database, "ours"), new_organization(database, "theirs"))
    publish(
        database,
        clock,
        "nvd",
        advisory(FLAW, statement("cpe:a", "anvil_works:media_player", fixed="5.0"), source="nvd"),
        advisory(OTHER, statement("cpe:a", "anvil_works:smith_player", fixed="5.0"), source="nvd"),
    )
    made.host(made.ours, "pc-1", PLAYER)
    made.host(
        made.ours, "pc-2", PLAYER, {"type": "windows", "name": "Bellows", "version": "1", "vendor": "Bellows"}
    )
    made.host(made.theirs, "pc-9", PLAYER)
    return made


def test_what_cannot_be_told_waits_in_the_queue_with_what_it_may_be(world: World) -> None:
    with world.database.as_organization(world.ours) as session:
        found, following = list_undecided(session, world.ours)
        first = found[0]

    assert [(row.name, row.assets, row.versions) for row in found] == [
        ("Anvil Player", 2, ("4.0",)),  # on the most assets
        ("Bellows", 1, ("1",)),
    ]
    assert following is None
    assert {one.product for one in first.candidates} == {
        "anvil_works:media_player",
        "anvil_works:smith_player",
    }
    assert all(one.evidence for one in first.candidates)


def test_the_queue_is_read_page_by_page(world: World) -> None:
    seen: list[str] = []
    after = None
    with world.database.as_organization(world.ours) as session:
        while True:
            page, after = list_undecided(session, world.ours, after=after, limit=1)
            seen += [row.name for row in page]
            if after is None:
                break
        assert count_undecided(session, world.ours) == 2

    assert seen == ["Anvil Player", "Bellows"]


def test_a_decision_opens_the_findings_of_one_organization_only(world: World) -> None:
    world.say(world.ours, "anvil_works:media_player")

    assert open_flaws(world.database, "pc-1") == open_flaws(world.database, "pc-2") == {FLAW}
    assert open_flaws(world.database, "pc-9") == set()
    assert world.queue(world.ours) == ["Bellows"]
    assert world.queue(world.theirs) == ["Anvil Player"]


def test_two_organizations_may_say_different_things(world: World) -> None:
    world.say(world.ours, "anvil_works:media_player")
    world.say(world.theirs, "anvil_works:smith_player")

    assert open_flaws(world.database, "pc-1") == {FLAW}
    assert open_flaws(world.database, "pc-9") == {OTHER}


def test_another_s_correction_is_not_seen(world: World) -> None:
    made = world.say(world.ours, "anvil_works:media_player")

    with world.database.as_organization(world.theirs) as session:
        assert list_corrections(session, world.ours) == []  # row security, whoever asks for whose
    with pytest.raises(NotFound):
        world.take_back(world.theirs, made)


def test_a_decision_touches_nothing_else(world: World) -> None:
    before = rows(world.database, "select id, component_id from install order by id")

    world.say(world.ours, "anvil_works:media_player")

    after = rows(world.database, "select id, component_id from install order by id")
    moved = {one for one, other in zip(before, after, strict=True) if one != other}
    assert len(moved) == 2  # the two installs of the player
    assert rows(world.database, "select count(*) from install where removed_at is not null") == [(0,)]


def test_taking_a_decision_back_restores_what_was(world: World) -> None:
    made = world.say(world.ours, "anvil_works:media_player")
    world.take_back(world.ours, made)

    assert open_flaws(world.database, "pc-1") == set()
    assert set(world.queue(world.ours)) == {"Anvil Player", "Bellows"}
    assert {row[0] for row in rows(world.database, "select close_reason from finding")} == {
        "statement_changed"
    }


def test_later_reports_know_the_decision(world: World) -> None:
    world.say(world.ours, "anvil_works:media_player")
    world.host(world.ours, "pc-1", PLAYER)  # again
    world.host(world.ours, "pc-3", PLAYER)
    world.host(world.theirs, "pc-8", PLAYER)

    assert open_flaws(world.database, "pc-1") == open_flaws(world.database, "pc-3") == {FLAW}
    assert open_flaws(world.database, "pc-8") == set()
    assert rows(world.database, "select count(*) from install where removed_at is not null") == [(0,)]


def test_a_decision_holds_for_the_next_version_too(world: World) -> None:
    world.say(world.ours, "anvil_works:media_player")
    world.host(world.ours, "pc-1", PLAYER | {"version": "5.0"})

    assert open_flaws(world.database, "pc-1") == set()
    assert world.queue(world.ours) == ["Bellows"]


def test_the_newest_decision_counts(world: World) -> None:
    world.say(world.ours, "anvil_works:media_player")
    world.say(world.ours, "anvil_works:smith_player", title="Anvil*")

    assert open_flaws(world.database, "pc-1") == {OTHER}


@pytest.mark.parametrize("meaning", ["unlisted", "ignored"])
def test_what_is_no_product_leaves_the_queue_without_findings(world: World, meaning: str) -> None:
    world.say(world.ours, meaning)

    assert world.queue(world.ours) == ["Bellows"]
    assert open_flaws(world.database, "pc-1") == set()
    assert world.states()["Anvil Player", meaning] == meaning


def test_a_wrong_identification_can_be_corrected(world: World) -> None:
    host = {"type": "windows", "name": "Smith Player", "version": "4.0", "vendor": "Anvil Works"}
    world.host(world.ours, "pc-5", host)
    assert open_flaws(world.database, "pc-5") == {OTHER}

    world.say(world.ours, "anvil_works:media_player", title="Smith Player")

    assert open_flaws(world.database, "pc-5") == {FLAW}


def test_a_decision_is_audited_in_its_transaction(world: World) -> None:
    made = world.say(world.ours, "anvil_works:media_player")
    world.take_back(world.ours, made)

    found = rows(
        world.database,
        "select action, actor, detail->>'meaning', detail->>'components' from audit_entry order by id",
    )
    assert found == [
        ("identification.corrected", "user:1", "anvil_works:media_player", "1"),
        ("identification.correction_withdrawn", "user:1", "anvil_works:media_player", "1"),
    ]


@pytest.mark.parametrize(
    ("pattern", "meaning", "field"),
    [
        (Pattern("*"), "unlisted", "title"),  # everything
        (Pattern(), "unlisted", "title"),
        (Pattern("Anvil Player"), "nobody:nothing", "meaning"),
        (Pattern("Anvil Player"), "nonsense", "meaning"),
        (Pattern("x" * 501), "unlisted", "title"),
    ],
)
def test_a_decision_that_cannot_be_right_is_refused(
    world: World, pattern: Pattern, meaning: str, field: str
) -> None:
    caller = Caller(world.ours, "user:1", frozenset({Permission.INVENTORY_WRITE}))
    with world.database.as_system() as session:
        with pytest.raises(InvalidInput) as refused:
            correct(session, caller, pattern, meaning, REASON, now=world.clock.now())
        session.rollback()

    assert field in (refused.value.fields or {})


def test_who_only_reads_decides_nothing(world: World) -> None:
    caller = Caller(world.ours, "user:1", frozenset({Permission.INVENTORY_READ}))
    with world.database.as_system() as session, pytest.raises(Forbidden):
        correct(session, caller, Pattern("Anvil Player"), "unlisted", REASON, now=world.clock.now())


def test_a_new_product_of_the_dictionary_tells_what_waited(world: World, clock: FrozenClock) -> None:
    product = Product("cpe:a", "bellows:bellows")
    publish(
        world.database,
        clock,
        "nvd_cpe",
        CatalogueEntry("nvd_cpe", product, "Bellows", target_software=("*",)),
    )

    assert world.queue(world.ours) == ["Anvil Player"]
    assert world.states()["Bellows", None] == "identified"


def test_the_catalogue_is_searched_by_resemblance(world: World, clock: FrozenClock) -> None:
    product = Product("cpe:a", "adobe:acrobat_reader_dc")
    publish(world.database, clock, "nvd_cpe", CatalogueEntry("nvd_cpe", product, "Adobe Acrobat Reader DC"))

    with world.database.as_organization(world.ours) as session:
        for words in ("acrobat reader", "Acrobat Readr", "adobe acrobat"):
            assert [one.product for one in search_products(session, words)] == [product.name], words
        assert search_products(session, "   ") == ()


def test_only_what_waits_can_be_opened(world: World) -> None:
    with world.database.as_organization(world.ours) as session:
        waiting = list_undecided(session, world.ours)[0][0]
        opened: UndecidedRow = access_undecided(session, world.ours, waiting.component_id)
        assert opened == waiting
        with pytest.raises(NotFound):
            access_undecided(session, world.ours, 0)
    with world.database.as_organization(world.theirs) as session:
        bellows = session.scalar(text("select id from component where name = 'Bellows'"))
        with pytest.raises(NotFound):
            access_undecided(session, world.theirs, bellows or 0)


def test_an_update_of_a_program_is_no_program(world: World) -> None:
    update = {
        "type": "windows",
        "name": "Security Update for Anvil Player (KB2553065)",
        "vendor": "Anvil Works AG",
    }
    world.host(world.ours, "pc-6", update)

    assert world.states()[update["name"], None] == "ignored"
    assert update["name"] not in world.queue(world.ours)
