"""What a report does to an inventory, by the whole way from the door to the rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.infra.database.locks import KNOWLEDGE, advisory_lock
from sentrikat.inventory.receipts import confirm
from tests.integration.inventory.conftest import DEBIAN, NOON, Estate, deb, debs


def test_the_first_report_makes_the_asset_and_everything_new(estate: Estate) -> None:
    result = estate.send([deb("libssl3", "3.0.11-1", "openssl"), deb("openssl", "3.0.11-1"), deb("bash")])

    assert result.status == "processed"
    assert result.changed
    assert len(result.added_component_ids) == 3  # openssl once, bash, the operating system
    assert set(result.new_component_ids) == set(result.added_component_ids)
    assert estate.installed(result.asset_id) == {"bash": "1.0-1", "openssl": "3.0.11-1"}
    ((binaries,),) = estate.rows("select binaries from install where binaries is not null")
    assert binaries == ["libssl3"]


def test_the_operating_system_is_a_component(estate: Estate) -> None:
    estate.send([deb("bash")])

    assert estate.rows("select kind, namespace, name, version from component where kind = 'os'") == [
        ("os", "linux", "debian", "12")
    ]


def test_an_unchanged_report_ends_at_its_receipt(estate: Estate) -> None:
    first = estate.send(debs(30))
    second = estate.send(list(reversed(debs(30))))  # another order is no change

    assert second.unchanged
    assert not second.changed
    assert second.asset_id == first.asset_id
    ((last,),) = estate.rows("select last_collected_at from asset")
    assert last == NOON + timedelta(minutes=2)


def test_the_same_words_again_are_not_read_and_wait_for_no_feed(estate: Estate) -> None:
    first = estate.send(debs(3))
    receipt_id = estate.deliver(estate.report(debs(3)))
    with estate.database.as_system() as session:
        session.execute(text("update receipt set body = '' where id = :id"), {"id": receipt_id})
    with estate.database.as_system() as merging:
        advisory_lock(merging, KNOWLEDGE)
        second = estate.take_in(receipt_id)

    assert (second.asset_id, second.status, second.changed) == (first.asset_id, "unchanged", False)
    assert estate.receipt(receipt_id)[0] == "unchanged"
    ((collected, digests),) = estate.rows("select last_collected_at, report_digest is not null from asset")
    assert (collected, digests) == (NOON + timedelta(minutes=2), True)


def test_the_same_words_bring_a_retired_asset_back(estate: Estate) -> None:
    estate.send(debs(3))
    with estate.database.as_system() as session:
        session.execute(text("update asset set retired_at = now()"))

    assert estate.send(debs(3)).changed
    assert estate.rows("select retired_at from asset") == [(None,)]


def test_the_same_words_of_an_earlier_moment_change_nothing(estate: Estate) -> None:
    estate.send(debs(3))
    late = estate.send(debs(3), collected_at=(NOON - timedelta(days=3)).isoformat())

    assert late.status == "outdated"


def test_the_same_words_after_a_part_are_compared_with_what_the_part_brought(estate: Estate) -> None:
    first = estate.send([deb("bash")])
    estate.send([deb("saw")], complete=False)
    again = estate.send([deb("bash")])

    assert again.changed
    assert estate.installed(first.asset_id) == {"bash": "1.0-1"}


def test_an_upgraded_package_is_both_added_and_removed(estate: Estate) -> None:
    first = estate.send([deb("openssl", "3.0.11-1"), deb("bash")])
    second = estate.send([deb("openssl", "3.0.13-1"), deb("bash")])

    assert estate.installed(first.asset_id) == {"bash": "1.0-1", "openssl": "3.0.13-1"}
    assert len(second.added_component_ids) == 1
    assert len(second.removed_component_ids) == 1
    assert second.new_component_ids == second.added_component_ids


def test_the_inventory_of_a_past_moment_can_be_read(estate: Estate) -> None:
    estate.send([deb("openssl", "3.0.11-1")])
    estate.send([deb("openssl", "3.0.13-1")])

    rows = estate.rows(
        "select c.version, i.first_seen_at, i.removed_at from install i join component c on c.id = i.component_id"
        " where c.name = 'openssl' order by c.version"
    )

    changed_at = NOON + timedelta(minutes=2)
    assert rows == [
        ("3.0.11-1", NOON + timedelta(minutes=1), changed_at),
        ("3.0.13-1", changed_at, None),
    ]


def test_two_hosts_with_different_versions_keep_their_own(estate: Estate) -> None:
    old = estate.send([deb("tool", "4.0")], "old")
    new = estate.send([deb("tool", "6.0")], "new")
    again = estate.send([deb("tool", "4.0")], "old")

    assert estate.installed(old.asset_id) == {"tool": "4.0"}
    assert estate.installed(new.asset_id) == {"tool": "6.0"}
    assert again.unchanged


def test_a_component_of_another_host_is_not_new(estate: Estate) -> None:
    estate.send([deb("bash")], "one")
    second = estate.send([deb("bash"), deb("zsh")], "two")

    assert len(second.added_component_ids) == 3
    assert len(second.new_component_ids) == 1


def test_a_package_that_comes_back_has_a_second_life(estate: Estate) -> None:
    estate.send([deb("bash"), deb("vim")])
    estate.send([deb("bash")])
    result = estate.send([deb("bash"), deb("vim")])

    lives = estate.rows(
        "select removed_at is null from install i join component c on c.id = i.component_id"
        " where c.name = 'vim' order by i.id"
    )
    assert lives == [(False,), (True,)]
    assert result.new_component_ids == ()


# -- parts --


def test_two_parts_of_40_make_80_installs(estate: Estate) -> None:
    collected = NOON.isoformat()
    first = estate.send(debs(40), complete=False, collected_at=collected)
    second = estate.send(debs(40, start=40), complete=False, collected_at=collected)

    assert first.asset_id == second.asset_id
    assert len(estate.installed(first.asset_id)) == 80


def test_parts_of_one_moment_may_arrive_in_any_order(estate: Estate) -> None:
    estate.send(debs(40), complete=False, collected_at=(NOON + timedelta(minutes=9)).isoformat())
    result = estate.send(debs(40, start=40), complete=False, collected_at=NOON.isoformat())

    assert len(estate.installed(result.asset_id)) == 80


def test_a_part_removes_nothing_and_renews_versions(estate: Estate) -> None:
    estate.send([deb("openssl", "3.0.11-1"), deb("bash")])
    result = estate.send(
        [deb("openssl", "3.0.13-1")], complete=False, os={"family": "linux", "name": "debian"}
    )

    assert estate.installed(result.asset_id) == {"bash": "1.0-1", "openssl": "3.0.13-1"}
    assert len(result.removed_component_ids) == 1


def test_a_part_that_renews_one_of_two_binaries_leaves_the_other(estate: Estate) -> None:
    libraries = [deb("libssl3", "3.0.11-1", "openssl"), deb("libssl-dev", "3.0.11-1", "openssl")]
    estate.send(libraries)
    estate.send([deb("libssl3", "3.0.13-1", "openssl")], complete=False)

    rows = estate.rows(
        "select c.version, i.binaries from install i join component c on c.id = i.component_id"
        " where c.name = 'openssl' and i.removed_at is null order by c.version"
    )
    assert rows == [("3.0.11-1", ["libssl-dev"]), ("3.0.13-1", ["libssl3"])]


def test_parts_of_one_source_package_share_its_component(estate: Estate) -> None:
    estate.send([deb("libssl3", "3.0.11-1", "openssl")], complete=False)
    estate.send([deb("libssl-dev", "3.0.11-1", "openssl")], complete=False)

    assert estate.rows("select binaries from install where binaries is not null") == [
        (["libssl3", "libssl-dev"],)
    ]


def test_two_kernels_of_an_rpm_host_stand_beside_each_other(estate: Estate) -> None:
    system = {"family": "linux", "name": "rhel", "version": "9.3"}
    kernel = {"type": "rpm", "name": "kernel-core", "version": "5.14.0-284.el9"}
    bash = {"type": "rpm", "name": "bash", "version": "5.1.8-6.el9"}
    result = estate.send([kernel, bash], os=system)
    estate.send(
        [kernel | {"version": "5.14.0-362.el9"}, bash | {"version": "5.1.8-9.el9"}], os=system, complete=False
    )

    versions = estate.rows(
        "select c.name, c.version from install i join component c on c.id = i.component_id"
        " where i.removed_at is null and c.kind = 'rpm' and i.asset_id = :asset order by 1, 2",
        asset=result.asset_id,
    )
    assert versions == [
        ("bash", "5.1.8-9.el9"),
        ("kernel-core", "5.14.0-284.el9"),
        ("kernel-core", "5.14.0-362.el9"),
    ]


def test_a_complete_report_after_parts_is_compared_with_all_of_them(estate: Estate) -> None:
    estate.send(debs(10))
    estate.send([deb("added-later")], complete=False)
    result = estate.send(debs(10))

    assert result.status == "processed"
    assert "added-later" not in estate.installed(result.asset_id)


def test_a_complete_report_does_not_remove_what_a_part_saw_later(estate: Estate) -> None:
    estate.send(debs(10))
    estate.send([deb("added-later")], complete=False, collected_at=(NOON + timedelta(minutes=30)).isoformat())
    result = estate.send(debs(10), collected_at=(NOON + timedelta(minutes=20)).isoformat())

    assert "added-later" in estate.installed(result.asset_id)


def test_an_older_part_does_not_undo_a_newer_one(estate: Estate) -> None:
    estate.send([deb("openssl", "3.0.13-1")], complete=False)
    result = estate.send(
        [deb("openssl", "3.0.11-1")], complete=False, collected_at=(NOON - timedelta(days=1)).isoformat()
    )

    assert estate.installed(result.asset_id) == {"openssl": "3.0.13-1"}


# -- the guard --


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        (debs(30), [], True),  # empty
        (debs(3), [], True),  # empty, however little there was
        (debs(30), debs(12), True),  # 60 % gone
        (debs(30), debs(13), False),  # less
        (debs(19), debs(2), False),  # a small inventory may change
        (debs(30), debs(30, version="2.0-1"), False),  # everything upgraded, nothing gone
        (debs(30), debs(30, start=100), True),  # everything replaced
    ],
)
def test_a_report_that_would_remove_most_of_an_inventory_is_held(
    estate: Estate, before: list[dict[str, str]], after: list[dict[str, str]], held: bool
) -> None:
    estate.send(before)
    result = estate.send(after)

    assert result.held is held
    if held:
        assert len(estate.installed(result.asset_id)) == len(before)
        assert not result.changed


def test_a_held_report_takes_effect_when_confirmed(estate: Estate) -> None:
    estate.send(debs(30))
    held = estate.send(debs(5))
    with estate.database.as_organization(estate.organization_id) as session:
        confirm(session, estate.organization_id, held.receipt_id, by="user:7")

    released = estate.take_in(held.receipt_id)

    assert released.status == "processed"
    assert len(estate.installed(released.asset_id)) == 5
    assert "confirmed by user:7" in (estate.receipt(held.receipt_id)[1] or "")


def test_a_held_report_that_was_overtaken_changes_nothing_when_confirmed(estate: Estate) -> None:
    estate.send(debs(30))
    held = estate.send(debs(5))
    estate.send(debs(31))
    with estate.database.as_organization(estate.organization_id) as session:
        confirm(session, estate.organization_id, held.receipt_id, by="user:7")

    assert estate.take_in(held.receipt_id).status == "outdated"


def test_only_a_held_report_can_be_confirmed(estate: Estate) -> None:
    done = estate.send(debs(5))
    with estate.database.as_organization(estate.organization_id) as session:
        with pytest.raises(Conflict):
            confirm(session, estate.organization_id, done.receipt_id, by="user:7")
        with pytest.raises(NotFound):
            confirm(session, estate.organization_id, 999_999, by="user:7")


def test_the_first_report_of_a_host_may_be_empty(estate: Estate) -> None:
    result = estate.send([])

    assert result.status == "processed"
    assert estate.installed(result.asset_id) == {}


# -- time --


def test_a_report_older_than_the_newest_changes_nothing(estate: Estate) -> None:
    first = estate.send([deb("bash", "2.0")])
    late = estate.send([deb("bash", "1.0")], collected_at=(NOON - timedelta(days=3)).isoformat())

    assert late.status == "outdated"
    assert estate.installed(first.asset_id) == {"bash": "2.0"}
    assert "nothing was changed" in (estate.receipt(late.receipt_id)[1] or "")


def test_a_clock_that_is_ahead_does_not_block_later_reports(estate: Estate) -> None:
    wrong = estate.send([deb("bash", "1.0")], collected_at="2031-01-01T00:00:00Z")
    right = estate.send([deb("bash", "2.0")], collected_at=(NOON + timedelta(hours=3)).isoformat())

    assert "clock is ahead" in (estate.receipt(wrong.receipt_id)[1] or "")
    assert right.status == "processed"
    assert estate.installed(right.asset_id) == {"bash": "2.0"}


def test_running_a_job_twice_changes_nothing_the_second_time(estate: Estate) -> None:
    receipt_id = estate.deliver(estate.report(debs(5)))
    first = estate.take_in(receipt_id)
    second = estate.take_in(receipt_id)

    assert (second.asset_id, second.status, second.changed) == (first.asset_id, "processed", False)
    assert second.new_component_ids == ()


# -- sources --


def test_a_source_another_host_named_is_used_where_a_report_leaves_it_out(estate: Estate) -> None:
    estate.send([deb("libssl3", "3.0.11-1", "openssl")], "one")
    unnamed = {"type": "deb", "name": "libssl3", "version": "3.0.11-1"}
    other = estate.send([unnamed], "two")

    assert estate.installed(other.asset_id) == {"openssl": "3.0.11-1"}


def test_a_source_of_another_release_is_not_used(estate: Estate) -> None:
    estate.send([deb("libssl3", "3.0.11-1", "openssl")], "one")
    unnamed = {"type": "deb", "name": "libssl3", "version": "3.0.2-0"}
    other = estate.send([unnamed], "two", os=DEBIAN | {"name": "ubuntu", "version": "22.04"})

    assert estate.installed(other.asset_id) == {"libssl3": "3.0.2-0"}


def test_a_source_learned_later_makes_the_same_report_say_more(estate: Estate) -> None:
    unnamed = {"type": "deb", "name": "libssl3", "version": "3.0.11-1"}
    first = estate.send([unnamed], "two")
    estate.send([deb("libssl3", "3.0.11-1", "openssl")], "one")
    again = estate.send([unnamed], "two")

    assert first.status == again.status == "processed"
    assert estate.installed(again.asset_id) == {"openssl": "3.0.11-1"}


# -- updates and system --


def test_updates_of_windows_are_kept_and_are_a_change(estate: Estate) -> None:
    system = {"family": "windows", "name": "Windows 10", "version": "10.0.19045.4043"}
    program = {"type": "windows", "name": "7-Zip 21.07 (x64)", "version": "21.07"}
    estate.send([program], os=system, updates=["KB5034763"])
    result = estate.send([program], os=system, updates=["KB5034763", "KB5035000"])
    part = estate.send([], os=system, updates=["KB5036000"], complete=False)

    assert result.changed
    assert part.changed
    assert estate.rows("select updates from asset") == [(["KB5034763", "KB5035000", "KB5036000"],)]


def test_a_new_build_of_the_system_replaces_the_old_one(estate: Estate) -> None:
    system = {"family": "windows", "name": "Windows 10", "version": "10.0.19045.4043"}
    estate.send([], os=system)
    result = estate.send([], os=system | {"version": "10.0.19045.5000"}, complete=False)

    assert estate.rows(
        "select c.version from install i join component c on c.id = i.component_id"
        " where i.removed_at is null and c.kind = 'os'"
    ) == [("10.0.19045.5000",)]
    assert len(result.removed_component_ids) == 1


def test_noise_packages_are_kept(estate: Estate) -> None:
    """Each of these has been in KEV; tools that drop "libraries" lose them."""
    names = ["polkitd", "libvpx7", "libpam0g", "xserver-xorg-core"]
    result = estate.send([deb(name) for name in names])

    assert sorted(estate.installed(result.asset_id)) == sorted(names)


def test_an_unknown_version_stays_unknown(estate: Estate) -> None:
    result = estate.send([{"type": "deb", "name": "bash", "version": ""}])

    assert estate.installed(result.asset_id) == {"bash": None}


def test_packages_of_another_system_are_kept_without_a_release_of_the_host(estate: Estate) -> None:
    """Debian packages below Windows: no release of Debian may judge them unless they name it."""
    system = {"family": "windows", "name": "Windows 11", "version": "10.0.22621.1"}
    named = deb("bash") | {"purl": "pkg:deb/debian/bash@1.0-1?distro=debian-12"}
    estate.send([named, deb("sed")], os=system)

    namespaces = dict(estate.rows("select name, namespace from component where kind = 'deb'"))
    assert namespaces["bash"] == "debian:12"
    assert not namespaces["sed"].startswith("debian")
