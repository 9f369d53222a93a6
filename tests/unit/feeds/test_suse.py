"""SUSE's VEX documents: states of binaries per release, and runs that fetch an archive and what changed beside it."""

from __future__ import annotations

import bz2
import gzip
from dataclasses import replace
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Remedy, Statement, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import suse
from sentrikat.feeds.adapter import Document, FeedState, FetchOptions, Quarantined, Validators
from sentrikat.feeds.formats.rpm_builds import unrepaired
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample, tarred

SAMPLE = sample("suse/cve-2026-10001.json")
BASESYSTEM = "SUSE Linux Enterprise Module for Basesystem 15 SP5"


def status_of(value: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = value["vulnerabilities"][0]["product_status"]
    return found


def said(value: Any) -> dict[tuple[str, str], Statement]:
    (found,) = advisories(suse.parse, as_document(value))
    return {(one.product.ecosystem, one.product.name): one for one in reversed(found.statements)}


def test_a_document_says_of_each_release_and_package_one_thing() -> None:
    found = said(orjson.loads(SAMPLE))

    assert {key: (one.remedy, one.versions.fixed) for key, one in found.items()} == {
        ("sles:15.5", "libanvil2"): (Remedy.FIXED, "2.4.1-150500.6.9.1"),
        ("sles:15.5", "anvil-tools"): (Remedy.FIXED, "2.4.1-150500.6.9.1"),
        ("sles:15.5", "anvil-docs"): (Remedy.NOT_AFFECTED, None),
        ("sles:15.6", "libanvil2"): (Remedy.OPEN, None),
        ("sles:15.6", "compat-anvil"): (Remedy.DEFERRED, None),
        ("sles:12.4", "libanvil2"): (Remedy.FIXED, "1.9.8-8.7.1"),
        ("sles:12.5", "libanvil2"): (Remedy.WILL_NOT_FIX, None),
        ("sle-micro:5.5", "libanvil2"): (Remedy.NOT_AFFECTED, None),
        ("opensuse-leap:15.5", "libanvil2"): (Remedy.FIXED, "2.4.1-150500.6.9.1"),
        ("opensuse-leap:15.6", "libanvil2"): (None, None),
        ("opensuse-tumbleweed", "libanvil2"): (Remedy.FIXED, "2.6.0-1.1"),  # first_fixed names a later build
    }
    assert found["opensuse-leap:15.6", "libanvil2"].status is Status.INVESTIGATING
    assert found["sles:12.4", "libanvil2"].note == "LTSS"  # the release itself is called affected for ever
    assert found["sles:15.5", "libanvil2"].note is None
    assert found["sles:12.5", "libanvil2"].note == "There is no fix planned for this product."


def test_a_document_brings_score_description_and_time_of_the_flaw() -> None:
    (found,) = advisories(suse.parse, as_document(orjson.loads(SAMPLE)))

    assert (found.id, found.modified and found.modified.isoformat()) == (
        "CVE-2026-10001",
        "2026-03-02T04:50:06+00:00",
    )
    assert [(one.provider, one.score) for one in found.scores] == [("SUSE", 7.5)]
    assert found.description == "Anvil falls on whoever reads a crafted rope."


def test_the_source_of_repaired_packages_is_affected_only_where_no_repair_will_come() -> None:
    """A source stays "affected" when the packages built from it are repaired, and would condemn each of them."""
    value = orjson.loads(SAMPLE)
    assert ("sles:15.5", "anvil") not in said(value)

    value["vulnerabilities"][0]["remediations"][1]["product_ids"].append(f"{BASESYSTEM}:anvil")
    assert said(value)["sles:15.5", "anvil"].remedy is Remedy.WILL_NOT_FIX


def test_where_editions_of_a_release_differ_the_worse_holds() -> None:
    value = orjson.loads(SAMPLE)
    status_of(value)["known_not_affected"].remove(f"{BASESYSTEM}:anvil-docs")
    status_of(value)["known_affected"].append(f"{BASESYSTEM}:anvil-docs")

    assert said(value)["sles:15.5", "anvil-docs"].remedy is Remedy.OPEN


def test_a_plan_without_a_status_is_no_statement() -> None:
    """SUSE names packages in "no fix planned" that it never called affected."""
    value = orjson.loads(SAMPLE)
    status_of(value)["known_affected"].remove("SUSE Linux Enterprise Server 12 SP5:libanvil2")

    assert ("sles:12.5", "libanvil2") not in said(value)


def test_two_streams_of_one_release_are_each_repaired_by_their_own_build() -> None:
    builds = ["2.11.1-6.40.1", "2.24.0-8.20.1", "2.24.0-8.31.1"]

    spans = unrepaired(builds, first_holds=True)

    assert [(one.introduced, one.fixed) for one in spans] == [
        (None, "2.11.1-6.40.1"),
        ("2.24.0-8", "2.24.0-8.20.1"),
    ]


@pytest.mark.parametrize(
    "first", ["known_not_affected", "under_investigation", "first_fixed", "fixed"], ids=lambda one: one
)
def test_a_document_that_contradicts_itself_is_set_aside(first: str) -> None:
    value = orjson.loads(SAMPLE)
    status_of(value).setdefault(first, []).append("SUSE Linux Enterprise Server 12 SP5:libanvil2")
    content = tarred(
        {"csaf-vex/cve-2026-10002.json": SAMPLE, "csaf-vex/cve-2026-10001.json": orjson.dumps(value)}
    )

    (bad,) = [one for one in suse.parse(document(content)) if isinstance(one, Quarantined)]

    assert bad.id == "CVE-2026-10001"
    assert "SUSE Linux Enterprise Server 12 SP5:libanvil2 is both affected and" in bad.reason


def test_a_flaw_that_no_product_ever_had_says_nothing() -> None:
    value = {"document": orjson.loads(SAMPLE)["document"]}

    (found,) = advisories(suse.parse, as_document(value))

    assert (found.vulnerabilities, found.statements) == (("CVE-2026-10001",), ())


@pytest.mark.parametrize(
    "words",
    [
        "** REJECT ** DO NOT USE THIS CANDIDATE NUMBER. ConsultIDs: none.",
        "This CVE ID has been rejected or withdrawn by its CVE Numbering Authority.",
    ],
)
def test_an_id_that_was_taken_back_says_nothing_of_any_product(words: str) -> None:
    value = orjson.loads(SAMPLE)
    value["document"]["notes"][1]["text"] = words

    (found,) = advisories(suse.parse, as_document(value))

    assert found.statements == ()


@pytest.mark.parametrize(
    "broken",
    [
        {"vulnerabilities": [{"cve": "nonsense"}]},
        {"product_tree": {"branches": "nonsense"}},
        {"product_tree": {}},
    ],
)
def test_a_document_of_another_shape_is_set_aside(broken: dict[str, Any]) -> None:
    value = orjson.loads(SAMPLE) | broken
    content = tarred({"a.json": SAMPLE, "b.json": orjson.dumps(value)})

    kinds = [type(one) for one in suse.parse(document(content))]

    assert kinds.count(Quarantined) == 1


def packed(*names: str) -> bytes:
    files = {
        f"csaf-vex/cve-2026-{name}.json": SAMPLE.replace(b"CVE-2026-10001", b"CVE-2026-" + name.encode())
        for name in names
    }
    return bz2.compress(
        gzip.decompress(tarred(files | {"csaf-vex/changes.csv": b"", "csaf-vex/index.txt": b""}))
    )


def world(changes: bytes, **more: bytes) -> dict[str, bytes]:
    named = {f"{suse.BASE}cve-2026-{name[1:]}.json": content for name, content in more.items()}
    return {suse.ARCHIVE: packed("10001", "10002"), suse.BASE + "changes.csv": changes} | named


CHANGES = (
    b'"cve-2026-10001.json","2026-03-02T04:50:06Z"\n'
    b'"cve-2026-10002.json","2026-01-01T04:50:06Z"\n'
    b'"cve-2026-10003.json","2026-03-01T05:00:00Z"\n'
)


def run(transport: DictTransport, state: FeedState) -> tuple[list[Document], FeedState, list[Any]]:
    documents = list(suse.fetch(transport, state, FetchOptions()))
    records = [record for one in documents for record in suse.parse(one)]
    return documents, state.after(documents), records


def test_the_first_run_reads_the_archive_and_what_changed_since_the_day_before_it() -> None:
    documents, state, records = run(DictTransport(world(CHANGES, _10001=SAMPLE)), FeedState())

    assert [(one.name, one.whole) for one in documents] == [
        ("csaf-vex.tar.bz2", True),
        ("cve-2026-10001.json", False),
    ]
    assert [one.id for one in records] == ["CVE-2026-10001", "CVE-2026-10002", "CVE-2026-10001"]
    assert state.cursors == {
        "archive": "2026-03-02T04:50:06+00:00",
        "changed": "2026-03-02T04:50:06+00:00",
    }


def test_the_time_of_the_archive_is_what_its_server_says() -> None:
    archive = replace(
        document(b"", suse.ARCHIVE), validators=Validators(last_modified="Sat, 28 Feb 2026 03:00:00 GMT")
    )

    assert suse._made(archive, "2026-03-02T04:50:06+00:00") == "2026-02-27T00:00:00+00:00"
    nonsense = replace(archive, validators=Validators(last_modified="yesterday"))
    assert suse._made(nonsense, "2026-03-02T04:50:06+00:00") == "2026-03-01T00:00:00+00:00"


def test_a_later_run_asks_only_for_what_changed_since() -> None:
    _, state, _ = run(DictTransport(world(CHANGES, _10001=SAMPLE)), FeedState())
    later = CHANGES + b'"cve-2026-10004.json","2026-03-07T09:00:00Z"\n'
    transport = DictTransport(world(later, _10004=SAMPLE.replace(b"10001", b"10004")))

    assert run(DictTransport(world(CHANGES)), state)[0] == []
    documents, state, _ = run(transport, state)

    assert [one.name for one in documents] == ["cve-2026-10004.json"]
    assert suse.ARCHIVE not in transport.asked
    assert state.cursors["changed"] == "2026-03-07T09:00:00+00:00"


def test_once_the_lists_are_a_month_ahead_the_archive_says_what_was_taken_away() -> None:
    _, state, _ = run(DictTransport(world(CHANGES, _10001=SAMPLE)), FeedState())
    later = b'"cve-2026-10001.json","2026-04-07T09:00:00Z"\n'

    same, _, _ = run(DictTransport(world(later, _10001=SAMPLE)), state)
    newer, state, _ = run(DictTransport(world(later, _10001=SAMPLE) | {suse.ARCHIVE: packed("10001")}), state)

    assert [one.name for one in same] == ["cve-2026-10001.json"]  # nobody made a new archive
    assert [(one.name, one.whole) for one in newer] == [
        ("csaf-vex.tar.bz2", True),
        ("cve-2026-10001.json", False),
    ]
    assert state.cursors["archive"] == "2026-04-07T09:00:00+00:00"


def test_a_run_is_bounded_and_the_next_one_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suse, "MOST_CHANGES", 1)
    changes = b"".join(
        f'"cve-2026-1000{number}.json","2026-03-08T0{number}:00:00Z"\n'.encode() for number in (8, 7, 6)
    )
    transport = DictTransport(world(changes, _10006=SAMPLE, _10007=SAMPLE, _10008=SAMPLE))

    first, state, _ = run(transport, FeedState())
    second, state, _ = run(transport, state)
    third, state, _ = run(transport, state)

    assert [one.name for one in first] == ["csaf-vex.tar.bz2", "cve-2026-10006.json"]
    assert [one.name for one in second + third] == ["cve-2026-10007.json", "cve-2026-10008.json"]
    assert run(transport, state)[0] == []


