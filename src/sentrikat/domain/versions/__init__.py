"""Versions of every scheme: how two compare, and a key that sorts the same way.

`key` is memcmp-ordered, prefix-free, and equal for equal versions, so that PostgreSQL can compare
versions as plain bytes. A version its scheme cannot order has no key: InvalidVersion, never a guess.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol

from sentrikat.domain.versions import (
    apk,
    composer,
    dpkg,
    generic,
    go,
    maven,
    nuget,
    pacman,
    pep440,
    rpm,
    rubygems,
    semver,
    windows,
)


class Scheme(StrEnum):
    """How a product's versions are ordered."""

    DPKG = "dpkg"
    RPM = "rpm"
    APK = "apk"
    PACMAN = "pacman"
    SEMVER = "semver"  # npm, cargo and OSV's SEMVER ranges
    PEP440 = "pep440"
    MAVEN = "maven"
    NUGET = "nuget"
    RUBYGEMS = "rubygems"
    GO = "go"
    COMPOSER = "composer"
    WINDOWS = "windows"  # builds such as 10.0.19045.4043
    GENERIC = "generic"  # everything else: applications named by CPE


class _Rules(Protocol):
    """What each scheme's module offers."""

    def compare(self, left: str, right: str, /) -> int: ...

    def key(self, version: str, /) -> bytes: ...


_RULES: Final[dict[Scheme, _Rules]] = {
    Scheme.DPKG: dpkg,
    Scheme.RPM: rpm,
    Scheme.APK: apk,
    Scheme.PACMAN: pacman,
    Scheme.SEMVER: semver,
    Scheme.PEP440: pep440,
    Scheme.MAVEN: maven,
    Scheme.NUGET: nuget,
    Scheme.RUBYGEMS: rubygems,
    Scheme.GO: go,
    Scheme.COMPOSER: composer,
    Scheme.WINDOWS: windows,
    Scheme.GENERIC: generic,
}


def compare(scheme: Scheme, left: str, right: str) -> int:
    """Give -1, 0 or 1 as `left` is older than, equal to or newer than `right`; InvalidVersion as in `key`."""
    return _RULES[scheme].compare(left, right)


@lru_cache(maxsize=1 << 16)  # NVD names 106,000 distinct versions two million times; some 15 MB when full
def key(scheme: Scheme, version: str) -> bytes:
    """Give the bytes that sort like `version` does in `scheme`; InvalidVersion when it cannot be ordered."""
    return _RULES[scheme].key(version)
