"""OSV's ecosystem names, and the products and version schemes they mean here.

Source  https://ossf.github.io/osv-schema/#defined-ecosystems and the names found in the archives
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sentrikat.domain.versions import Scheme
from sentrikat.feeds.formats import suse_products


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """Where a package lives: `name` as Product.ecosystem has it; `note` limits who gets the repair.

    `others` are further releases that get the very same packages.
    """

    name: str
    scheme: Scheme
    note: str | None = None
    others: tuple[str, ...] = ()


LANGUAGES = {
    "PyPI": Ecosystem("pypi", Scheme.PEP440),
    "npm": Ecosystem("npm", Scheme.SEMVER),
    "Maven": Ecosystem("maven", Scheme.MAVEN),
    "Go": Ecosystem("golang", Scheme.GO),
    "crates.io": Ecosystem("cargo", Scheme.SEMVER),
    "NuGet": Ecosystem("nuget", Scheme.NUGET),
    "RubyGems": Ecosystem("gem", Scheme.RUBYGEMS),
    "Packagist": Ecosystem("composer", Scheme.COMPOSER),
    "Bitnami": Ecosystem("bitnami", Scheme.GENERIC),
}

ROLLING = {
    "Wolfi": Ecosystem("wolfi", Scheme.APK),
    "Chainguard": Ecosystem("chainguard", Scheme.APK),
}

_NUMBER = re.compile(r"\d+(?:\.\d+)*")


@lru_cache(maxsize=4096)
def ecosystem(osv_name: str) -> Ecosystem | None:
    """Give the ecosystem `osv_name` means, or None for one that no inventory of ours can hold.

    None is an answer: layered products (an OpenShift, a SUSE Manager) repeat package names of
    the system below them with other versions, and must never be mistaken for it; and
    "Maven:https://repo.example/" is another repository than Maven Central, with other artifacts.
    """
    if found := LANGUAGES.get(osv_name) or ROLLING.get(osv_name):
        return found
    family, _, release = osv_name.partition(":")
    if family in ROLLING:
        return ROLLING[family]
    mapped = _FAMILIES.get(family)
    return mapped(release) if mapped and release else None


def _debian(release: str) -> Ecosystem | None:
    number = _NUMBER.fullmatch(release)
    return Ecosystem(f"debian:{release.split('.', maxsplit=1)[0]}", Scheme.DPKG) if number else None


def _ubuntu(release: str) -> Ecosystem | None:
    """Read 22.04:LTS, 24.10, Pro:18.04:LTS; the FIPS and real-time lines are other builds: None."""
    parts = [part for part in release.split(":") if part != "LTS"]
    note = None
    if parts and parts[0] == "Pro":
        parts, note = parts[1:], "esm"  # the repair needs Ubuntu Pro
    if len(parts) != 1 or not re.fullmatch(r"\d\d\.\d\d", parts[0]):
        return None
    return Ecosystem(f"ubuntu:{parts[0]}", Scheme.DPKG, note)


def _alpine(release: str) -> Ecosystem | None:
    number = release.removeprefix("v")
    return (
        Ecosystem(f"alpine:{number}", Scheme.APK) if _NUMBER.fullmatch(number) or number == "edge" else None
    )


def _per_major(identifier: str) -> Callable[[str], Ecosystem | None]:
    def mapped(release: str) -> Ecosystem | None:
        number = _NUMBER.match(release)
        return Ecosystem(f"{identifier}:{number.group().split('.')[0]}", Scheme.RPM) if number else None

    return mapped


def _red_hat(release: str) -> Ecosystem | None:
    """Read the CPE tail of a Red Hat product, such as enterprise_linux:9::baseos.

    The extended streams (eus, aus, tus, e4s, els) get repairs under lower version numbers than
    the main stream. They are ecosystems of their own: judged by them, a main stream host
    would look repaired, and judged by the main stream, theirs would look broken.
    """
    product, _, rest = release.partition(":")
    number = rest.split(":")[0]
    if not _NUMBER.fullmatch(number):
        return None
    if product == "enterprise_linux":
        return Ecosystem(f"rhel:{number.split('.')[0]}", Scheme.RPM)
    if product in ("rhel_eus", "rhel_aus", "rhel_tus", "rhel_e4s", "rhel_els", "rhel_mission_critical"):
        return Ecosystem(f"{product.replace('_', '-')}:{number}", Scheme.RPM)
    return None


def _suse(release: str) -> Ecosystem | None:
    found = suse_products.release_of(f"SUSE {release}")
    return Ecosystem(found.name, Scheme.RPM, found.line, found.others) if found else None


def _opensuse(release: str) -> Ecosystem | None:
    found = suse_products.release_of(f"openSUSE {release}")
    return Ecosystem(found.name, Scheme.RPM, found.line, found.others) if found else None


_FAMILIES: dict[str, Callable[[str], Ecosystem | None]] = {
    "Debian": _debian,
    "Ubuntu": _ubuntu,
    "Alpine": _alpine,
    "AlmaLinux": _per_major("almalinux"),
    "Rocky Linux": _per_major("rocky"),
    "Red Hat": _red_hat,
    "SUSE": _suse,
    "openSUSE": _opensuse,
}
