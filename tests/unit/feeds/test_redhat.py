"""Red Hat's VEX documents: a product tree put together, streams kept apart, and runs that fetch what changed."""

from __future__ import annotations

import copy
import gzip
from typing import Any

import orjson
import pytest
import zstandard

from sentrikat.domain.advisory import Remedy, Statement, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import redhat
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.formats.redhat_products import build, package, release_of_cpe
from sentrikat.feeds.formats.rpm_builds import unrepaired
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample, tarred

SAMPLE = sample("redhat/cve-2026-10001.json")
NAME = "2026/cve-2026-10001.json"
ARCHIVE = "csaf_vex_2026-03-05.tar.zst"


def said(value: Any) -> dict[tuple[str, str, str | None], Statement]:
    (found,) = advisories(redhat.parse, as_document(value))
    return {
        (one.product.ecosystem, one.product.name, one.module): one
        for one in reversed(found.statements)  # of several spans the first
    }


def test_a_document_says_of_each_release_and_package_one_thing() -> None:
    found = said(orjson.loads(SAMPLE))

    assert {key: (one.remedy, one.versions.fixed) for key, one in found.items()} == {
        ("rhel:9", "anvil", ""): (Remedy.FIXED, "1:2.4-5.el9_4"),
        ("rhel-eus:9.2", "anvil", ""): (Remedy.FIXED, "1:2.2-9.el9_2.3"),
        ("rhel:9", "anvil-docs", ""): (Remedy.NOT_AFFECTED, None),  # built beside, and holds no flaw
        ("rhel:8", "anvil", "anvil:1.9"): (Remedy.FIXED, "1.9-3.module+el8.10.0+21982+14717793"),
        ("rhel:8", "anvil", "anvil:1.8"): (Remedy.DEFERRED, None),
        ("rhel:8", "anvil", ""): (Remedy.NOT_AFFECTED, None),
        ("rhel:8", "compat-anvil", ""): (Remedy.OPEN, None),
        ("rhel:7", "anvil", ""): (Remedy.WILL_NOT_FIX, None),
        ("rhel:6", "anvil", ""): (Remedy.END_OF_LIFE, None),
        ("rhel:10", "anvil", ""): (None, None),
    }
    assert found["rhel:10", "anvil", ""].status is Status.INVESTIGATING
    assert found["rhel:6", "anvil", ""].note == "Out of support scope"
    assert found["rhel:8", "anvil", ""].note == "vulnerable code not present"


def test_binaries_count_where_no_source_is_named() -> None:
    value = orjson.loads(SAMPLE)
    status = value["vulnerabilities"][0]["product_status"]
    status["fixed"] = [one for one in status["fixed"] if "libs" in one]

    assert said(value)["rhel:9", "anvil-libs", ""].versions.fixed == "1:2.4-5.el9_4"


def test_a_package_of_a_module_in_the_older_form_is_found_through_two_relations() -> None:
    value = orjson.loads(SAMPLE)
    value["product_tree"]["relationships"] += [
        {
            "full_product_name": {"product_id": "AppStream:anvil:1.9:810:4891"},
            "product_reference": "anvil:1.9:810:4891",
            "relates_to_product_reference": "AppStream-8.10.0.Z.MAIN.EUS",
        },
        {
            "full_product_name": {"product_id": "AppStream:anvil:1.9:810:4891:rope-0:1-2.src"},
            "product_reference": "anvil-1:2.6-1.el9.src",
            "relates_to_product_reference": "AppStream:anvil:1.9:810:4891",
        },
    ]
    value["vulnerabilities"][0]["product_status"]["fixed"] = ["AppStream:anvil:1.9:810:4891:rope-0:1-2.src"]

    assert said(value)["rhel:8", "anvil", "anvil:1.9"].remedy is Remedy.FIXED


def test_a_document_that_contradicts_itself_is_read_as_affected() -> None:
    value = orjson.loads(SAMPLE)
    status = value["vulnerabilities"][0]["product_status"]
    status["known_not_affected"].append("red_hat_enterprise_linux_7:anvil")

    assert said(value)["rhel:7", "anvil", ""].status is Status.AFFECTED


