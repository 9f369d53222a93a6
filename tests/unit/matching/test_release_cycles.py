"""Which release something installed is, and how far that is supported on a day."""

from __future__ import annotations

from datetime import date

import pytest

from sentrikat.domain.advisory import ReleaseCycles
from sentrikat.domain.inventory import Component
from sentrikat.domain.lifecycle import Cycle, Ending, Support, support_on
from sentrikat.domain.matching.release_cycles import cycle_of_release, cycle_of_system, cycle_of_version
from sentrikat.feeds import endoflife
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import SAMPLES

DAY = date(2026, 6, 1)
BEFORE, AFTER = Ending(date(2026, 5, 31)), Ending(date(2026, 6, 2))
OVER, OPEN = Ending(over=True), Ending(over=False)


@pytest.mark.parametrize(
    ("security", "extended", "support"),
    [
        (AFTER, None, Support.SUPPORTED),
        (Ending(DAY), None, Support.SUPPORTED),  # the day that is named still has it
        (BEFORE, None, Support.ENDED),
        (BEFORE, AFTER, Support.EXTENDED),
        (BEFORE, Ending(DAY), Support.EXTENDED),
        (BEFORE, BEFORE, Support.ENDED),
        (BEFORE, OPEN, Support.EXTENDED),  # offered, without an end
        (OVER, None, Support.ENDED),  # over, nobody says since when
        (OPEN, None, Support.SUPPORTED),  # no end was announced
        (None, None, Support.UNKNOWN),  # nothing was said: not the same as supported
        (None, AFTER, Support.UNKNOWN),
    ],
)
def test_support_on_a_day(security: Ending | None, extended: Ending | None, support: Support) -> None:
    assert support_on(Cycle("p", "1", security=security, extended=extended), DAY) is support


def _cycles() -> dict[str, list[Cycle]]:
    found: dict[str, list[Cycle]] = {}
    for path in (SAMPLES / "endoflife").glob("*.json"):
        (record,) = endoflife.parse(document(path.read_bytes(), endoflife.BASE + path.name))
        assert isinstance(record, ReleaseCycles)
        found[record.product] = list(record.cycles)
    return found


CYCLES = _cycles()


def linux(name: str, version: str) -> Component:
    return Component(kind="os", namespace="linux", name=name, version=version)


def windows(name: str, version: str, edition: str | None = None) -> Component:
    return Component(kind="os", namespace="windows", name=name, version=version, vendor=edition)


@pytest.mark.parametrize(
    ("system", "cycle"),
    [
        (linux("ubuntu", "18.04"), "ubuntu 18.04"),
        (linux("ubuntu", "bionic"), "ubuntu 18.04"),
        (linux("debian", "12.5"), "debian 12"),
        (linux("sles", "15"), "sles 15.0"),  # the first of a number is written without it by the system
        (linux("sles_sap", "15.5"), "sles 15.5"),
        (linux("centos", "9"), "centos-stream 9"),
        (
            linux("centos", "8"),
            "centos-stream 8",
        ),  # CentOS Linux 8 ended earlier: this end is the certain one
        (linux("amzn", "2017.09"), "amazon-linux 2018.03"),
        (linux("amzn", "2023"), "amazon-linux 2023"),
        (linux("ubuntu", "99.04"), None),
        (linux("debian", "sid"), None),
        (linux("arch", "rolling"), None),
        (linux("plan9", "4"), None),
        # a build is what a Windows reports for certain; several releases of one build are told by edition and name
        (windows("Microsoft Windows 10 Pro", "10.0.19045.4291"), "windows 10-22h2"),
        (windows("Windows 11 Pro", "10.0.22621.1"), "windows 11-22h2-w"),
        (windows("Windows 11", "10.0.22621.1", "Enterprise"), "windows 11-22h2-e"),
        (windows("Windows 11 Education", "10.0.26100.1"), "windows 11-24h2-e"),
        (windows("Windows 11 Pro Education", "10.0.26100.1"), "windows 11-24h2-w"),
        (windows("Windows 10 Enterprise LTSC", "10.0.17763.5"), "windows 10-1809-e-lts"),
        (windows("Windows 11 IoT Enterprise LTSC", "10.0.26100.1"), "windows 11-24h2-iot-lts"),
        (
            windows("Windows 10 for x64", "10.0.17763.5"),
            "windows 10-1809-e-lts",
        ),  # the latest end of all is certain
        (windows("Windows 8.1", "6.3.9600"), "windows 8.1"),
        (windows("Windows Server 2019 Datacenter", "10.0.17763.1"), "windows-server 2019"),
        (windows("Windows Server, version 1809", "10.0.17763.1"), "windows-server 1809-sac"),
        (windows("Windows Server 2012 R2 Standard", "6.3.9600.1"), "windows-server 2012-r2"),
        (windows("Windows Server 2012 Standard", "6.2.9200.1"), "windows-server 2012"),
        (windows("Windows Server", "10.0.17763.1"), None),  # 2019 or 1809: not certain
        (windows("Windows 11 Pro", "10.0.99999.1"), None),
        (windows("Windows 11 Pro", "eleven"), None),
        (Component(kind="os", namespace="macos", name="macOS", version="13.6.1"), "macos 13"),
        (Component(kind="os", namespace="macos", name="Mac OS X", version="10.15.7"), "macos 10.15"),
        (Component(kind="os", namespace="macos", name="macOS", version="130"), None),
    ],
)
def test_the_release_of_an_operating_system(system: Component, cycle: str | None) -> None:
    found = cycle_of_system(system, CYCLES)

    assert (f"{found.product} {found.name}" if found else None) == cycle


@pytest.mark.parametrize(
    ("version", "cycle"),
    [
        ("16.20.2", "16"),
        ("16", "16"),
        ("v18.1.0", "18"),
        ("1:18.1.0-2", "18"),
        ("160.1", None),  # a number that only begins alike
        ("1.6", None),
        ("17.1", None),  # not among those listed
        (None, None),
        ("", None),
    ],
)
def test_the_release_of_a_version(version: str | None, cycle: str | None) -> None:
    found = cycle_of_version(version, CYCLES["nodejs"])

    assert (found.name if found else None) == cycle


def test_the_longest_name_that_begins_a_version_is_its_release() -> None:
    lines = [Cycle("p", name) for name in ("2", "2.12", "2.3", "2.12-lts")]

    assert getattr(cycle_of_version("2.12.4", lines), "name", None) == "2.12"
    assert getattr(cycle_of_version("2.17.0", lines), "name", None) == "2"


@pytest.mark.parametrize("release", [None, "", "ubuntu", "ubuntu:", "wolfi", "ubuntu:18.04:esm"])
def test_a_release_nobody_lists_has_no_cycle(release: str | None) -> None:
    assert cycle_of_release(release, CYCLES) is None
