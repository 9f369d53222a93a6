"""Which build of each rpm an erratum repaired, out of its list of packages per architecture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key

from sentrikat.domain.versions import Scheme, compare

_SYMBOLS = re.compile(r".*-(?:debuginfo|debugsource|debuginfo-common(?:-\w+)?)")

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
    return compare(Scheme.RPM, left.evr, right.evr)
