"""Versions as installers register them, and as NVD writes them."""

from __future__ import annotations

import pytest

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.installed_version import version_and_update, version_attributes


@pytest.mark.parametrize(
    ("name", "version", "vendor", "wanted"),
    [
        # the title says what the field does not
        ("7-Zip 22.01 (x64)", None, "Igor Pavlov", ("22.01", "*")),
        ("PuTTY release 0.78", "", "Simon Tatham", ("0.78", "*")),
        ("WinSCP 2.0", "*", None, ("2.0", "*")),
        ("Iceows V4.20a", None, None, ("4.20a", "*")),
        # a year or a single number is an edition, not a version
        ("Microsoft Office Professional Plus 2016", None, "Microsoft", (None, "*")),
        ("Windows 11", None, None, (None, "*")),
        # the field is believed where both speak
        ("7-Zip 22.01 (x64)", "22.01.00.0", "Igor Pavlov", ("22.01.00.0", "*")),
        # a build in brackets is no part of the version that statements name
        ("Zoom", "5.11.1 (6602)", "Zoom Video Communications, Inc.", ("5.11.1", "*")),
        ("Mozilla Thunderbird (2.0.0.23)", "2.0.0.23 (en-US)", "Mozilla", ("2.0.0.23 (en-US)", "*")),
        # Python's installer: micro * 1000 + level * 10 + serial
        ("Python 3.11.4 (64-bit)", "3.11.4150.0", "Python Software Foundation", ("3.11.4", "*")),
        ("Python 3.14.0a1 (64-bit)", "3.14.101.0", "Python Software Foundation", ("3.14.0", "alpha1")),
        ("Python 3.14.0b2 (64-bit)", "3.14.112.0", "Python Software Foundation", ("3.14.0", "beta2")),
        ("Python 3.12.0 (64-bit)", "3.12.150.0", "Python Software Foundation", ("3.12.0", "*")),
        ("Anaconda Python", "3.11.4150.0", "Anaconda, Inc.", ("3.11.4150.0", "*")),  # another installer
        # Oracle's installer writes 8.0.3510.10
        ("Java 8 Update 351 (64-bit)", "8.0.3510.10", "Oracle Corporation", ("1.8.0", "update351")),
        ("Java(TM) SE Development Kit 8 Update 20", "8.0.200", "Oracle", ("1.8.0", "update20")),
        # .NET registers numbers of its build
        ("Microsoft .NET Core Runtime - 2.1.24 (x64)", "16.96.29518", "Microsoft Corporation", ("2.1.24", "*")),
        ("Microsoft Visual C++ 2015-2022 Redistributable (x64) - 14.34.31938", "14.34.31938.0", None, ("14.34.31938.0", "*")),
        ("Nothing", "unknown", None, (None, "*")),
        # the title names the release, the field a number of the installer's
        ("IntelliJ IDEA 2023.2.1", "232.9559.62", "JetBrains s.r.o.", ("2023.2.1", "*")),
        ("OpenOffice 4.1.14", "4.114.9811", "Apache Software Foundation", ("4.1.14", "*")),
        # a title that names a line is less than what is registered, also when both part
        ("SecureCRT 9.4", "9.4.1", "VanDyke Software, Inc.", ("9.4.1", "*")),
        ("Thing 2.0", "3.1.4", None, ("3.1.4", "*")),
        # and one that names the release of something else says nothing
        ("Connector for Java 17.0.2", "4.5.6", None, ("4.5.6", "*")),
        ("Thing with Python 3.11.4", "1.2.0", None, ("1.2.0", "*")),
        ("Thing (built with 3.11.4)", "1.2.0", None, ("1.2.0", "*")),
        # Citrix: year and month; the third number counts cumulative updates of a long-term release
        ("Citrix Workspace 1912", "19.12.7000.10", "Citrix Systems, Inc.", ("1912", "cu7")),
        ("Citrix Workspace 2203", "22.3.3000.3208", "Citrix Systems, Inc.", ("2203.1", "cu3")),
        ("Citrix Workspace 2402", "24.2.0.172", "Citrix Systems, Inc.", ("2402", "*")),
        # ColdFusion: release, nothing, update
        ("Adobe ColdFusion 2021", "2021.0.0.323925", "Adobe", ("2021", "-")),
    ],
)  # fmt: skip
def test_the_version_is_the_one_that_statements_name(
    name: str, version: str | None, vendor: str | None, wanted: tuple[str | None, str]
) -> None:
    assert version_and_update(Component("windows", "windows", name, version, vendor=vendor)) == wanted


def test_a_version_that_cpe_cannot_write_is_left_open() -> None:
    assert version_attributes(Component("windows", "windows", "Thing", "1.0\u2122")) == ("*", "*")
    assert version_attributes(Component("windows", "windows", "Thing", "1.0 (x)")) == ("1.0", "*")
