"""The hard cases of the field: each took the trust in some product of this kind, and each has one right answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from sentrikat.domain.advisory import Condition, Product, Statement, Status, Term, TermGroup
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from tests.builders import (
    DEBIAN_12,
    WINDOWS,
    advisory,
    cpe,
    deb,
    new_organization,
    open_findings,
    open_flaws,
    publish,
    report,
    rows,
    runs_on,
    statement,
)

FLAW = "CVE-2026-1001"
UBUNTU_22_04 = {"family": "linux", "name": "ubuntu", "version": "22.04"}
ROCKY_9 = {"family": "linux", "name": "rocky", "version": "9.3"}


@dataclass
class World:
    """Feeds and one organization's hosts."""

    database: Database
    clock: FrozenClock
    organization: int

    def says(self, source: str, *statements: Statement, flaw: str = FLAW, **more: Any) -> None:
        """A source says this of the flaw."""
        outcome = publish(
            self.database, self.clock, source, advisory(flaw, *statements, source=source, **more)
        )
        assert outcome.outcome == "succeeded", outcome

    def host(self, name: str, *software: dict[str, Any], os: dict[str, Any] | None = None) -> int:
        """A host reports what it runs."""
        return report(self.database, self.clock, self.organization, name, software, os=os).asset_id

    def verdicts(self, name: str = "host") -> dict[str, str]:
        """Component to verdict, of the open findings of a host."""
        return {row[1]: row[4] for row in open_findings(self.database) if row[0] == name}


@pytest.fixture
def world(database: Database, clock: FrozenClock) -> World:
    """One organization and nothing said yet."""
    return World(database, clock, new_organization(database))


# -- whose version decides ---------------------------------------------------------------


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")], ids="-then-".join)
def test_of_two_hosts_exactly_the_one_below_the_fix_is_affected(world: World, order: tuple[str, str]) -> None:
    world.says("nvd", statement("cpe:a", "acme:anvil", fixed="5.0"))
    versions = {"old": "4.0", "new": "6.0"}
    for name in order:
        world.host(name, cpe("acme", "anvil", versions[name]))

    assert open_flaws(world.database, "old") == {FLAW}
    assert open_flaws(world.database, "new") == set()


def test_a_version_that_moves_into_the_range_is_found_by_the_same_report(world: World) -> None:
    world.says("nvd", statement("cpe:a", "acme:anvil", introduced="5.0", fixed="6.0"))
    world.host("host", cpe("acme", "anvil", "4.0"))
    assert world.verdicts() == {}

    world.host("host", cpe("acme", "anvil", "5.5"))
    assert world.verdicts() == {"anvil": "affected"}


def test_a_component_and_the_same_report_order_of_feed_and_host_do_not_matter(world: World) -> None:
    world.host("host", cpe("acme", "anvil", "4.0"))
    world.says("nvd", statement("cpe:a", "acme:anvil", fixed="5.0"))

    assert world.verdicts() == {"anvil": "affected"}


