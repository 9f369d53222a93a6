"""Microsoft's catalog of updates: what is offered to a system, and what has been replaced on it."""

from __future__ import annotations

import io
import random

import pytest

from sentrikat.domain.advisory import Advisory, VendorUpdate
from sentrikat.domain.errors import FeedFormatError
from sentrikat.domain.matching.microsoft_products import systems_named
from sentrikat.feeds import msrc
from sentrikat.feeds.adapter import Quarantined
from sentrikat.feeds.formats import cabinet
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.cabinets import LZX, MSZIP, STORED, Offered, cabinet_of, catalog_files, scan_cabinet
from tests.unit.feeds.samples import tarred

W81, R2 = "windows 8.1 for x64-based systems", "windows server 2012 r2"
CATALOG = (
    Offered(
        1, "KB3126587", "Security Update for Windows 8.1 for x64-based Systems (KB3126587)", "2030-02-09"
    ),
    Offered(
        2,
        "KB3023266",
        "Security Update for Windows Server 2012 R2 (KB3023266)",
        "2030-01-13",
        superseded_by=(4, 77),  # the second is in no package
    ),
    Offered(
        3, "KB3023266", "Security Update for Windows 8.1 for x64-based Systems (KB3023266)", "2030-01-13"
    ),
    Offered(4, "KB3126587", "Security Update for Windows Server 2012 R2 (KB3126587)", "2030-02-09"),
    Offered(
        5,
        "KB5022352",
        "2023-01 Security Monthly Quality Rollup for Windows 8.1 for x64-based Systems (KB5022352)",
        superseded_by=(6,),
    ),
    Offered(
        6,
        "KB5022899",
        "2023-02 Security Monthly Quality Rollup for Windows 8.1 Embedded for x64-based Systems (KB5022899)",
    ),
    Offered(
        7,
        "KB5022346",
        "2023-01 Security Only Quality Update for Windows 8.1 for x64-based Systems (KB5022346)",
    ),
)


def read(content: bytes) -> dict[str, dict[str, VendorUpdate]]:
    records = list(msrc.parse(document(content)))
    assert not [one for one in records if isinstance(one, Quarantined)]
    return {
        one.id.partition("/")[2]: {update.name: update for update in one.updates}
        for one in records
        if isinstance(one, Advisory)
    }


@pytest.mark.parametrize(
    "content",
    [
        scan_cabinet(CATALOG, MSZIP),
        scan_cabinet(CATALOG, STORED),
        tarred(catalog_files(CATALOG)),
        tarred(dict(reversed(catalog_files(CATALOG).items()))),  # titles and numbers before the package
        tarred({f"./scan/{name}": held for name, held in catalog_files(CATALOG).items()}),
    ],
    ids=["packed", "stored", "archive", "any order", "in a folder"],
)
def test_a_catalog_is_read_in_every_form(content: bytes) -> None:
    found = read(content)

    assert set(found) == {W81, R2}
    assert set(found[W81]) == {"KB3126587", "KB3023266", "KB5022352", "KB5022346"}
    assert str(found[W81]["KB3023266"].released) == "2030-01-13"
    assert {update.product.ecosystem for held in found.values() for update in held.values()} == {
        "update-catalog"
    }


def test_what_is_replaced_on_one_system_may_be_offered_on_another() -> None:
    found = read(scan_cabinet(CATALOG))

    assert found[R2]["KB3126587"].supersedes == ("KB3023266",)
    assert found[W81]["KB3126587"].supersedes == ()


def test_another_product_s_update_replaces_nothing_here() -> None:
    """The rollup for Windows Embedded is not offered to Windows 8.1, whose last one stays on offer."""
    assert all(not update.supersedes for update in read(scan_cabinet(CATALOG))[W81].values())


def test_a_number_with_a_revision_that_is_not_superseded_stays_on_offer() -> None:
    title = "Security Update for Microsoft .NET Framework {} on Windows 8.1 for x64-based Systems"
    found = read(
        scan_cabinet(
            [
                Offered(1, "KB3135994", title.format("4.5.2"), superseded_by=(3,)),
                Offered(2, "KB3135994", title.format("4.6")),
                Offered(3, "KB4041777", title.format("4.5.2")),
            ]
        )
    )

    assert found[W81]["KB4041777"].supersedes == ()


def test_a_title_says_what_kind_of_update_it_is() -> None:
    found = read(scan_cabinet(CATALOG))[W81]

    assert found["KB5022346"].kind == "Security Only"
    assert found["KB5022352"].kind == "Monthly Rollup"
    assert found["KB3126587"].kind is None


