"""Which release cycle something installed belongs to, as far as its own words say it for certain.

A wrong cycle would call a maintained system dead, or a dead one maintained; where the words do not decide, there is
no cycle, and the end stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from sentrikat.domain.inventory import Component, release_of
from sentrikat.domain.lifecycle import Cycle

# os-release ID (as `release_of` spells it) to the name endoflife.date gives the distribution.
SYSTEMS = {
    "debian": "debian",
    "ubuntu": "ubuntu",
    "rhel": "rhel",
    "centos": "centos",
    "almalinux": "almalinux",
    "rocky": "rocky-linux",
    "ol": "oracle-linux",
    "fedora": "fedora",
    "sles": "sles",
    "sle-micro": "suse-linux-micro",
    "opensuse-leap": "opensuse",
    "alpine": "alpine-linux",
    "amzn": "amazon-linux",
}
CENTOS_STREAM = "centos-stream"
WINDOWS, WINDOWS_SERVER, MACOS = "windows", "windows-server", "macos"
SYSTEM_PRODUCTS = (*SYSTEMS.values(), CENTOS_STREAM, WINDOWS, WINDOWS_SERVER, MACOS)

_FIRST_AMAZON_LINUX = "2018.03"  # its images of all years ended together
_BUILD = re.compile(r"(\d+\.\d+\.\d+)(?:\.\d+)?")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")

Cycles = Mapping[str, Sequence[Cycle]]
"""The cycles of each product."""


def cycle_of_system(component: Component, cycles: Cycles) -> Cycle | None:
    """Give the cycle of an operating system component, None where it is not certain."""
    if component.namespace == "windows":
        return _windows(component, cycles)
    if component.namespace == "macos":
        return cycle_of_version(component.version, cycles.get(MACOS, ()))
    return cycle_of_release(release_of(component.name, component.version), cycles)


def cycle_of_release(release: str | None, cycles: Cycles) -> Cycle | None:
    """Give the cycle of a distribution release such as `ubuntu:22.04`."""
    distribution, _, number = (release or "").partition(":")
    product = SYSTEMS.get(distribution)
    if product is None or not number:
        return None
    if distribution == "centos" and number in {"8", "9", "10"}:
        # CentOS Linux 8 and Stream 8 call themselves alike; the later end is the one that is certain.
        product = CENTOS_STREAM
    if distribution == "amzn" and number == "1":
        number = _FIRST_AMAZON_LINUX
    names = {number, f"{number}.0"} if distribution == "sles" else {number}  # 15 is 15.0 there
    return next((one for one in cycles.get(product, ()) if one.name in names), None)


def cycle_of_version(version: str | None, cycles: Iterable[Cycle]) -> Cycle | None:
    """Give the cycle a version number belongs to: the one with the longest name that begins the number."""
    if not version:
        return None
    number = version.rpartition(":")[2].lstrip("vV")
    fitting = [
        one
        for one in cycles
        if _NUMBERS.fullmatch(one.name) and re.match(rf"{re.escape(one.name)}(?![0-9])", number)
    ]
    return max(fitting, key=lambda one: len(one.name), default=None)


def _windows(component: Component, cycles: Cycles) -> Cycle | None:
    """Give the cycle of a Windows by its build, and, where several share one, by its name and edition."""
    found = _BUILD.fullmatch((component.version or "").strip())
    if found is None:
        return None
    words = f"{component.name} {component.vendor or ''}".lower()
    server = "server" in words
    candidates = [
        one
        for one in cycles.get(WINDOWS_SERVER if server else WINDOWS, ())
        if one.latest is not None and found[1] == ".".join(one.latest.split(".")[:3])
    ]
    if server:
        return _server(words, candidates)
    suffixes = _editions(words)
    chosen = [one for one in candidates if one.name.endswith(suffixes)] if suffixes else []
    plain = [one for one in candidates if not one.name.endswith(("-e", "-w", "-lts", "-iot"))]
    fitting = chosen or plain
    if len(fitting) == 1:
        return fitting[0]
    # Nobody said which edition it is: certain is only the end that is the latest of all.
    return _latest(candidates) if not suffixes else None


def _server(words: str, candidates: Sequence[Cycle]) -> Cycle | None:
    spoken = words.replace(" r2", "-r2")
    named = [one for one in candidates if re.search(rf"\b{re.escape(_year(one.name))}(?!-r2)\b", spoken)]
    return named[0] if len(named) == 1 else None


def _year(cycle: str) -> str:
    """Give `2012-r2` of `2008-r2-sp1`: the part of a name that people say."""
    return re.sub(r"-(?:sp\d|sac|ac)$", "", cycle)


def _editions(words: str) -> tuple[str, ...]:
    """Give the endings of the cycle names for an edition; empty where the words name none."""
    long_term = re.search(r"\blts[bc]\b|\blong.term\b", words) is not None
    if "iot" in words:
        return ("-iot-lts", "-iot") if long_term else ("-e",)
    if long_term:
        return ("-e-lts",)
    if re.search(r"\bpro\b|\bprofessional\b|\bhome\b|\bcore\b", words):
        return ("-w",)
    if re.search(r"\benterprise\b|\beducation\b", words):
        return ("-e",)
    return ()


def _latest(cycles: Sequence[Cycle]) -> Cycle | None:
    dated = [(one.security.on, one) for one in cycles if one.security is not None and one.security.on]
    if not dated or len(dated) != len(cycles):
        return None
    return max(dated, key=lambda pair: pair[0])[1]