@pytest.mark.parametrize(
    "broken",
    [
        {"vulnerabilities": []},
        {"vulnerabilities": [{"cve": "nonsense"}]},
        {"product_tree": {"branches": "nonsense"}},
    ],
)
def test_a_document_of_another_shape_is_set_aside(broken: dict[str, Any]) -> None:
    value = orjson.loads(SAMPLE) | broken
    content = tarred({"a.json": SAMPLE, "b.json": orjson.dumps(value)})

    kinds = [type(one) for one in redhat.parse(document(content))]

    assert kinds.count(Quarantined) == 1


def test_a_tree_of_any_depth_is_refused_not_followed() -> None:
    value = orjson.loads(SAMPLE)
    branch: dict[str, Any] = {}
    for _ in range(40):
        branch = {"branches": [copy.copy(branch)]}
    value["product_tree"]["branches"] = [branch]

    with pytest.raises(FeedFormatError, match="levels deep"):
        list(redhat.parse(as_document(value)))


@pytest.mark.parametrize(
    ("cpe", "release"),
    [
        ("cpe:/o:redhat:enterprise_linux:9::baseos", "rhel:9"),
        ("cpe:/a:redhat:enterprise_linux:8", "rhel:8"),
        ("cpe:/a:redhat:rhel_eus:9.2::appstream", "rhel-eus:9.2"),  # lower numbers than the main stream's
        ("cpe:/o:redhat:rhel_aus:7.4", "rhel-aus:7.4"),
        ("cpe:/o:redhat:rhel_els:7", "rhel-els:7"),
        ("cpe:/a:redhat:rhel_software_collections:3::el7", "rhel:7"),  # rh-... packages on a RHEL 7
        ("cpe:/a:redhat:openshift:4.12::el9", None),  # its own builds of packages of the same name
        ("cpe:/o:redhat:enterprise_linux:7::hypervisor", None),
        ("nonsense", None),
    ],
)
def test_a_product_is_the_release_its_packages_go_to(cpe: str, release: str | None) -> None:
    assert release_of_cpe(cpe) == release


def test_names_of_builds_and_packages() -> None:
    found = build("java-1.8.0-openjdk-1:1.8.0.402.b06-2.el8")
    assert found is not None
    assert (found.name, found.version) == ("java-1.8.0-openjdk", "1:1.8.0.402.b06-2.el8")
    assert build("nodejs:16-8050020211206113934.c5368500") is None  # a module, not a package
    assert build("openshift4/ose-cli:v4.12-3") is None
    assert package("openshift4/ose-cli") is None
    modular = package("virt:rhel/qemu-kvm")
    assert modular is not None
    assert modular.stream == "virt:rhel"


@pytest.mark.parametrize(
    ("builds", "spans"),
    [
        (["1-2.el9"], [(None, "1-2.el9")]),
        # named again when the next minor release began: builds between hold the repair
        (
            ["4.18.0-372.9.1.el8", "4.18.0-348.20.1.el8_5"],
            [(None, "4.18.0-348.20.1.el8_5"), ("4.18.0-372", "4.18.0-372.9.1.el8")],
        ),
        # a minor release that began without it, from 73 on
        (
            ["2:2.1-61.6.el7_8", "2:2.1-73.11.el7_9"],
            [(None, "2:2.1-61.6.el7_8"), ("2:2.1-73", "2:2.1-73.11.el7_9")],
        ),
        # repaired again within one: the first repair was not enough
        (["2-5.el9_4", "2-5.el9_4.2"], [(None, "2-5.el9_4.2")]),
        (["115.5.0-1.el9", "115.6.0-1.el9"], [(None, "115.5.0-1.el9"), ("115.6.0-1", "115.6.0-1.el9")]),
    ],
)
def test_a_repair_that_is_named_again_leaves_the_builds_between_repaired(
    builds: list[str], spans: list[tuple[str | None, str]]
) -> None:
    assert [(one.introduced, one.fixed) for one in unrepaired(builds)] == spans


