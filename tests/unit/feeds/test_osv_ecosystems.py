"""OSV's ecosystem names, one row for each form that occurs."""

from __future__ import annotations

import pytest

from sentrikat.domain.versions import Scheme
from sentrikat.feeds.formats.osv_ecosystems import Ecosystem, ecosystem


@pytest.mark.parametrize(
    ("osv_name", "name", "scheme", "note"),
    [
        # languages
        ("PyPI", "pypi", Scheme.PEP440, None),
        ("npm", "npm", Scheme.SEMVER, None),
        ("Maven", "maven", Scheme.MAVEN, None),
        ("Go", "golang", Scheme.GO, None),
        ("crates.io", "cargo", Scheme.SEMVER, None),
        ("NuGet", "nuget", Scheme.NUGET, None),
        ("RubyGems", "gem", Scheme.RUBYGEMS, None),
        ("Packagist", "composer", Scheme.COMPOSER, None),
        ("Bitnami", "bitnami", Scheme.GENERIC, None),
        # deb
        ("Debian:12", "debian:12", Scheme.DPKG, None),
        ("Debian:6.0", "debian:6", Scheme.DPKG, None),  # until 6 the point release was in the name
        ("Ubuntu:22.04:LTS", "ubuntu:22.04", Scheme.DPKG, None),
        ("Ubuntu:24.10", "ubuntu:24.10", Scheme.DPKG, None),
        ("Ubuntu:Pro:18.04:LTS", "ubuntu:18.04", Scheme.DPKG, "esm"),  # the repair needs Ubuntu Pro
        # apk
        ("Alpine:v3.18", "alpine:3.18", Scheme.APK, None),
        ("Wolfi", "wolfi", Scheme.APK, None),
        ("Chainguard", "chainguard", Scheme.APK, None),
        # rpm, one per major release
        ("AlmaLinux:9", "almalinux:9", Scheme.RPM, None),
        ("Rocky Linux:8", "rocky:8", Scheme.RPM, None),
        ("Red Hat:enterprise_linux:9::baseos", "rhel:9", Scheme.RPM, None),
        ("Red Hat:enterprise_linux:8::appstream", "rhel:8", Scheme.RPM, None),
        ("Red Hat:enterprise_linux:4::as", "rhel:4", Scheme.RPM, None),
        # extended streams repair under lower versions: never the same as the main stream
        ("Red Hat:rhel_eus:9.2::appstream", "rhel-eus:9.2", Scheme.RPM, None),
        ("Red Hat:rhel_aus:8.4::appstream", "rhel-aus:8.4", Scheme.RPM, None),
        # SUSE: service packs are the minor version
        ("SUSE:Linux Enterprise Server 15 SP4", "sles:15.4", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Server 15 SP4-LTSS", "sles:15.4", Scheme.RPM, "LTSS"),
        ("SUSE:Linux Enterprise Server 15-LTSS", "sles:15", Scheme.RPM, "LTSS"),
        ("SUSE:Linux Enterprise Server 12 SP3-BCL", "sles:12.3", Scheme.RPM, "BCL"),
        ("SUSE:Linux Enterprise Desktop 12 SP3", "sled:12.3", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Server for SAP Applications 15 SP1", "sles_sap:15.1", Scheme.RPM, None),
        (
            "SUSE:Linux Enterprise High Performance Computing 15 SP3-ESPOS",
            "sle_hpc:15.3",
            Scheme.RPM,
            "ESPOS",
        ),
        ("SUSE:Linux Enterprise Micro 5.1", "sle-micro:5.1", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Module for Basesystem 15 SP4", "sles:15.4", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Live Patching 12 SP5", "sles:12.5", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Software Development Kit 11 SP4", "sles:11.4", Scheme.RPM, None),
        ("openSUSE:Leap 15.4", "opensuse-leap:15.4", Scheme.RPM, None),
        ("openSUSE:Tumbleweed", "opensuse-tumbleweed", Scheme.RPM, None),
    ],
)
def test_an_ecosystem_is_known_by_the_name_an_inventory_gives_it(
    osv_name: str, name: str, scheme: Scheme, note: str | None
) -> None:
    assert ecosystem(osv_name) == Ecosystem(name, scheme, note)


@pytest.mark.parametrize(
    "osv_name",
    [
        "Red Hat:openshift:4.12::el8",  # layered products repeat names of the system below
        "Red Hat:rhel_software_collections:3::el7",
        "SUSE:OpenStack Cloud 9",
        "SUSE:Enterprise Storage 7.1",
        "Ubuntu:Pro:FIPS-updates:20.04:LTS",  # other builds of the same names
        "Maven:https://repository.example/",  # another repository: other artifacts
        "SwiftURL",
        "GIT",
        "Debian:unstable",
        "",
        ":",
    ],
)
def test_an_ecosystem_no_inventory_can_hold_is_none(osv_name: str) -> None:
    assert ecosystem(osv_name) is None
