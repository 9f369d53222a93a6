"""What a component says it is, in which lane and order it is judged, and whose release it belongs to."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Product, Remedy, Status
from sentrikat.domain.inventory import (
    Component,
    Inventory,
    OperatingSystem,
    Software,
    component_of,
    installed_components,
    no_source,
    release_of,
)
from sentrikat.domain.matching.context import read_context, target_context
from sentrikat.domain.matching.identity import declared_identities
from sentrikat.domain.matching.lanes import Lane, lane_of, scheme_of
from sentrikat.domain.matching.precedence import LAST_RANK, rank
from sentrikat.domain.matching.wording import range_words, statement_words
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme

LINUX = OperatingSystem("linux", "debian", "12")


# -- releases ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version", "release"),
    [
        ("debian", "12", "debian:12"),
        ("debian", "12.5", "debian:12"),  # advisories are made per major release
        ("debian", "bookworm", "debian:12"),
        ("Debian", "trixie", "debian:13"),
        ("ubuntu", "22.04", "ubuntu:22.04"),
        ("ubuntu", "jammy", "ubuntu:22.04"),
        ("alpine", "3.18.4", "alpine:3.18"),
        ("alpine", "v3.18", "alpine:3.18"),
        ("rhel", "9.4", "rhel:9"),
        ("redhat", "8.10", "rhel:8"),
        ("centos", "7", "centos:7"),
        ("almalinux", "9.3", "almalinux:9"),
        ("amzn", "2023", "amzn:2023"),
        ("amzn", "2018.03", "amzn:1"),  # the first one numbered its images, its advisories know one release
        ("sles", "15.5", "sles:15.5"),
        ("opensuse-tumbleweed", "20260101", "opensuse-tumbleweed"),  # a snapshot's date is no release
        ("wolfi", "20230201", "wolfi"),
        ("arch", None, "arch"),
        # not known, and never guessed
        ("debian", None, None),
        (None, "12", None),
        ("", "12", None),
    ],
)
def test_the_release_whose_statements_judge_a_host(
    name: str | None, version: str | None, release: str | None
) -> None:
    assert release_of(name, version) == release


# -- components --------------------------------------------------------------------------


def test_binaries_of_one_source_are_one_component() -> None:
    inventory = Inventory(
        "r",
        None,
        "h",
        None,
        LINUX,
        None,
        True,
        (
            Software("deb", "libssl3", "3.0.9-1", source_name="openssl", path="/usr/lib"),
            Software("deb", "openssl", "3.0.9-1", source_name="openssl"),
        ),
    )
    system, openssl = installed_components(inventory, no_source)

    assert system.component.kind == "os"
    assert openssl.component == Component("deb", "debian:12", "openssl", "3.0.9-1", "openssl")
    assert (openssl.binaries, openssl.paths) == (["libssl3"], ["/usr/lib"])


@pytest.mark.parametrize(
    ("software", "version"),
    [
        (Software("deb", "anvil", "1.0-1+b2"), "1.0-1"),  # rebuilt without a change of its source
        (Software("deb", "anvil", "1.0-1+b2", source_version="1.0-1"), "1.0-1"),
        (Software("deb", "anvil", "2:1.0-1", source_version="1.0-1"), "1.0-1"),  # the binary's own epoch
        (Software("deb", "anvil", "1.0-1+deb12u1"), "1.0-1+deb12u1"),  # a security update is not a rebuild
        (Software("apk", "anvil", "1.0-r1"), "1.0-r1"),
    ],
)
def test_a_package_is_compared_by_the_version_of_its_source(software: Software, version: str) -> None:
    assert component_of(software, LINUX, no_source).version == version


def test_a_source_that_nobody_reported_is_looked_up() -> None:
    found = component_of(Software("deb", "libssl3", "3.0.9-1"), LINUX, lambda _release, _name: "openssl")

    assert found.name == "openssl"


# -- identities --------------------------------------------------------------------------

Named = tuple[str, str, str]


@pytest.mark.parametrize(
    ("component", "named"),
    [
        (Component("deb", "debian:12", "anvil", "1.0"), [("debian:12", "anvil", "1.0")]),
        (Component("deb", "", "anvil", "1.0"), []),  # of no known release
        # rpm advisories name binaries or sources
        (
            Component("rpm", "sles:15.5", "anvil-libs", "1.0", "anvil", "2.0"),
            [("sles:15.5", "anvil-libs", "1.0"), ("sles:15.5", "anvil", "2.0")],
        ),
        (Component("pypi", "", "django", "4.2"), [("pypi", "django", "4.2")]),
        (
            Component("cpe", "linux", "anvil", "9.9", cpe="cpe:2.3:a:acme:anvil:1.0:*:*:*:*:*:*:*"),
            [("cpe:a", "acme:anvil", "1.0")],  # the name's own version
        ),
        (
            Component("cpe", "linux", "anvil", "9.9", cpe="cpe:2.3:a:acme:anvil:*:*:*:*:*:*:*:*"),
            [("cpe:a", "acme:anvil", "9.9")],
        ),
        (
            Component("cpe", "linux", "anvil", "1.0", cpe="cpe:2.3:a:*:anvil:1.0:*:*:*:*:*:*:*"),
            [],
        ),  # no product
        (Component("cpe", "linux", "anvil", "1.0", cpe="no name"), []),
        (
            Component("application", "linux", "anvil", "1.0", purl="pkg:npm/%40acme/anvil@2.0"),
            [("npm", "@acme/anvil", "2.0")],
        ),
        # nothing to compare: no identity, so neither every flaw nor none
        (Component("pypi", "", "django", None), []),
        (Component("pypi", "", "django", ""), []),
        (Component("pypi", "", "django", "not a version"), []),
        (Component("windows", "windows", "Anvil 1.0", "1.0"), []),  # a title alone declares nothing
    ],
)
def test_the_products_that_a_component_names_itself(component: Component, named: list[Named]) -> None:
    found = declared_identities(component, component.namespace or "linux")

    judged = [(one.product.ecosystem, one.product.name, one.version) for one in found if one.judged]
    assert judged == named


def test_a_rebuild_is_also_judged_by_what_it_is_a_rebuild_of() -> None:
    found = declared_identities(Component("rpm", "centos:7", "anvil", "1.0-1.el7"), "linux")

    assert {one.product for one in found} >= {Product("centos:7", "anvil"), Product("rhel:7", "anvil")}


@pytest.mark.parametrize(
    ("component", "platform"),
    [
        (Component("os", "windows", "Windows 11 Pro", "10.0.22631.3447"), "microsoft:windows"),
        (Component("os", "linux", "debian", "12"), "linux:linux_kernel"),
        (Component("os", "linux", "debian", "12"), "debian:debian_linux"),
        (Component("os", "macos", "macOS", None), "apple:macos"),
    ],
)
def test_an_operating_system_is_what_conditions_call_it_but_not_judged_as_that(
    component: Component, platform: str
) -> None:
    found = {one.product.name: one.judged for one in declared_identities(component, component.namespace)}

    assert found[platform] is False


# -- lanes, ranks, contexts --------------------------------------------------------------


@pytest.mark.parametrize(
    ("ecosystem", "lane", "scheme"),
    [
        ("debian:12", Lane.DISTRIBUTION, Scheme.DPKG),
        ("ubuntu:22.04", Lane.DISTRIBUTION, Scheme.DPKG),
        ("alpine:3.18", Lane.DISTRIBUTION, Scheme.APK),
        ("wolfi", Lane.DISTRIBUTION, Scheme.APK),
        ("arch", Lane.DISTRIBUTION, Scheme.PACMAN),
        ("rhel:9", Lane.DISTRIBUTION, Scheme.RPM),
        ("sles:15.5", Lane.DISTRIBUTION, Scheme.RPM),
        ("pypi", Lane.LANGUAGE, Scheme.PEP440),
        ("maven", Lane.LANGUAGE, Scheme.MAVEN),
        ("golang", Lane.LANGUAGE, Scheme.GO),
        ("cpe:a", Lane.APPLICATION, Scheme.GENERIC),
        ("cpe:o", Lane.APPLICATION, Scheme.GENERIC),
        ("cve5", Lane.APPLICATION, Scheme.GENERIC),
    ],
)
def test_each_ecosystem_has_one_lane_and_one_order(ecosystem: str, lane: Lane, scheme: Scheme) -> None:
    assert (lane_of(ecosystem), scheme_of(ecosystem)) == (lane, scheme)


def test_a_source_on_no_list_is_heard_last() -> None:
    for lane in Lane:
        assert rank(lane, "somebody") == LAST_RANK
        assert 0 <= rank(lane, "osv") < LAST_RANK
    assert rank(Lane.DISTRIBUTION, "debian") < rank(Lane.DISTRIBUTION, "osv")
    assert rank(Lane.DISTRIBUTION, "suse") < rank(Lane.DISTRIBUTION, "osv")
    assert rank(Lane.APPLICATION, "overrides") < rank(Lane.APPLICATION, "nvd")


def test_a_context_is_read_back_as_it_was_written() -> None:
    (identity,) = declared_identities(
        Component("cpe", "linux", "anvil", "1.0", cpe="cpe:2.3:a:acme:anvil:1.0:*:*:*:pro:wordpress:*:*"),
        "linux",
    )
    name, family = read_context(identity.context)

    assert family == "linux"
    assert name is not None
    assert (name.sw_edition, name.target_sw, name.edition) == ("pro", "wordpress", "*")
    assert read_context(target_context("windows", None)) == (None, "windows")


# -- words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (VersionRange(Scheme.GENERIC), "all versions"),
        (VersionRange(Scheme.GENERIC, fixed="2.0"), "before 2.0"),
        (VersionRange(Scheme.GENERIC, "1.0", "2.0"), "from 1.0 up to, not including, 2.0"),
        (
            VersionRange(Scheme.GENERIC, "1.0", introduced_excluded=True, fixed="2.0"),
            "after 1.0 up to, not including, 2.0",
        ),
        (VersionRange(Scheme.GENERIC, last_affected="2.0"), "up to 2.0"),
        (VersionRange(Scheme.GENERIC, "1.0", last_affected="2.0"), "from 1.0 up to and including 2.0"),
        (VersionRange(Scheme.GENERIC, "2.0", last_affected="2.0"), "version 2.0"),
        (VersionRange(Scheme.GENERIC, "1.0"), "from 1.0 on"),
    ],
)
def test_a_span_in_words(versions: VersionRange, words: str) -> None:
    assert range_words(versions) == words


@pytest.mark.parametrize(
    ("source", "status", "described", "remedy", "words"),
    [
        (
            "debian",
            Status.AFFECTED,
            True,
            Remedy.FIXED,
            "Debian's security tracker: anvil before 2.0 is affected; fixed in 2.0",
        ),
        ("nvd", Status.UNAFFECTED, True, None, "NVD: anvil before 2.0 is not affected"),
        ("osv", Status.INVESTIGATING, True, None, "OSV is still looking into anvil"),
        ("nvd", Status.AFFECTED, False, None, "NVD names anvil without saying which versions"),
    ],
)
def test_a_statement_in_words(
    source: str, status: Status, described: bool, remedy: Remedy | None, words: str
) -> None:
    versions = VersionRange(Scheme.GENERIC, fixed="2.0")

    assert statement_words(source, "anvil", status, described, versions, remedy) == words