@pytest.mark.parametrize(
    ("title", "systems"),
    [
        ("Security Update for Windows 8.1 for x64-based Systems (KB1)", [W81]),
        ("Security Update for Windows 8.1 (KB1)", ["windows 8.1 for 32-bit systems"]),
        (
            "Security Update for Microsoft .NET Framework 3.5 on Windows 8.1 and Windows Server 2012 R2 for x64 (KB1)",
            [W81, R2],
        ),
        (
            "Security Update for Microsoft .NET Framework 4.6 for Windows 8.1 and Server 2012 R2 for x64",
            [W81, R2],
        ),
        ("2023-02 Security Monthly Quality Rollup for Windows 8.1 Embedded for x64-based Systems", []),
        ("Security Update for Windows Embedded 8.1 Industry for x64-based Systems", []),
        ("Security Update for Windows 8.1 for x64-based Systems (KB1) without KB2919355", []),
        ("2021-02 Security Monthly Quality Rollup for Windows 8.1 RT for ARM-based Systems", []),
        (
            "2023-05 Cumulative Update for Windows 11 Version 22H2 for x64-based Systems (KB1)",
            ["windows 11 version 22h2 for x64-based systems"],
        ),
        ("2018-01 Cumulative Update for Windows 10 for x86-based Systems", ["windows 10 for 32-bit systems"]),
        (
            "2023-10 Cumulative Update for Microsoft server operating system version 21H2 for x64-based Systems",
            ["windows server 2022"],
        ),
        (
            "Security Update for Windows 7 for x64-based Systems (KB1)",
            ["windows 7 for x64-based systems service pack 1"],
        ),
        ("Security Update for Windows Server 2008 R2 for Itanium-based Systems (KB1)", []),
        ("Security Update for Windows Server 2012 (KB1)", ["windows server 2012"]),  # not R2
        ("Security Update for Microsoft Office 2013 (KB2768005) 32-Bit Edition", []),
    ],
)
def test_a_title_names_the_systems_an_update_is_for(title: str, systems: list[str]) -> None:
    assert list(systems_named(title)) == systems


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            tarred({name: held for name, held in catalog_files(CATALOG).items() if "package" not in name}),
            "no package.xml",
        ),
        (tarred({"package.xml": b"<OfflineSyncPackage><Updates/></OfflineSyncPackage>"}), "names no update"),
        (tarred({"package.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}), "document type"),
        (tarred({"package.xml": b"<a>" * 60}), "nested more than"),
        (tarred({"package.xml": b"<a><b></a>"}), "not well-formed"),
        (tarred({"package.xml": b"<Updates><Update IsBundle='true'/></Updates>"}), "RevisionId"),
        (cabinet_of({"index.xml": b"<CABLIST/>"}), "no package.xml"),
        (cabinet_of({"package.xml": b"x" * 100}, LZX), "LZX"),
        (scan_cabinet(CATALOG)[:-40], "cut short"),
        (b"MSCF", "cut short"),
    ],
)
def test_what_is_no_catalog_is_refused_with_the_reason(content: bytes, words: str) -> None:
    with pytest.raises(FeedFormatError, match=words):
        list(msrc.parse(document(content)))


def test_a_title_that_cannot_be_read_is_set_aside() -> None:
    files = catalog_files(CATALOG) | {"l/en/1": b"<LocalizedProperties><Title>"}
    many = [
        Offered(100 + n, f"KB{5000000 + n}", f"Update for Windows Server {year}")
        for n, year in enumerate(("2012", "2016", "2019", "2025", "2022"))
    ]
    records = list(
        msrc.parse(document(tarred(files | catalog_files([*CATALOG, *many]) | {"l/en/1": b"<a>"})))
    )

    (bad,) = [one for one in records if isinstance(one, Quarantined)]
    assert bad.id == "l/en/1"


# -- cabinets -----------------------------------------------------------------------------------


def contents(packed: bytes) -> dict[str, bytes]:
    return {name: stream.read() for name, stream in cabinet.files(io.BytesIO(packed), "a.cab")}


@pytest.mark.parametrize("packing", [STORED, MSZIP])
@pytest.mark.parametrize("reserve", [False, True])
def test_files_longer_than_a_block_come_out_whole(packing: int, reserve: bool) -> None:
    chance = random.Random(1)
    files = {
        "a/long": bytes(chance.randrange(4) for _ in range(70_000)),
        "empty": b"",
        "b": b"over the edge of a block",
        "c": bytes(chance.randrange(4) for _ in range(40_000)),
    }

    assert contents(cabinet_of(files, packing, reserve=reserve)) == files


def test_a_file_that_nobody_reads_is_passed_over() -> None:
    packed = cabinet_of({"a": b"x" * 50_000, "b": b"wanted"})

    found = [stream.read() for name, stream in cabinet.files(io.BytesIO(packed), "a.cab") if name == "b"]

    assert found == [b"wanted"]


def test_a_broken_cabinet_is_refused_and_nothing_else_happens() -> None:
    whole = bytearray(cabinet_of({"a": b"x" * 40_000, "b": b"y" * 10}))
    chance = random.Random(7)
    for _ in range(2_000):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            found = contents(bytes(broken[: chance.randrange(len(broken)) + 1]))
        except ValueError:
            continue
        assert sum(map(len, found.values())) <= 10 * 32_768