def test_a_document_that_is_gone_by_now_does_not_stop_the_run() -> None:
    assert [one.name for one in run(DictTransport(world(CHANGES)), FeedState())[0]] == ["csaf-vex.tar.bz2"]


@pytest.mark.parametrize(
    "line",
    [
        b'"https://elsewhere.example/a.json","2026-03-07T09:00:00Z"\n',
        b'"../cve-2026-10001.json","2026-03-07T09:00:00Z"\n',
        b'"cve-2026-10001.json","yesterday"\n',
        b'"cve-2026-10001.json"\n',
    ],
)
def test_a_list_that_names_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(FeedFormatError):
        run(DictTransport(world(line)), FeedState())


def test_a_bundle_is_read_in_the_same_order() -> None:
    documents, _, _ = run(DictTransport(world(CHANGES, _10001=SAMPLE), live=False), FeedState())

    assert [(one.name, one.whole) for one in documents] == [
        ("csaf-vex.tar.bz2", True),
        ("cve-2026-10001.json", False),
    ]


@pytest.mark.parametrize(
    "spoil", [lambda whole: whole[: len(whole) // 2], lambda whole: whole[:60] + b"\x00" * 40 + whole[100:]]
)
def test_an_archive_that_is_cut_or_altered_is_refused(spoil: Any) -> None:
    with pytest.raises(FeedFormatError):
        list(suse.parse(document(spoil(packed("10001", "10002")), suse.ARCHIVE)))
