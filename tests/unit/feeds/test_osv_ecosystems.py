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
        # one stock of packages, whatever is sold of it: hosts of every edition report themselves as sles
        ("SUSE:Linux Enterprise Desktop 12 SP3", "sles:12.3", Scheme.RPM, "Desktop"),
        ("SUSE:Linux Enterprise Server for SAP Applications 15 SP1", "sles:15.1", Scheme.RPM, "SAP"),
        (
            "SUSE:Linux Enterprise High Performance Computing 15 SP3-ESPOS",
            "sles:15.3",
            Scheme.RPM,
            "HPC ESPOS",
        ),
        ("SUSE:Linux Enterprise Real Time 12 SP5", "sles:12.5", Scheme.RPM, "Real Time"),
        ("SUSE:Linux Enterprise Server for Raspberry Pi 12 SP2", "sles:12.2", Scheme.RPM, "Raspberry Pi"),
        ("SUSE:Linux Enterprise Server 11-SECURITY", "sles:11", Scheme.RPM, "SECURITY"),
        (
            "SUSE:Linux Enterprise Server 11 SP4-LTSS-EXTREME-CORE",
            "sles:11.4",
            Scheme.RPM,
            "LTSS-EXTREME-CORE",
        ),
        (
            "SUSE:Linux Enterprise Server 11 SP4 LTSS EXTREME CORE",
            "sles:11.4",
            Scheme.RPM,
            "LTSS EXTREME CORE",
        ),
        (
            "SUSE:Linux Enterprise Server LTSS Extended Security 12 SP5",
            "sles:12.5",
            Scheme.RPM,
            "LTSS Extended Security",
        ),
        ("SUSE:Linux Enterprise Server 16.0", "sles:16.0", Scheme.RPM, None),
        # what installs into a server
        ("SUSE:Linux Enterprise Module for Python 3 15 SP6", "sles:15.6", Scheme.RPM, None),
        ("SUSE:Linux Enterprise High Availability GEO Extension 12 SP5", "sles:12.5", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Workstation Extension 15 SP6", "sles:15.6", Scheme.RPM, None),
        ("SUSE:Linux Enterprise Workstation Extension 12", "sles:12", Scheme.RPM, None),
        ("SUSE:Real Time Module 15 SP5", "sles:15.5", Scheme.RPM, "Real Time Module"),
        ("SUSE:Package Hub 15 SP6", "sles:15.6", Scheme.RPM, "Package Hub"),
        ("SUSE:Linux Micro 6.0", "sle-micro:6.0", Scheme.RPM, None),
        ("openSUSE:Leap 15.4 NonFree", "opensuse-leap:15.4", Scheme.RPM, "NonFree"),
        ("openSUSE:Leap Micro 5.3", "opensuse-leap-micro:5.3", Scheme.RPM, None),
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
        "SUSE:Manager Server Module 4.3",
        "SUSE:Manager Client Tools 15",  # salt and exporters, in other versions than the system's
        "SUSE:Manager Client Tools for SLE Micro 5",
        "SUSE:EL-9:Update:Products:SaltBundle:Update",
        "SUSE:Linux Enterprise Installer Updates 15 SP5",  # of the installation medium, not of what it installed
        "SUSE:Linux Enterprise Point of Sale 11 SP3",
        "SUSE:Cloud Compute Node for SUSE Linux Enterprise 12 5",
        "SUSE:HPE Helion OpenStack 8",
        "SUSE:Subscription Management Tool 11 SP3",
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


def test_a_module_of_version_12_is_in_every_service_pack() -> None:
    """From 15 on there is one module per service pack; the extensions always were."""
    found = ecosystem("SUSE:Linux Enterprise Module for Web and Scripting 12")

    assert found == Ecosystem(
        "sles:12", Scheme.RPM, None, ("sles:12.1", "sles:12.2", "sles:12.3", "sles:12.4", "sles:12.5")
    )
    assert ecosystem("SUSE:Linux Enterprise Module for Basesystem 15") == Ecosystem("sles:15", Scheme.RPM)
