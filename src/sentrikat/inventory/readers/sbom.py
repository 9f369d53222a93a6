"""What the two kinds of SBOM have in common: from names and URLs of a package to `Software`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sentrikat.domain import purl
from sentrikat.domain.errors import InvalidName
from sentrikat.domain.inventory import (
    DISTRIBUTION_KINDS,
    LANGUAGE_KINDS,
    SAME_DISTRIBUTION,
    OperatingSystem,
    Software,
    release_of,
)
from sentrikat.inventory.readers.document import CONTROL, MAX_STRING, Problems, type_name

# What people and tools write where the os-release ID is meant.
_LONG_NAMES = (
    ("red hat", "rhel"),
    ("redhat", "rhel"),
    ("debian", "debian"),
    ("ubuntu", "ubuntu"),
    ("centos", "centos"),
    ("alma", "almalinux"),
    ("rocky", "rocky"),
    ("oracle", "ol"),
    ("amazon", "amzn"),
    ("alpine", "alpine"),
    ("fedora", "fedora"),
    ("suse linux enterprise", "sles"),
)
_WINDOWS = ("windows", "microsoft windows")
_MACOS = ("macos", "mac os", "osx", "darwin")

# Types of package URLs that are named differently here; all others are applications.
_KINDS = {"alpm": "pacman", "brew": "brew", "homebrew": "brew", "snap": "snap", "flatpak": "flatpak"}


@dataclass(slots=True)
class Stated:
    """What an SBOM states about one package, before it is known what kind of package that is."""

    name: str
    version: str | None = None
    vendor: str | None = None
    purl: str | None = None
    cpe: str | None = None
    source_name: str | None = None
    source_version: str | None = None
    module: str | None = None
    path: str | None = None


@dataclass(slots=True)
class Package:
    """A package with the distribution its URL names."""

    software: Software
    distro: str | None = None
    distro_version: str | None = None


@dataclass(slots=True)
class Remarks:
    """What a reader left out or could not use, counted: told to the sender, never silent."""

    counts: Counter[str] = field(default_factory=Counter)

    def lines(self) -> tuple[str, ...]:
        """Give one line per remark."""
        return tuple(f"{what}: {count}" for what, count in self.counts.items())


def text_of(
    owner: dict[str, object], key: str, path: str, problems: Problems, longest: int = MAX_STRING
) -> str | None:
    """Give a string field; None when absent or empty. A wrong type is a problem, and so is a huge value."""
    value = owner.get(key)
    if value is None:
        return None
    where = f"{path}.{key}" if path else key
    if not isinstance(value, str):
        problems.add(where, f"is {type_name(value)}, not a string")
        return None
    if len(value) > longest:
        problems.add(where, f"is {len(value):,} characters long, and {longest:,} are allowed")
        return None
    if CONTROL.search(value):
        problems.add(where, "holds a control character")
        return None
    return value.strip() or None


def system_of(name: str | None, version: str | None, cpe: str | None = None) -> OperatingSystem:
    """Give the operating system an SBOM names in whatever words."""
    lowered = (name or "").lower()
    if lowered.startswith(_WINDOWS):
        return OperatingSystem("windows", name=name, version=version, cpe=cpe)
    if lowered.startswith(_MACOS):
        return OperatingSystem("macos", name=name, version=version, cpe=cpe)
    identity = SAME_DISTRIBUTION.get(lowered)
    if identity is None:
        identity = next((known for words, known in _LONG_NAMES if lowered.startswith(words)), lowered)
    return OperatingSystem("linux", name=identity or None, version=version, cpe=cpe)


def package_of(stated: Stated, remarks: Remarks) -> Package:
    """Decide what kind of software a package is, and under which name its ecosystem files it."""
    said: purl.Package | None = None
    if stated.purl is not None:
        try:
            said = purl.parse(stated.purl)
        except InvalidName:
            remarks.counts["package URLs that could not be read, whose packages are kept by name"] += 1
            stated.purl = None
    if said is None:
        kind = "cpe" if stated.cpe else "application"
        return Package(
            Software(
                kind, stated.name, stated.version, vendor=stated.vendor, cpe=stated.cpe, path=stated.path
            )
        )
    kind = (
        said.type
        if said.type in DISTRIBUTION_KINDS | LANGUAGE_KINDS
        else _KINDS.get(said.type, "application")
    )
    software = Software(
        type=kind,
        name=stated.name,
        version=said.version or stated.version,
        arch=said.arch,
        vendor=stated.vendor,
        module=stated.module,
        purl=stated.purl,
        cpe=stated.cpe,
        path=stated.path,
    )
    if kind in LANGUAGE_KINDS:
        product = purl.product_of(said)
        return Package(replace(software, name=product.name if product else said.name))
    if kind in DISTRIBUTION_KINDS:
        software = replace(
            software,
            name=said.name,
            source_name=stated.source_name or said.source_name,
            source_version=stated.source_version or said.source_version,
        )
        return Package(software, said.distro, said.distro_version)
    return Package(software)


def system_and_software(
    stated_system: OperatingSystem | None, packages: Iterable[Package]
) -> tuple[OperatingSystem, tuple[Software, ...]]:
    """Give the operating system and the packages, each with its own release where that differs.

    Without a statement, the distribution that most packages come from is the system.
    """
    listed = list(packages)
    system = stated_system
    if system is None or system.name is None:
        named = Counter((p.distro, p.distro_version) for p in listed if p.distro)
        if named:
            (distro, version), _ = max(named.items(), key=lambda item: (item[1], str(item[0])))
            system = OperatingSystem("linux", name=distro, version=version)
    if system is None:
        system = OperatingSystem("other")
    release = release_of(system.name, system.version)
    distribution = SAME_DISTRIBUTION.get((system.name or "").lower(), (system.name or "").lower())
    software: dict[Software, None] = {}
    for package in listed:
        own = package.software
        if package.distro:
            named_release = release_of(package.distro, package.distro_version)
            if named_release is None and package.distro != distribution:
                # Of another distribution, release not said: the host's release must not judge it.
                named_release = package.distro
            if named_release is not None and named_release != release:
                own = replace(own, release=named_release)
        software[own] = None
    return system, tuple(software)


def report_id_of(body: bytes, hostname: str) -> str:
    """Give an SBOM the id of its content and of what it is filed under: sent twice, it is one report."""
    return (
        f"sbom:{hashlib.sha256(body).hexdigest()[:40]}:{hashlib.sha256(hostname.encode()).hexdigest()[:16]}"
    )