# -- version orders ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("os", "ecosystem", "software", "span", "affected"),
    [
        # the epoch is not a number in front of the version
        (DEBIAN_12, "debian:12", deb("openssh", "1:9.6p1-3"), {"fixed": "1:9.3p1-1"}, False),
        (DEBIAN_12, "debian:12", deb("samba", "2:4.17.12+dfsg-0+deb12u1"), {"fixed": "2:4.13.0"}, False),
        (DEBIAN_12, "debian:12", deb("redis", "5:7.0.5-1"), {"fixed": "5:7.0.8-1"}, True),
        # pre-releases are older
        (
            ROCKY_9,
            "rocky:9",
            {"type": "rpm", "name": "anvil", "version": "1.0~rc1-1.el9"},
            {"fixed": "1.0-1.el9"},
            True,
        ),
        (
            {"family": "linux", "name": "alpine", "version": "3.18.4"},
            "alpine:3.18",
            {"type": "apk", "name": "anvil", "version": "1.2.3_rc1-r0"},
            {"fixed": "1.2.3-r0"},
            True,
        ),
        (
            DEBIAN_12,
            "npm",
            {"type": "npm", "name": "anvil", "version": "1.0.0-rc1"},
            {"fixed": "1.0.0"},
            True,
        ),
        # generic 1.0 and 1.0.0 are equal
        (DEBIAN_12, "cpe:a", cpe("acme", "anvil", "1.0"), {"last_affected": "1.0.0"}, True),
        (DEBIAN_12, "cpe:a", cpe("acme", "anvil", "1.0"), {"fixed": "1.0.0"}, False),
    ],
)
def test_versions_are_compared_in_their_own_order(
    world: World,
    os: dict[str, Any],
    ecosystem: str,
    software: dict[str, Any],
    span: dict[str, Any],
    affected: bool,
) -> None:
    name = "acme:anvil" if ecosystem == "cpe:a" else software["name"]
    world.says("osv", statement(ecosystem, name, **span))
    world.host("host", software, os=os)

    assert (open_flaws(world.database, "host") == {FLAW}) is affected


# -- lanes -------------------------------------------------------------------------------


def test_a_distribution_package_is_judged_by_its_own_release(world: World) -> None:
    """The fix of another release is lower, and would have cleared it."""
    world.says(
        "osv",
        statement("ubuntu:22.04", "openssl", fixed="3.0.2-0ubuntu1.7"),
        statement("ubuntu:20.04", "openssl", fixed="1.1.1f-1ubuntu2.16"),
    )
    world.host("host", deb("libssl3", "3.0.2-0ubuntu1.2", "openssl"), os=UBUNTU_22_04)

    assert world.verdicts() == {"openssl": "affected"}


def test_an_el9_build_is_neither_cleared_nor_accused_by_a_fix_for_el7(world: World) -> None:
    """Nothing is known of it, and `unsupported` says so on the component."""
    world.says("osv", statement("rhel:7", "anvil", fixed="1.0-1.el7"))
    world.host(
        "host",
        {"type": "rpm", "name": "anvil", "version": "0.9-1.el9"},
        os={"family": "linux", "name": "rhel", "version": "9.4"},
    )

    assert world.verdicts() == {}
    assert rows(world.database, "select identified from component where kind = 'rpm'") == [("unsupported",)]


def test_a_release_gets_its_first_statements_and_its_packages_are_judged_at_once(world: World) -> None:
    world.host("host", deb("anvil", "1.0-1"))
    assert rows(world.database, "select identified from component where kind = 'deb'") == [("unsupported",)]

    world.says("debian", statement("debian:12", "anvil", fixed="1.0-2"))
    assert world.verdicts() == {"anvil": "affected"}
    assert rows(world.database, "select identified from component where kind = 'deb'") == [("identified",)]


def test_chromium_of_debian_is_judged_by_debian_and_not_by_google(world: World) -> None:
    world.says("nvd", statement("cpe:a", "google:chrome", fixed="120.0.6099.109"))
    world.says("debian", statement("debian:12", "chromium", fixed="120.0.6099.71-1~deb12u1"))
    world.host("host", deb("chromium", "120.0.6099.71-1~deb12u1"))

    assert world.verdicts() == {}


def test_what_debian_says_is_heard_before_the_osv_form_of_it(world: World) -> None:
    world.says("osv", statement("debian:12", "redis"), named="DEBIAN-CVE-2026-1001")
    world.says("debian", statement("debian:12", "redis", status=Status.UNAFFECTED), named=f"{FLAW}/redis")
    world.host("host", deb("redis", "5:7.0.5-1"))

    assert world.verdicts() == {}


