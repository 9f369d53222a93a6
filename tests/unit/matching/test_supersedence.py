"""Which updates a machine has and lacks: chains, builds, and what is never offered."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.advisory import Product, VendorUpdate
from sentrikat.domain.matching.microsoft_products import WindowsSystem, is_build_of, windows_system
from sentrikat.domain.matching.supersedence import (
    OfferedUpdates,
    held_updates,
    joined,
    missing_updates,
    older_than,
    with_rollups,
)

TITLE = "windows 10 version 22h2 for x64-based systems"


def offer(
    name: str,
    *older: str,
    build: str | None = None,
    repairs: str = "",
    kind: str | None = None,
    released: date | None = None,
    product: str = TITLE,
) -> VendorUpdate:
    return VendorUpdate(name, Product("msrc", product), kind, released, build, older, tuple(repairs.split()))


def windows_10(revision: int) -> WindowsSystem:
    found = windows_system("Windows 10 Pro 22H2", f"10.0.19045.{revision}", "x86_64")
    assert found is not None
    return found


CHAIN = (
    offer("KB1", build="10.0.19045.10", repairs="A"),
    offer("KB2", "KB1", build="10.0.19045.20", repairs="B"),
    offer("KB3", "KB2", build="10.0.19045.30", repairs="C"),
)
EDGES = {one.name: one.supersedes for one in CHAIN}


def test_supersedence_goes_through_updates_that_no_list_names_any_more() -> None:
    """Wazuh 14134: twelve cumulative updates had left the catalog, and everything before them was called missing."""
    assert older_than("KB3", {"KB3": ("KB2",), "KB2": ("KB1",)}) == {"KB2", "KB1"}


def test_a_ring_ends() -> None:
    assert older_than("KB1", {"KB1": ("KB2",), "KB2": ("KB1",)}) == {"KB2"}


@pytest.mark.parametrize(
    ("installed", "revision", "held"),
    [
        ([], 20, {"KB1", "KB2"}),  # the build has them, though the agent named none
        (["KB2"], 20, {"KB1", "KB2"}),
        (["KB3"], 20, {"KB1", "KB2"}),  # waits for a restart, or failed: the build is not there
        (["KB9"], 20, {"KB1", "KB2"}),  # a newer one that supersedes KB3 and is not there either
        ([], 5, set()),
        (["KB7"], 5, {"KB7"}),  # another product's update is taken at its word
    ],
)
def test_the_build_decides_before_the_list(installed: list[str], revision: int, held: set[str]) -> None:
    edges = {**EDGES, "KB9": ("KB3",)}

    assert held_updates(installed, edges, windows_10(revision), CHAIN) == held


def test_without_a_build_the_list_and_its_chains_decide() -> None:
    old = windows_system("Windows 8.1 Pro", "6.3.9600", "x86_64")

    assert held_updates(["KB2"], EDGES, old, CHAIN) == {"KB2", "KB1"}


def names(missing: object) -> list[str]:
    return [one.name for one in missing]  # type: ignore[attr-defined]


def test_the_newest_of_a_chain_is_all_there_is_to_install() -> None:
    (found,) = missing_updates(CHAIN, frozenset({"KB1"}), EDGES, cumulative=True)

    assert (found.name, found.fixed_build, found.repairs) == ("KB3", "10.0.19045.30", ("B", "C"))


def test_a_cumulative_update_newer_than_the_repairing_one_leaves_nothing_to_install() -> None:
    held = held_updates(["KB3"], EDGES, windows_10(30), CHAIN)

    assert missing_updates(CHAIN, held, EDGES, cumulative=True) == ()


@pytest.mark.parametrize(
    "kind", ["Servicing Stack Update", "ServicingStackUpdate", "Setup DU", "Security Only"]
)
def test_what_is_not_offered_by_itself_is_not_missing(kind: str) -> None:
    offers = [*CHAIN, offer("KB5", kind=kind, repairs="D")]

    assert names(missing_updates(offers, frozenset(), EDGES, cumulative=True)) == ["KB3"]


def test_a_hotpatch_repairs_nothing_that_the_cumulative_update_does_not() -> None:
    offers = [*CHAIN, offer("KB5", repairs="C")]

    assert names(missing_updates(offers, frozenset(), EDGES, cumulative=True)) == ["KB3"]


def test_a_boot_list_repairs_what_nothing_else_does() -> None:
    offers = [*CHAIN, offer("KB5", repairs="D")]

    assert names(missing_updates(offers, frozenset(), EDGES, cumulative=True)) == ["KB3", "KB5"]


def test_updates_that_are_not_cumulative_are_all_needed() -> None:
    """One flaw of two parts of an old Windows has two updates; neither makes the other needless."""
    offers = [offer("KB1", repairs="A"), offer("KB2", repairs="A")]

    assert set(names(missing_updates(offers, frozenset(), {}, cumulative=False))) == {"KB1", "KB2"}


def test_each_monthly_rollup_holds_the_one_before() -> None:
    rollups = [
        offer("KB1", kind="Monthly Rollup", released=date(2022, 11, 8)),
        offer("KB2", kind="Monthly Rollup", released=date(2022, 12, 13)),
        offer("KB3", kind="Monthly Rollup", released=date(2023, 1, 10)),
        offer("KB0", kind="Security Only", released=date(2022, 12, 13)),
    ]

    assert older_than("KB3", with_rollups({}, rollups)) == {"KB2", "KB1"}


def test_no_update_is_missing_where_none_is_offered() -> None:
    """A release that gets no more updates has none to install; that it has ended is said elsewhere."""
    assert missing_updates((), frozenset(), EDGES, cumulative=True) == ()


edges = st.dictionaries(
    st.sampled_from("ABCDEF"), st.lists(st.sampled_from("ABCDEF"), max_size=4), max_size=6
)


@given(edges=edges, installed=st.sets(st.sampled_from("ABCDEF")), cumulative=st.booleans())
def test_nothing_is_both_held_and_missing(
    edges: dict[str, list[str]], installed: set[str], cumulative: bool
) -> None:
    offers = [offer(name, *edges.get(name, ()), repairs=f"CVE-{name}") for name in "ABCDEF"]
    held = held_updates(installed, edges, None, offers)

    found = set(names(missing_updates(offers, held, edges, cumulative=cumulative)))

    assert installed <= held
    assert not found & held
    # With what is missing installed, nothing is missing any more.
    after = held_updates(installed | found, edges, None, offers)
    assert missing_updates(offers, after, edges, cumulative=cumulative) == ()


@pytest.mark.parametrize(
    ("name", "version", "arch", "product"),
    [
        ("Windows 10 Pro 22H2", "10.0.19045.4043", "x86_64", TITLE),
        ("Windows 10 Version 22H2 for x64-based Systems", "19045.4043", None, TITLE),
        ("Windows 11 Enterprise", "10.0.26100.1", "arm64", "windows 11 version 24h2 for arm64-based systems"),
        ("Windows Server 2025 Datacenter", "10.0.26100.1", "x86_64", "windows server 2025"),
        ("Windows Server 2019 Standard", "10.0.17763.1", None, "windows server 2019"),
        (
            "Windows Server 2019 ServerStandardCore",
            "10.0.17763.1",
            "AMD64",
            "windows server 2019 (server core installation)",
        ),
        (
            "Windows Server 20H2 Datacenter",
            "10.0.19042.1",
            "x86_64",
            "windows server, version 20h2 (server core installation)",
        ),
        ("Windows 8.1 Pro", "6.3.9600", "x86", "windows 8.1 for 32-bit systems"),
        ("Windows Server 2012 R2 Standard", "6.3.9600.21765", "x86_64", "windows server 2012 r2"),
        (
            "Windows Server 2008 R2 Standard",
            "6.1.7601",
            "x86_64",
            "windows server 2008 r2 for x64-based systems service pack 1",
        ),
        ("Windows 10 Home", "10.0.10240.1", "x86", "windows 10 for 32-bit systems"),
        ("Windows 10 Pro", "10.0.19045.1", None, None),  # of three architectures, and nobody said which
        ("Windows 10 Pro", "22H2", "x86_64", None),
        ("Windows 12", "10.0.40000.1", "x86_64", None),
    ],
)
def test_a_windows_is_told_by_build_and_architecture(
    name: str, version: str, arch: str | None, product: str | None
) -> None:
    found = windows_system(name, version, arch)

    assert (found.product if found else None) == product


@pytest.mark.parametrize(
    ("title", "build", "own"),
    [
        (TITLE, "10.0.19045.3930", True),
        (TITLE, "10.0.14393.5285", False),  # a boot list, filed under all releases with one release's build
        ("windows server 2012 r2 (server core installation)", "6.3.9600.21765", True),
        ("windows server 2008 for 32-bit systems service pack 2", "6.0.6003.22464", True),
        ("windows server 2022, 23h2 edition (server core installation)", "10.0.25398.643", True),
        ("windows server 2022", "10.0.25398.643", False),
        ("microsoft edge (chromium-based)", "120.0.2210.121", True),
        (
            "microsoft .net framework 4.8 on windows 10 version 22h2 for x64-based systems",
            "4.8.04682.0",
            True,
        ),
    ],
)
def test_a_build_belongs_to_one_release(title: str, build: str, own: bool) -> None:
    assert is_build_of(title, build) is own


# -- the vendor's catalog -----------------------------------------------------------------------

OLD_WINDOWS = "windows 8.1 for x64-based systems"


def listed(name: str, *older: str, day: str = "2016-01-12", kind: str | None = None) -> VendorUpdate:
    return VendorUpdate(
        name, Product("update-catalog", OLD_WINDOWS), kind, date.fromisoformat(day), supersedes=older
    )


def part(name: str, day: str = "2015-01-13", repairs: str = "") -> VendorUpdate:
    """An update of one part of an old Windows, as a list of flaws names it."""
    return offer(name, released=date.fromisoformat(day), repairs=repairs, product=OLD_WINDOWS)


CATALOG = (
    listed("KB101"),
    listed("KB102"),
    listed("KB103"),
    listed("KB105"),
    listed("KB109", "KB102", day="2022-11-08"),  # the rollup, which no list of flaws names
    listed("KB108", "KB103", day="2017-09-12", kind="Security Only"),
    listed("KB107", day="2020-10-13", kind="Security Only"),
)


@pytest.mark.parametrize(
    ("update", "offered"),
    [
        (part("KB101"), True),
        (part("KB102"), False),  # replaced by an update that need not repair a flaw itself
        (part("KB103"), True),  # replaced for those only who choose Security Only
        (part("KB104"), False),  # not in the catalog: withdrawn
        (part("KB106", "2023-01-10"), True),  # later than the catalog
        (part("KB107", "2020-10-13"), False),  # the title says what the list of flaws does not
    ],
)
def test_the_catalog_says_what_is_offered(update: VendorUpdate, offered: bool) -> None:
    catalog = OfferedUpdates.of(CATALOG)

    found = names(missing_updates([update], frozenset(), {}, cumulative=False, catalog=catalog))

    assert found == ([update.name] if offered else [])


def test_where_updates_are_cumulative_a_catalog_without_one_proves_nothing() -> None:
    """February 2025: no update of Windows 10 1803 in it is older than 2021, and Windows Update still offers them."""
    catalog = OfferedUpdates.of(CATALOG)

    found = missing_updates([part("KB104", repairs="A")], frozenset(), {}, cumulative=True, catalog=catalog)

    assert names(found) == ["KB104"]


def test_without_a_catalog_everything_is_offered() -> None:
    found = missing_updates([part("KB104")], frozenset(), {}, cumulative=False, catalog=OfferedUpdates.of(()))

    assert names(found) == ["KB104"]


def test_the_catalog_s_chains_stand_beside_the_others() -> None:
    assert joined({"KB2": ("KB1",)}, {"KB2": ("KB0",), "KB3": ("KB2",)}) == {
        "KB2": ("KB1", "KB0"),
        "KB3": ("KB2",),
    }
