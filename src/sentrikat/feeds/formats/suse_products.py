"""SUSE's names of products, and the releases whose hosts their packages are installed on.

Source  the names in SUSE's CSAF documents; OSV's ecosystem names are the same words behind a colon
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

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
_LEAP = re.compile(r"Leap (\d+\.\d+)( NonFree)?")
_LEAP_MICRO = re.compile(r"Leap Micro (\d+\.\d+)")
_LAST_SERVICE_PACK = {
    "12": 5
}  # its modules were made once for all service packs; from 15 on they are per pack


@dataclass(frozen=True, slots=True)
class SuseRelease:
    """A release as inventories name it, the edition or support line that gets the package, and releases that get the very same."""

    name: str
    line: str | None = None
    others: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def release_of(product: str) -> SuseRelease | None:
    """Give what `SUSE Linux Enterprise Server 15 SP4-LTSS` means: sles:15.4, line LTSS; None for what is no system.

    Layered products (a SUSE Manager, an OpenStack Cloud) repeat names of the system below them at other versions.
    """
    if product.startswith("openSUSE "):
        return _opensuse(product.removeprefix("openSUSE "))
    return _suse(product.removeprefix("SUSE ")) if product.startswith("SUSE ") else None


def _suse(product: str) -> SuseRelease | None:
    if found := _MICRO.fullmatch(product):
        return SuseRelease(f"sle-micro:{found[1]}", found[2])
    if found := _MODULE_APART.fullmatch(product):
        return _sles(found["number"], found["pack"], found["name"])
    found = _SLE.fullmatch(product)
    if not found:
        return None
    kind, pack = found["product"], found["pack"] or found["minor"]
    if kind in _SLE_EDITIONS:
        line = " ".join(part for part in (_SLE_EDITIONS[kind], found["line"]) if part)
        return _sles(found["number"], pack, line or None)
    if kind.startswith("Module for "):
        return _sles(found["number"], pack, found["line"], every_pack=True)
    if kind.startswith(_SLE_EXTENSIONS):
        return _sles(found["number"], pack, found["line"])
    return None


def _sles(number: str, pack: str | None, line: str | None, *, every_pack: bool = False) -> SuseRelease:
    name = f"sles:{number}.{pack}" if pack else f"sles:{number}"
    packs = range(1, _LAST_SERVICE_PACK.get(number, 0) + 1) if every_pack and not pack else range(0)
    return SuseRelease(name, line, tuple(f"sles:{number}.{one}" for one in packs))


def _opensuse(product: str) -> SuseRelease | None:
    if product == "Tumbleweed":
        return SuseRelease("opensuse-tumbleweed")
    if found := _LEAP_MICRO.fullmatch(product):
        return SuseRelease(f"opensuse-leap-micro:{found[1]}")
    found = _LEAP.fullmatch(product)
    return SuseRelease(f"opensuse-leap:{found[1]}", "NonFree" if found[2] else None) if found else None