@pytest.mark.parametrize(
    ("binary", "source"),
    [
        ("polkitd", "policykit-1"),
        ("libvpx7", "libvpx"),
        ("libpam0g", "pam"),
        ("xserver-xorg-core", "xorg-server"),
    ],
)
def test_libraries_and_plumbing_are_kept_and_matched(world: World, binary: str, source: str) -> None:
    """Each of these has been in KEV; a noise filter would have dropped it."""
    world.says("debian", statement("debian:12", source, fixed="2.0-1"))
    world.host("host", deb(binary, "1.0-1", source))

    assert world.verdicts() == {source: "affected"}
    assert rows(world.database, "select binaries from install where binaries is not null") == [([binary],)]


def test_phpmyadmin_is_not_php(world: World) -> None:
    world.says("nvd", statement("cpe:a", "phpmyadmin:phpmyadmin", fixed="5.2"))
    world.host("host", cpe("php", "php", "5.1"), {"type": "application", "name": "PHP 5.1", "version": "5.1"})

    assert world.verdicts() == {}


# -- what nobody knows -------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "", "not a version at all"])
def test_a_version_that_cannot_be_compared_is_unknown_neither_every_flaw_nor_none(
    world: World, version: str | None
) -> None:
    world.says("debian", statement("debian:12", "anvil"))
    software = {"type": "deb", "name": "anvil", "source_name": "anvil"}
    world.host("host", software | ({"version": version} if version else {}))

    assert world.verdicts() == {}
    assert rows(world.database, "select identified from component where kind = 'deb'") == [("no_version",)]


def test_a_wildcard_without_bounds_is_for_review_and_visible(world: World) -> None:
    world.says("nvd", statement("cpe:a", "acme:anvil", described=False))
    world.host("host", cpe("acme", "anvil", "4.0"))

    assert world.verdicts() == {"anvil": "unknown"}


def test_a_flaw_under_investigation_is_for_review_until_it_is_decided(world: World) -> None:
    world.says("debian", statement("debian:12", "anvil", status=Status.INVESTIGATING))
    world.host("host", deb("anvil", "1.0-1"))
    assert world.verdicts() == {"anvil": "unknown"}

    world.says("debian", statement("debian:12", "anvil"))
    assert world.verdicts() == {"anvil": "affected"}
    assert rows(world.database, "select count(*) from finding") == [(1,)]


# -- platform conditions -----------------------------------------------------------------


def test_an_application_that_is_vulnerable_on_windows_makes_windows_the_condition_not_the_victim(
    world: World,
) -> None:
    world.says(
        "nvd",
        statement("cpe:a", "acme:anvil", fixed="5.0", condition=runs_on(("cpe:o", "microsoft:windows"))),
    )
    world.host("pc", cpe("acme", "anvil", "4.0"), os=WINDOWS)
    world.host("server", cpe("acme", "anvil", "4.0"))

    assert world.verdicts("pc") == {"anvil": "affected"}
    assert world.verdicts("server") == {}


def test_two_products_that_must_come_together_open_and_close_together(world: World) -> None:
    with_rope = Condition((TermGroup((Term(Product("cpe:a", "acme:rope")),)),))
    world.says("nvd", statement("cpe:a", "acme:anvil", fixed="5.0", condition=with_rope))
    world.host("host", cpe("acme", "anvil", "4.0"))
    assert world.verdicts() == {}

    world.host("host", cpe("acme", "anvil", "4.0"), cpe("acme", "rope", "1.0"))
    assert world.verdicts() == {"anvil": "affected"}

    world.host("host", cpe("acme", "anvil", "4.0"))
    assert world.verdicts() == {}
    assert rows(world.database, "select close_reason from finding") == [("condition_gone",)]


