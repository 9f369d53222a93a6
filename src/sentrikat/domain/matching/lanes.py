"""Lanes: which sources may judge which software at all, and in which order versions run there.

A distribution package is judged by its own release's statements only: the distribution repairs old versions in
place, so upstream's ranges do not describe what it ships. Language packages are judged by their ecosystem's
advisories, everything named by CPE by vendors and NVD.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from sentrikat.domain.inventory import LANGUAGE_KINDS
from sentrikat.domain.versions import Scheme


class Lane(StrEnum):
    """Who judges."""

    DISTRIBUTION = "distribution"
    LANGUAGE = "language"
    APPLICATION = "application"


_DISTRIBUTION_SCHEMES = {
    "debian": Scheme.DPKG,
    "ubuntu": Scheme.DPKG,
    "alpine": Scheme.APK,
    "wolfi": Scheme.APK,
    "chainguard": Scheme.APK,
    "arch": Scheme.PACMAN,
}
_LANGUAGE_SCHEMES = {
    "pypi": Scheme.PEP440,
    "npm": Scheme.SEMVER,
    "cargo": Scheme.SEMVER,
    "maven": Scheme.MAVEN,
    "golang": Scheme.GO,
    "nuget": Scheme.NUGET,
    "gem": Scheme.RUBYGEMS,
    "composer": Scheme.COMPOSER,
}


@lru_cache(maxsize=4096)  # a few hundred ecosystems, asked for each of millions of statements
def lane_of(ecosystem: str) -> Lane:
    """Give the lane in which products of `ecosystem` are judged."""
    if ecosystem in LANGUAGE_KINDS:
        return Lane.LANGUAGE
    if ecosystem.startswith("cpe:") or ecosystem in {"cve5", "bitnami", "msrc", "update"}:
        return Lane.APPLICATION
    return Lane.DISTRIBUTION


@lru_cache(maxsize=4096)
def scheme_of(ecosystem: str) -> Scheme:
    """Give the one order in which all versions of `ecosystem` are compared."""
    lane = lane_of(ecosystem)
    if lane is Lane.LANGUAGE:
        return _LANGUAGE_SCHEMES[ecosystem]
    if lane is Lane.APPLICATION:
        return Scheme.WINDOWS if ecosystem == "msrc" else Scheme.GENERIC
    # Every distribution not named here is built of rpm packages.
    return _DISTRIBUTION_SCHEMES.get(ecosystem.split(":", maxsplit=1)[0], Scheme.RPM)