def world(**more: bytes) -> dict[str, bytes]:
    packed = zstandard.compress(_plain_tar())
    return {
        redhat.BASE + "archive_latest.txt": ARCHIVE.encode(),
        redhat.BASE + ARCHIVE: packed,
        redhat.BASE + "changes.csv": (
            b'"2026/cve-2026-10001.json","2026-03-06T09:00:00+00:00"\n'
            b'"2026/cve-2026-10003.json","2026-03-01T09:00:00+00:00"\n'
        ),
        redhat.BASE + "deletions.csv": b'"2026/cve-2026-10002.json","2026-03-04T16:00:00+00:00"\n',
        redhat.BASE + NAME: SAMPLE,
    } | more


def _plain_tar() -> bytes:
    return gzip.decompress(
        tarred({NAME: SAMPLE, "2026/cve-2026-10002.json": SAMPLE.replace(b"10001", b"10002")})
    )


def run(transport: DictTransport, state: FeedState) -> tuple[list[str], FeedState, list[Any]]:
    documents = list(redhat.fetch(transport, state, FetchOptions()))
    records = [record for one in documents for record in redhat.parse(one)]
    return [one.name for one in documents], state.after(documents), records


def test_the_first_run_reads_archive_then_changes_then_deletions() -> None:
    names, state, records = run(DictTransport(world()), FeedState())

    assert names == [ARCHIVE, "cve-2026-10001.json", "deletions.csv"]
    assert [one.id for one in records if one.withdrawn] == ["CVE-2026-10002"]
    assert state.cursors == {"archive": ARCHIVE, "changed": "2026-03-06T09:00:00+00:00"}


def test_a_later_run_asks_only_for_what_changed_since() -> None:
    _, state, _ = run(DictTransport(world()), FeedState())
    later = world()
    later[redhat.BASE + "2026/cve-2026-10004.json"] = SAMPLE.replace(b"10001", b"10004")
    later[redhat.BASE + "changes.csv"] = (
        b'"2026/cve-2026-10004.json","2026-03-07T09:00:00+00:00"\n' + later[redhat.BASE + "changes.csv"]
    )

    assert run(DictTransport(world()), state)[0] == []
    names, state, _ = run(DictTransport(later), state)
    assert names == ["cve-2026-10004.json"]
    assert state.cursors["changed"] == "2026-03-07T09:00:00+00:00"


def test_a_document_that_is_gone_by_now_does_not_stop_the_run() -> None:
    later = world()
    del later[redhat.BASE + NAME]

    assert run(DictTransport(later), FeedState())[0] == [ARCHIVE, "deletions.csv"]


def test_a_run_is_bounded_and_the_next_one_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redhat, "MOST_CHANGES", 1)
    lines = [
        f'"2026/cve-2026-1000{number}.json","2026-03-0{number}T09:00:00+00:00"\n'.encode()
        for number in (8, 7, 6)
    ]
    more = {
        f"{redhat.BASE}2026/cve-2026-1000{number}.json": SAMPLE.replace(b"10001", b"1000%d" % number)
        for number in (6, 7, 8)
    }
    transport = DictTransport(world(**more) | {redhat.BASE + "changes.csv": b"".join(lines)})

    first, state, _ = run(transport, FeedState())
    second, state, _ = run(transport, state)

    assert first == [ARCHIVE, "cve-2026-10006.json", "deletions.csv"]
    assert second == ["cve-2026-10007.json", "deletions.csv"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("archive_latest.txt", b"../../etc/passwd"),
        ("changes.csv", b'"https://elsewhere.example/a.json","2026-03-07T09:00:00+00:00"\n'),
        ("changes.csv", b'"2026/cve-2026-10001.json","yesterday"\n'),
        ("deletions.csv", b'"2026/cve-2026-10001.json"\n'),
    ],
)
def test_lists_that_name_anything_else_are_refused(file: str, content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        run(DictTransport(world() | {redhat.BASE + file: content}), FeedState())


def test_a_bundle_is_read_in_the_same_order() -> None:
    names, _, _ = run(DictTransport(world(), live=False), FeedState())

    assert names == [ARCHIVE, "cve-2026-10001.json", "deletions.csv"]


def test_a_document_whose_products_are_nowhere_described_is_set_aside() -> None:
    renamed = SAMPLE.replace(b'"product_tree"', b'"tree"')

    with pytest.raises(FeedFormatError, match="product_tree"):
        list(redhat.parse(document(tarred({"a.json": renamed}))))