def test_a_platform_that_a_feed_teaches_to_recognize_opens_what_waited_for_it(world: World) -> None:
    """No report comes in between: the host has both all the time, and only now it is known what one of them is."""
    world.says(
        "nvd", statement("cpe:a", "acme:anvil", fixed="5.0", condition=runs_on(("cpe:a", "acme:ropemaker")))
    )
    titled = {"type": "application", "name": "Ropemaker", "version": "1.0", "vendor": "Acme"}
    world.host("host", cpe("acme", "anvil", "4.0"), titled)
    world.host("without", cpe("acme", "anvil", "4.0"))
    assert world.verdicts("host") == {}

    publish(
        world.database,
        world.clock,
        "nvd",
        advisory("CVE-2026-9999", statement("cpe:a", "acme:ropemaker", fixed="0.5")),
    )
    assert world.verdicts("host") == {"anvil": "affected"}
    assert world.verdicts("without") == {}


def test_hardware_is_in_no_inventory_and_therefore_assumed(world: World) -> None:
    world.says(
        "nvd", statement("cpe:o", "acme:firmware", fixed="5.0", condition=runs_on(("cpe:h", "acme:hammer")))
    )
    world.host("host", cpe("acme", "firmware", "4.0", part="o"))

    assert world.verdicts() == {"firmware": "affected"}


def test_a_statement_on_a_plugin_for_wordpress_is_not_about_the_program_of_that_name(world: World) -> None:
    world.says("nvd", statement("cpe:a", "acme:anvil", target=(("target_sw", "wordpress"),)))
    world.host(
        "plain", {**cpe("acme", "anvil", "4.0"), "cpe": "cpe:2.3:a:acme:anvil:4.0:*:*:*:*:windows:*:*"}
    )
    plugin = "cpe:2.3:a:acme:anvil:4.0:*:*:*:*:wordpress:*:*"
    world.host("blog", {**cpe("acme", "anvil", "4.0"), "cpe": plugin})

    assert world.verdicts("plain") == {}
    assert world.verdicts("blog") == {"anvil": "affected"}


def test_a_module_stream_is_judged_by_its_own_statements(world: World) -> None:
    world.says("osv", statement("rocky:9", "nodejs", fixed="18.20.4-1.el9", module="nodejs:18"))
    for host, module in (("eighteen", "nodejs:18:9040020240807131341:rhel9"), ("twenty", "nodejs:20:9:x")):
        world.host(
            host, {"type": "rpm", "name": "nodejs", "version": "18.20.2-1.el9", "module": module}, os=ROCKY_9
        )

    assert world.verdicts("eighteen") == {"nodejs": "affected"}
    assert world.verdicts("twenty") == {}


# -- names that sources speak of later ---------------------------------------------------

ANVIL = {"type": "windows", "name": "Acme Anvil 4.0 (x64)", "version": "4.0", "vendor": "Acme Inc."}


def test_software_known_by_title_is_told_when_a_source_first_speaks_of_it(world: World) -> None:
    world.host("host", ANVIL, os=WINDOWS)
    assert rows(world.database, "select identified from component where kind = 'windows'") == [
        ("unidentified",)
    ]

    world.says("nvd", statement("cpe:a", "acme:anvil", fixed="5.0"))
    assert list(world.verdicts().values()) == ["affected"]


def test_a_cpe_name_is_found_in_the_words_of_cve_records_that_come_later(world: World) -> None:
    world.host("host", cpe("acme", "anvil", "4.0"))
    world.says("vulnrichment", statement("cve5", "acme inc.:acme anvil", fixed="5.0"))

    assert world.verdicts() == {"anvil": "affected"}


def test_a_title_that_turns_out_to_be_of_two_products_is_no_longer_taken_for_one(world: World) -> None:
    world.says("nvd", statement("cpe:a", "acme:viewpoint", fixed="5.0"))
    world.host("host", {"type": "brew", "name": "viewpoint", "version": "4.0"})
    assert list(world.verdicts().values()) == ["affected"]

    world.says("nvd", statement("cpe:a", "other:viewpoint", fixed="1.0"), flaw="CVE-2026-1002")
    assert world.verdicts() == {}
    assert rows(world.database, "select close_reason from finding") == [("statement_changed",)]
