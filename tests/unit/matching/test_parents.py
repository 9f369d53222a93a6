"""A release made from another: its own data decides, and the parent's fills what that leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from sentrikat.domain.advisory import Product, Remedy, Status
from sentrikat.domain.inventory import Component, OperatingSystem, Software, component_of, no_source
from sentrikat.domain.matching.claim import Claim
from sentrikat.domain.matching.identity import declared_identities
from sentrikat.domain.matching.verdict import Outcome, judge
from sentrikat.domain.ranges import VersionRange, bounds
from sentrikat.domain.versions import Scheme

SAID_FIRST, SAID_LAST = 0, 2


def claim(release: str, rank: int, *, fixed: str | None = None, number: int = 1, **more: Any) -> Claim:
    lo, hi = bounds(VersionRange(Scheme.RPM, fixed=fixed))
    return Claim(
        id=number,
        vulnerability="CVE-2026-1",
        source=f"of {release}",
        advisory="A-1",
        rank=rank,
        product=Product(release, "anvil"),
        **{"status": Status.AFFECTED} | more,
        described=True,
        remedy=Remedy.FIXED if fixed else Remedy.OPEN,
        scheme=Scheme.RPM,
        lo=lo,
        hi=hi,
        fixed=fixed,
    )


def outcome(component: Component, *claims: Claim) -> Outcome:
    return judge(declared_identities(component, "linux"), claims, component.module).outcome


def anvil(release: str, version: str, module: str | None = None) -> Component:
    return Component("rpm", release, "anvil", version, "anvil", version, module=module)


def test_a_rebuilds_own_word_decides_whatever_the_parents_source_is_worth() -> None:
    """Rocky built 2-1 from sources that held the repair; Red Hat's better source says 2-3 of its own build."""
    own, parent = (
        claim("rocky:9", SAID_LAST, fixed="2-1.el9"),
        claim("rhel:9", SAID_FIRST, fixed="2-3.el9", number=2),
    )

    verdict = judge(declared_identities(anvil("rocky:9", "2-2.el9"), "linux"), [own, parent])

    assert verdict.outcome is Outcome.NOT_AFFECTED
    assert verdict.losing == (parent,)


@pytest.mark.parametrize("rebuild", ["rocky:9", "almalinux:9", "ol:9", "centos:9"])
def test_what_the_parent_never_repaired_no_rebuild_did(rebuild: str) -> None:
    assert outcome(anvil(rebuild, "2-2.el9"), claim("rhel:9", SAID_FIRST)) is Outcome.AFFECTED


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2-2.el9_4", Outcome.AFFECTED),
        ("2-3.el9_4", Outcome.NOT_AFFECTED),  # the same sources
        ("2-3.el9_4.rocky.0.1", Outcome.NOT_AFFECTED),  # with a change of the rebuild's own
        ("2-3.0.1.el9_4", Outcome.NOT_AFFECTED),  # as Oracle marks its changes
    ],
)
def test_the_parents_repair_counts_by_the_common_version(version: str, expected: Outcome) -> None:
    assert outcome(anvil("rocky:9", version), claim("rhel:9", SAID_FIRST, fixed="2-3.el9_4")) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.14.0-3.module_el8.4.0+2520+abcdef12", Outcome.NOT_AFFECTED),  # its own counter, the same build
        ("1.14.0-2.module+el8.4.0+99+abcdef12", Outcome.AFFECTED),
        (
            "1.14.0-3.module+el8.3.0+99+abcdef12",
            Outcome.AFFECTED,
        ),  # built before, for an earlier minor release
    ],
)
def test_a_modular_rebuild_is_not_older_for_its_build_counter(version: str, expected: Outcome) -> None:
    parent = claim("rhel:8", SAID_FIRST, fixed="1.14.0-3.module+el8.4.0+12345+0a1b2c3d", module="anvil:1")

    assert outcome(anvil("almalinux:8", version, "anvil:1:80:x"), parent) is expected


@pytest.mark.parametrize(
    ("repository", "os_version", "namespace"),
    [
        ("rhel-9-for-x86_64-baseos-eus-rpms", "9.2", "rhel-eus:9.2"),
        ("rhel-8-for-x86_64-baseos-aus-rpms", "8.4", "rhel-aus:8.4"),
        ("rhel-7-server-els-rpms", "7.9", "rhel-els:7"),
        ("rhel-9-for-x86_64-baseos-rpms", "9.2", "rhel:9"),
        (None, "9.2", "rhel:9"),  # not known: the main stream
        ("rhel-9-for-x86_64-baseos-eus-rpms", "9", "rhel:9"),  # of which minor release is not known
    ],
)
def test_an_extended_stream_is_told_by_repository_and_host(
    repository: str | None, os_version: str, namespace: str
) -> None:
    software = Software("rpm", "anvil", "2-1.el9_2", repository=repository)

    assert (
        component_of(software, OperatingSystem("linux", "rhel", os_version), no_source).namespace == namespace
    )


def test_a_repair_of_another_stream_clears_no_host() -> None:
    eus = anvil("rhel-eus:9.2", "2-1.el9_2")

    assert outcome(eus, claim("rhel-eus:9.2", 0, fixed="2-1.el9_2.3")) is Outcome.AFFECTED
    assert outcome(eus, claim("rhel-eus:9.4", 0, fixed="1-1.el9_4"), claim("rhel:9", 0)) is Outcome.AFFECTED
    assert (
        outcome(
            anvil("rhel:9", "2-2.el9_4"), claim("rhel-eus:9.2", 0, fixed="2-1.el9_2.3"), claim("rhel:9", 0)
        )
        is Outcome.AFFECTED
    )


@pytest.mark.parametrize(
    ("module", "limited_to", "expected"),
    [
        (None, "", Outcome.AFFECTED),
        ("anvil:1:80:x", "", Outcome.NOT_AFFECTED),  # said of the package outside any module
        ("unknown", "", Outcome.NOT_AFFECTED),
        (None, "anvil:1", Outcome.NOT_AFFECTED),
        ("anvil:1:80:x", None, Outcome.AFFECTED),  # said without regard to modules
    ],
)
def test_a_package_outside_any_module_is_another_than_the_modules(
    module: str | None, limited_to: str | None, expected: Outcome
) -> None:
    assert outcome(anvil("rhel:8", "2-1.el8", module), claim("rhel:8", 0, module=limited_to)) is expected


def test_a_modular_build_of_a_stream_nobody_reported_is_of_no_stream_we_know() -> None:
    software = Software("rpm", "anvil", "1.14.0-3.module+el8.4.0+12345+0a1b2c3d")

    assert component_of(software, OperatingSystem("linux", "rhel", "8.4"), no_source).module == "unknown"
