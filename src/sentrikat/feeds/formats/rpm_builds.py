"""Which builds of an rpm hold a repair, out of what errata and VEX documents list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key

from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme, compare

_SYMBOLS = re.compile(r".*-(?:debuginfo|debugsource|debuginfo-common(?:-\w+)?)")

_BEGIN = re.compile(r"[^-]+-\d+")  # version, and the first number of the release

# A component does not say its architecture, and the builds of one erratum may differ in their release by
# architecture; the one most hosts have stands for all.
_USUAL = ("x86_64", "noarch", "aarch64")


@dataclass(frozen=True, slots=True)
class Build:
    """One package of an erratum; `module` as `name:stream`."""

    name: str
    evr: str
    arch: str
    module: str | None = None


def evr(epoch: str | None, version: str, release: str | None) -> str:
    """Give epoch, version and release in one text, without an epoch of 0."""
    build = f"{version}-{release}" if release else version
    return build if epoch in (None, "", "0", "(none)") else f"{epoch}:{build}"


def repaired(builds: Iterable[Build]) -> list[Build]:
    """Give the first good build of each package and module stream: the lowest of the usual architecture.

    Debugging symbols and sources are left out: they are on no host without the package they belong to.
    """
    found: dict[tuple[str, str | None], list[Build]] = {}
    for build in builds:
        if build.arch not in ("src", "nosrc") and not _SYMBOLS.fullmatch(build.name):
            found.setdefault((build.name, build.module), []).append(build)
    return [_first(candidates) for candidates in found.values()]


def _first(candidates: list[Build]) -> Build:
    for arch in _USUAL:
        if usual := [one for one in candidates if one.arch == arch]:
            candidates = usual
            break
    return min(candidates, key=cmp_to_key(_in_order))


def _in_order(left: Build, right: Build) -> int:
    return _compare(left.evr, right.evr)


def unrepaired(builds: Iterable[str], *, first_holds: bool = False) -> list[VersionRange]:
    """Give the spans of builds without a repair, from all builds of a stream that are said to hold it.

    A flaw is repaired in the minor release of the day, and named again when a later one begins (kernel 348.20.1.el8_5, and
    372.9.1.el8): builds between hold the repair. It is named again within one, or for a later one that began without it
    (microcode_ctl 61.6.el7_8, and 73.11.el7_9): then only the later build does. Updates of a minor release append to the
    release number it began with, so a later build speaks for what begins like it: 73.11.el7_9 for all from 73 on.

    `first_holds`: of builds that begin alike the first is the repair, and later ones are named because they still hold it.
    """
    try:
        ordered = sorted(set(builds), key=cmp_to_key(_compare))
    except InvalidVersion:
        return [VersionRange(Scheme.RPM, fixed=one) for one in sorted(set(builds))]
    spans: list[VersionRange] = []
    for one in ordered:
        begin = _BEGIN.match(one)
        if not spans:
            spans.append(VersionRange(Scheme.RPM, fixed=one))
        elif begin is None or compare(Scheme.RPM, begin[0], spans[-1].fixed or "") <= 0:
            if not first_holds:
                spans[-1] = VersionRange(Scheme.RPM, spans[-1].introduced, fixed=one)
        else:
            spans.append(VersionRange(Scheme.RPM, begin[0], fixed=one))
    return spans


def _compare(one: str, other: str) -> int:
    return compare(Scheme.RPM, one, other)
