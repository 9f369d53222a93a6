"""Alpine's database: an entry of it as statements about a source package of a branch."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, Product, Remedy, Status
from sentrikat.domain.errors import FeedFormatError, Unavailable
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import alpine
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample, zipped

OPTIONS = FetchOptions(now=datetime(2026, 11, 1, tzinfo=UTC))
DATABASE = sample("alpine/main.json")


def of(package: str) -> dict[str, Advisory]:
    return {
        one.vulnerabilities[0]: one
        for one in advisories(alpine.parse, document(DATABASE))
        if f"/{package}/" in one.id
    }


def test_an_entry_is_a_source_package_of_a_branch_and_its_repairing_version() -> None:
    found = of("anvil")["CVE-2021-0001"]

    assert found.id == "v3.18/main/anvil/CVE-2021-0001"
    (statement,) = found.statements
    assert statement.product == Product("alpine:3.18", "anvil")
    assert (statement.status, statement.remedy) == (Status.AFFECTED, Remedy.FIXED)
    assert statement.versions == VersionRange(Scheme.APK, fixed="1.2.3-r0")


def test_a_flaw_repaired_twice_counts_until_the_later_version() -> None:
    found = of("anvil")["CVE-2021-0002"]

    assert [one.versions.fixed for one in found.statements] == ["1.2.3-r0", "1.2.3-r2"]


def test_version_zero_says_that_the_package_never_had_the_flaw() -> None:
    (statement,) = of("anvil")["CVE-2021-0003"].statements

    assert (statement.status, statement.remedy) == (Status.UNAFFECTED, Remedy.NOT_AFFECTED)
    assert statement.versions == VersionRange(Scheme.APK)


@pytest.mark.parametrize(
    ("package", "flaws"),
    [
        # several names of one flaw, several flaws in one entry: every CVE, and no name twice
        # without a CVE the other name stands; a placeholder is no name; two patches are one flaw
        (
            "hypervisor",
            [
                "CVE-2018-0001",
                "CVE-2019-0001",
                "CVE-2019-0002",
                "XSA-903",
                "XSA-904",
                "CVE-2017-0001",
                "CVE-2019-0003",
            ],
        ),
        ("sniffer", ["CVE-2018-0005"]),  # words beside the id are left out, half an id is none
        ("quiet", []),
    ],
)
def test_the_names_of_an_entry_are_told_apart(package: str, flaws: list[str]) -> None:
    assert list(of(package)) == flaws


def test_other_names_are_no_aliases() -> None:
    """XSA-902 stands beside two CVEs: as an alias it would make them one flaw."""
    assert all(one.aliases == () for one in of("hypervisor").values())


def test_the_rolling_branch_is_a_release_of_its_own() -> None:
    edge = {**orjson.loads(DATABASE), "distroversion": "edge"}

    assert {
        statement.product.ecosystem
        for one in advisories(alpine.parse, as_document(edge))
        for statement in one.statements
    } == {"alpine:edge"}


def test_a_package_of_another_shape_is_set_aside_and_the_rest_is_read() -> None:
    database = orjson.loads(DATABASE)
    database["packages"][0]["pkg"]["secfixes"] = ["CVE-2021-0001"]
    found = list(alpine.parse(as_document(database)))

    assert [one.id for one in found if isinstance(one, Quarantined)] == ["v3.18/main/anvil"]
    assert any(isinstance(one, Advisory) for one in found)


def test_a_database_whose_packages_lack_their_repairs_is_refused_and_withdraws_nothing() -> None:
    with pytest.raises(FeedFormatError, match="secfixes"):
        list(alpine.parse(document(DATABASE.replace(b'"secfixes"', b'"fixes"'))))


@pytest.mark.parametrize(
    "change",
    [
        {"distroversion": "Frozen"},
        {"distroversion": None},
        {"reponame": ""},
        {"packages": None},
        {"packages": {}},
    ],
)
def test_a_database_that_does_not_say_what_it_is_of_is_refused(change: dict[str, object]) -> None:
    database = {**orjson.loads(DATABASE), **change}
    if change.get("packages", 0) is None:
        del database["packages"]

    with pytest.raises(FeedFormatError):
        list(alpine.parse(as_document(database)))


def test_an_archive_of_all_branches_is_read_as_one_document() -> None:
    edge = orjson.dumps({**orjson.loads(DATABASE), "distroversion": "edge"})
    found = advisories(alpine.parse, document(zipped([DATABASE, edge])))

    assert len(found) == 2 * len(advisories(alpine.parse, document(DATABASE)))
    with pytest.raises(FeedFormatError, match="no database"):
        list(alpine.parse(document(zipped([]))))


# -- fetching ----------------------------------------------------------------------------


def server(**more: bytes) -> DictTransport:
    documents = dict.fromkeys(alpine._NEEDED, DATABASE)
    return DictTransport(
        documents | {alpine.BASE + name.replace("_", "/") + ".json": body for name, body in more.items()}
    )


def fetched(transport: DictTransport, state: FeedState | None = None) -> list[str]:
    documents = list(alpine.fetch(transport, state or FeedState(), OPTIONS))
    return [one.url.removeprefix(alpine.BASE) for one in documents]


def test_branches_newer_than_this_code_are_found() -> None:
    found = fetched(server(**{"v3.22_main": DATABASE, "v3.23_main": DATABASE, "v3.25_main": DATABASE}))

    assert {"v3.22/main.json", "v3.23/main.json"} <= set(found)
    assert "v3.25/main.json" not in found  # not asked for: 3.24 is not there yet


def test_nothing_is_given_while_nothing_changed_and_everything_once_something_did() -> None:
    """Only all branches together say what was withdrawn."""
    transport = server(edge_main=DATABASE)
    state = FeedState().after(list(alpine.fetch(transport, FeedState(), OPTIONS)))
    assert fetched(transport, state) == []

    transport.documents[f"{alpine.BASE}edge/main.json"] = DATABASE.replace(b"1.2.3-r0", b"1.2.3-r1")

    assert len(fetched(transport, state)) == len(alpine._NEEDED) + 1


def test_a_branch_that_was_there_and_is_gone_is_trouble_and_no_withdrawal() -> None:
    transport = server(edge_main=DATABASE)
    state = FeedState().after(list(alpine.fetch(transport, FeedState(), OPTIONS)))
    del transport.documents[f"{alpine.BASE}edge/main.json"]

    with pytest.raises(Unavailable):
        fetched(transport, state)


def test_a_server_that_has_nothing_is_trouble() -> None:
    with pytest.raises(Unavailable):
        fetched(DictTransport({}))


def test_one_file_brought_by_hand_says_nothing_of_the_other_branches() -> None:
    held = DictTransport({f"{alpine.BASE}main.json": DATABASE}, live=False)
    (found,) = alpine.fetch(held, FeedState(), OPTIONS)
    whole = list(alpine.fetch(DictTransport(server().documents, live=False), FeedState(), OPTIONS))

    assert found.cut
    assert whole
    assert not any(one.cut for one in whole)
