"""Assets: which one a report is of, and how doors read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from sentrikat.domain.errors import Forbidden, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.inventory.access import access_asset, access_receipt
from sentrikat.inventory.queries import (
    asset_detail,
    count_assets,
    count_software,
    list_assets,
    list_receipts,
    list_software,
)
from tests.integration.inventory.conftest import NOON, Estate, deb, debs


def test_clones_with_one_machine_id_stay_two_assets_whatever_the_order(estate: Estate) -> None:
    one = {"host": "clone-1", "agent_id": "agent-1", "machine_id": "from-the-template"}
    two = {"host": "clone-2", "agent_id": "agent-2", "machine_id": "from-the-template"}

    results = [
        estate.send(debs(25, start=25 * n), **who) for who, n in [(one, 0), (two, 1), (one, 0), (two, 1)]
    ]

    assert results[0].asset_id != results[1].asset_id
    assert [r.asset_id for r in results[2:]] == [r.asset_id for r in results[:2]]
    assert [r.status for r in results[2:]] == ["unchanged", "unchanged"]


def test_a_renamed_machine_keeps_its_asset_and_gets_its_new_name(estate: Estate) -> None:
    first = estate.send(debs(3), "old-name")
    second = estate.send(debs(3), "new-name", agent_id="agent-old-name", machine_id="machine-old-name")

    assert second.asset_id == first.asset_id
    assert estate.rows("select hostname from asset") == [("new-name",)]


def test_a_report_without_identifiers_does_not_erase_those_known(estate: Estate) -> None:
    estate.send(debs(3), "web1")
    estate.send(debs(4), "web1", agent_id=None, machine_id=None)

    assert estate.rows("select agent_id, machine_id from asset") == [("agent-web1", "machine-web1")]


def test_a_retired_machine_that_reports_is_in_service_again(estate: Estate) -> None:
    first = estate.send(debs(3))
    with estate.database.as_system() as session:
        session.execute(text("update asset set retired_at = :now"), {"now": NOON})

    again = estate.send(debs(3))

    assert again.asset_id == first.asset_id
    assert again.changed
    assert estate.rows("select retired_at from asset") == [(None,)]


def test_assets_are_paged_by_name_without_gaps_or_repeats(estate: Estate) -> None:
    for number in range(7):
        estate.send([deb("bash")], f"host-{number}")
    seen: list[str] = []
    cursor = None
    with estate.database.as_organization(estate.organization_id) as session:
        while True:
            page = list_assets(session, estate.organization_id, after=cursor, limit=3)
            seen += [asset.hostname for asset in page.assets]
            cursor = page.next
            if cursor is None:
                break

    assert seen == [f"host-{number}" for number in range(7)]


def test_assets_are_found_by_part_of_their_name_and_by_system(estate: Estate) -> None:
    estate.send([deb("bash")], "WEB-1")
    estate.send([deb("bash")], "db_1")
    estate.send([], "pc", os={"family": "windows", "name": "Windows 11"})

    with estate.database.as_organization(estate.organization_id) as session:

        def names(**wanted: str) -> list[str]:
            found = list_assets(session, estate.organization_id, **wanted)  # type: ignore[arg-type]
            assert count_assets(session, estate.organization_id, **wanted) == len(found.assets)  # type: ignore[arg-type]
            return [asset.hostname for asset in found.assets]

        assert names(hostname="web") == ["WEB-1"]
        assert names(hostname="_") == ["db_1"]  # a character like any other, no pattern
        assert names(os_family="windows") == ["pc"]
        assert names(exposure="public") == []


def test_no_list_is_without_a_cap(estate: Estate) -> None:
    with estate.database.as_organization(estate.organization_id) as session:
        for size in (0, 201):
            with pytest.raises(InvalidInput):
                list_assets(session, estate.organization_id, limit=size)
            with pytest.raises(InvalidInput):
                list_software(session, estate.organization_id, 1, limit=size)
            with pytest.raises(InvalidInput):
                list_receipts(session, estate.organization_id, limit=size)


def test_what_could_not_be_judged_stands_first_over_all_pages(estate: Estate) -> None:
    asset_id = estate.send([deb("alpha"), deb("beta"), deb("gamma"), deb("zulu")]).asset_id
    with estate.database.as_system() as session:
        session.execute(
            text("update component set identified = 'identified' where name in ('alpha', 'gamma')")
        )
    with estate.database.as_organization(estate.organization_id) as session:
        seen, after = [], None
        for _ in range(10):
            page = list_software(
                session, estate.organization_id, asset_id, unjudged_first=True, after=after, limit=1
            )
            seen += [row.name for row in page.software]
            if (after := page.next) is None:
                break

    assert seen == ["beta", "debian", "zulu", "alpha", "gamma"]  # Debian is the system itself


def test_software_is_read_as_it_is_and_as_it_was(estate: Estate) -> None:
    asset_id = estate.send([deb("openssl", "3.0.11-1"), deb("bash")]).asset_id
    estate.send([deb("openssl", "3.0.13-1"), deb("bash")])

    with estate.database.as_organization(estate.organization_id) as session:
        now = list_software(session, estate.organization_id, asset_id, name="OpenSSL")
        before = list_software(
            session, estate.organization_id, asset_id, name="openssl", as_of=NOON + timedelta(minutes=1)
        )
        total = count_software(session, estate.organization_id, asset_id)

    assert [row.version for row in now.software] == ["3.0.13-1"]
    assert [row.version for row in before.software] == ["3.0.11-1"]
    assert total == 3


def test_receipts_are_listed_newest_first(estate: Estate) -> None:
    for number in range(3):
        estate.send(debs(number + 1))

    with estate.database.as_organization(estate.organization_id) as session:
        first = list_receipts(session, estate.organization_id, limit=2)
        rest = list_receipts(session, estate.organization_id, limit=2, after=first.next)
        held = list_receipts(session, estate.organization_id, status="held")

    assert [r.report_id for r in (*first.receipts, *rest.receipts)] == ["report-3", "report-2", "report-1"]
    assert rest.next is None
    assert held.receipts == ()


def test_an_asset_is_reached_by_its_organization_with_the_permission_only(
    new_organization: Callable[[str], Estate],
) -> None:
    north, south = new_organization("north"), new_organization("south")
    result = north.send(debs(2))
    reading = frozenset({Permission.INVENTORY_READ})

    def read(who: Estate, permissions: frozenset[Permission]) -> str:
        caller = Caller(who.organization_id, "user:1", permissions)
        with who.database.as_organization(who.organization_id) as session:
            access_receipt(session, caller, result.receipt_id, Permission.INVENTORY_READ)
            return access_asset(session, caller, result.asset_id, Permission.INVENTORY_READ).hostname

    assert read(north, reading) == "web1"
    with pytest.raises(NotFound):
        read(south, reading)
    with pytest.raises(Forbidden):
        read(north, frozenset())


def test_another_organization_sees_no_row_of_this_one(new_organization: Callable[[str], Estate]) -> None:
    north, south = new_organization("north"), new_organization("south")
    asset_id = north.send(debs(2)).asset_id

    # Asked for the right number, and even with the wrong organization named: the database itself refuses.
    with south.database.as_organization(south.organization_id) as session:
        assert list_assets(session, north.organization_id).assets == ()
        assert asset_detail(session, north.organization_id, asset_id) is None
        assert list_software(session, north.organization_id, asset_id).software == ()
        assert list_receipts(session, north.organization_id).receipts == ()
