"""OSV's ecosystem names, and the products and version schemes they mean here.

Source  https://ossf.github.io/osv-schema/#defined-ecosystems and the names found in the archives
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sentrikat.domain.versions import Scheme


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
    "openSUSE:Tumbleweed": Ecosystem("opensuse-tumbleweed", Scheme.RPM),
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


# A SUSE Linux Enterprise release is one stock of packages, whatever is sold of it: the server, its modules and
# extensions, the desktop, the editions for SAP and high performance computing, and the prolonged support get the
# same builds of a package. Hosts report any of them as `sles` (domain.inventory), and so they are judged.
_SLE = re.compile(
    r"Linux Enterprise (?P<product>.+?) (?P<number>\d+)(?:\.(?P<minor>\d+)| SP(?P<pack>\d+))?"
    r"(?:[- ](?P<line>[A-Z][A-Za-z0-9 -]*))?"
)
_SLE_EDITIONS = {
    "Server": None,
    "Desktop": "Desktop",
    "Server for SAP Applications": "SAP",
    "Server for Raspberry Pi": "Raspberry Pi",
    "High Performance Computing": "HPC",
    "Real Time": "Real Time",
    "Server LTSS Extended Security": "LTSS Extended Security",
}
_SLE_EXTENSIONS = (
    "Software Development Kit",
    "Workstation Extension",
    "Live Patching",
    "High Availability",
)
_MODULE_APART = re.compile(r"(?P<name>Package Hub|Real Time Module) (?P<number>\d+)(?: SP(?P<pack>\d+))?")
_MICRO = re.compile(r"Linux (?:Enterprise )?Micro (\d+\.\d+)(?:-(\w+))?")
_LAST_SERVICE_PACK = {
    "12": 5
}  # its modules were made once for all service packs; from 15 on they are per pack


def _suse(release: str) -> Ecosystem | None:
    """Read `Linux Enterprise Server 15 SP4-LTSS` as sles:15.4 with the note LTSS."""
    if found := _MICRO.fullmatch(release):
        return Ecosystem(f"sle-micro:{found[1]}", Scheme.RPM, found[2])
    if found := _MODULE_APART.fullmatch(release):
        return _sles(found["number"], found["pack"], found["name"])
    found = _SLE.fullmatch(release)
    if not found:
        return None
    product, pack = found["product"], found["pack"] or found["minor"]
    if product in _SLE_EDITIONS:
        note = " ".join(part for part in (_SLE_EDITIONS[product], found["line"]) if part)
        return _sles(found["number"], pack, note or None)
    if product.startswith("Module for "):
        return _sles(found["number"], pack, found["line"], every_pack=True)
    if product.startswith(_SLE_EXTENSIONS):
        return _sles(found["number"], pack, found["line"])
    return None


def _sles(number: str, pack: str | None, note: str | None, *, every_pack: bool = False) -> Ecosystem:
    name = f"sles:{number}.{pack}" if pack else f"sles:{number}"
    packs = range(1, _LAST_SERVICE_PACK.get(number, 0) + 1) if every_pack and not pack else range(0)
    return Ecosystem(name, Scheme.RPM, note, tuple(f"sles:{number}.{one}" for one in packs))


def _opensuse(release: str) -> Ecosystem | None:
    if found := re.fullmatch(r"Leap Micro (\d+\.\d+)", release):
        return Ecosystem(f"opensuse-leap-micro:{found[1]}", Scheme.RPM)
    found = re.fullmatch(r"Leap (\d+\.\d+)( NonFree)?", release)
    return (
        Ecosystem(f"opensuse-leap:{found[1]}", Scheme.RPM, "NonFree" if found[2] else None) if found else None
    )


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
