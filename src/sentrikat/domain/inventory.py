"""What a machine says it runs, and the distinct components that makes.

Every reader (agent report, CycloneDX, SPDX, the local host) yields an `Inventory`; from there on nobody
asks in which form it came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sentrikat.domain.purl import canonical_name

DISTRIBUTION_KINDS = frozenset({"deb", "rpm", "apk", "pacman"})
LANGUAGE_KINDS = frozenset({"pypi", "npm", "maven", "golang", "cargo", "nuget", "gem", "composer"})
APPLICATION_KINDS = frozenset({"windows", "macos", "application", "snap", "flatpak", "brew"})
SOFTWARE_KINDS = DISTRIBUTION_KINDS | LANGUAGE_KINDS | APPLICATION_KINDS | {"cpe"}


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """`family` is linux, windows, macos or other; `name` the os-release ID on Linux, else the product name."""

    family: str
    name: str | None = None
    version: str | None = None  # VERSION_ID, or the full build on Windows: 10.0.19045.4043
    build: str | None = None
    edition: str | None = None
    kernel: str | None = None
    arch: str | None = None
    cpe: str | None = None


@dataclass(frozen=True, slots=True)
class Software:
    """One piece of software as reported. None means the reporter did not know; nothing is invented."""

    type: str
    name: str
    version: str | None = None
    arch: str | None = None
    vendor: str | None = None
    source_name: str | None = None
    source_version: str | None = None
    module: str | None = None
    repository: str | None = None
    bundle_id: str | None = None
    purl: str | None = None
    cpe: str | None = None
    path: str | None = None
    # The release a package says it belongs to, where that is not the host's: an SBOM of an image.
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """One report. `complete`: what it does not name is not there."""

    report_id: str
    agent_id: str | None
    hostname: str
    machine_id: str | None
    os: OperatingSystem
    collected_at: datetime | None
    complete: bool
    software: tuple[Software, ...]
    updates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """One distinct software version; see `inventory.models.Component` for what the fields hold."""

    kind: str
    namespace: str
    name: str
    version: str | None = None
    source_name: str | None = None
    source_version: str | None = None
    vendor: str | None = None
    module: str | None = None
    bundle_id: str | None = None
    cpe: str | None = None
    purl: str | None = None
    arch: str | None = None
    # What people of the organization said it is (domain.matching.correction), where they did.
    corrected: str | None = None

    def identity(self) -> bytes:
        """Digest that is equal for equal components, 16 bytes."""
        parts: tuple[str | None, ...] = (
            self.kind,
            self.namespace,
            self.name,
            self.version,
            self.source_name,
            self.source_version,
            self.vendor,
            self.module,
            self.bundle_id,
            self.cpe,
            self.purl,
        )
        if self.arch is not None:
            parts += (self.arch,)
        if self.corrected is not None:
            parts += ("corrected", self.corrected)
        # None and "" differ: an unknown vendor is not an empty one.
        text = "\x1f".join("\x00" if part is None else part for part in parts)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


@dataclass(slots=True)
class Installed:
    """A component on one machine, with the binary packages and places it was seen as.

    `software` is the first entry it was reported as; None for the operating system.
    """

    component: Component
    software: Software | None = None
    binaries: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


# os-release IDs whose advisories are made per major release.
MAJOR_RELEASES = frozenset(
    {"debian", "rhel", "centos", "almalinux", "rocky", "ol", "amzn", "azurelinux", "mariner"}
)
# Distributions without releases: one stream of advisories.
ROLLING = frozenset({"wolfi", "chainguard", "arch", "opensuse-tumbleweed"})
# Other spellings of the same os-release ID that reports and purls use.
SAME_DISTRIBUTION = {
    "redhat": "rhel",
    "red hat": "rhel",
    "alma": "almalinux",
    "rockylinux": "rocky",
    "oracle": "ol",
    "oraclelinux": "ol",
    "amazon": "amzn",
    "amazonlinux": "amzn",
    "suse": "sles",
    "sled": "sles",
    "sles_sap": "sles",
    "sle_hpc": "sles",
    "sle_rt": "sles",
    "sl-micro": "sle-micro",
    "opensuse": "opensuse-leap",
    "archlinux": "arch",
    "cbl-mariner": "mariner",
}
# The first Amazon Linux numbered its images by year and month until 2018.03; advisories speak of one release.
_FIRST_AMAZON_LINUX = re.compile(r"201[1-8]\.\d\d")
# Code names that stand where a VERSION_ID should.
CODE_NAMES = {
    ("debian", "squeeze"): "6",
    ("debian", "wheezy"): "7",
    ("debian", "jessie"): "8",
    ("debian", "stretch"): "9",
    ("debian", "buster"): "10",
    ("debian", "bullseye"): "11",
    ("debian", "bookworm"): "12",
    ("debian", "trixie"): "13",
    ("debian", "forky"): "14",
    ("debian", "sid"): "sid",
    ("ubuntu", "trusty"): "14.04",
    ("ubuntu", "xenial"): "16.04",
    ("ubuntu", "bionic"): "18.04",
    ("ubuntu", "focal"): "20.04",
    ("ubuntu", "jammy"): "22.04",
    ("ubuntu", "noble"): "24.04",
}


def release_of(name: str | None, version: str | None) -> str | None:
    """Give the release whose statements judge a host's packages: `debian:12`, `ubuntu:22.04`, `alpine:3.18`.

    None when the distribution or its version is not known: its packages cannot be judged.
    """
    if not name:
        return None
    distribution = name.strip().lower()
    distribution = SAME_DISTRIBUTION.get(distribution, distribution)
    if distribution in ROLLING:
        return distribution
    if not version:
        return None
    number = version.strip().lower()
    if distribution == "alpine":
        number = number.removeprefix("v")
    number = CODE_NAMES.get((distribution, number), number)
    if distribution == "amzn" and _FIRST_AMAZON_LINUX.fullmatch(number):
        number = "1"
    if distribution in MAJOR_RELEASES:
        number = number.split(".")[0]
    elif distribution == "alpine" and number[:1].isdigit():
        number = ".".join(number.split(".")[:2])
    return f"{distribution}:{number}"


_BINARY_REBUILD = re.compile(r"\+b\d+$")


def _unsigned_kernel(source: str) -> str | None:
    """Give the kernel source that a source of signed images repackages, or None for any other source.

    Debian's linux-signed-amd64 6.1.76+1 signs the images of linux 6.1.76-1, Ubuntu's linux-signed-aws those of
    linux-aws. Advisories know the kernel only, and the signed packages carry its version as their own.
    """
    if not source.startswith("linux-signed"):
        return None
    flavor = source.removeprefix("linux-signed")
    return "linux" if flavor in {"", "-amd64", "-arm64", "-i386"} else f"linux{flavor}"


# Built from the kernel's source, and no kernel: headers to compile against, documentation, build tools. The kernel's
# flaws are not in them, and a container has them without any kernel (anchore/grype issue 1762).
_KERNEL_BY_PRODUCTS = re.compile(
    r"linux-(?:libc-dev|headers|doc|kbuild|compiler|config|source)\b.*"
    r"|kernel-(?:[a-z0-9]+-)?(?:headers|cross-headers|doc|abi-(?:stable|white)lists)"
)


def is_kernel_by_product(source: str | None, binary: str) -> bool:
    """Say whether a binary package is built from the kernel's source and holds nothing of the kernel."""
    return (
        source is not None
        and source.startswith(("linux", "kernel"))
        and bool(_KERNEL_BY_PRODUCTS.fullmatch(binary))
    )


_EXTENDED = re.compile(r"rhel-.*-(?P<stream>eus|aus|tus|e4s|els)-")
_MINOR_RELEASE = re.compile(r"\d+\.\d+")
_MODULAR_BUILD = re.compile(r"\.module[+_]")


def _extended_release(software: Software, os: OperatingSystem) -> str | None:
    """Give the extended stream an rpm came from (`rhel-eus:9.2`), where its repository and its host say so.

    These streams are repaired under lower numbers than the main one. Not knowing means the main stream.
    """
    if software.type != "rpm" or software.release or not software.repository or not os.version:
        return None
    if release_of(os.name, "0") != "rhel:0":
        return None
    found = _EXTENDED.match(software.repository)
    if found is None:
        return None
    if found["stream"] == "els":
        return f"rhel-els:{os.version.split('.')[0]}"
    return f"rhel-{found['stream']}:{os.version}" if _MINOR_RELEASE.fullmatch(os.version) else None


def _unnamed_module(version: str | None) -> str | None:
    """Give a module for a modular build whose module nobody reported: it is of some stream, and of none we know."""
    return "unknown" if version and _MODULAR_BUILD.search(version) else None


SourceOf = Callable[[str, str], str | None]
"""Give the source package of (release, binary package), as feeds and other hosts know it, or None."""


def component_of(software: Software, os: OperatingSystem, source_of: SourceOf) -> Component:
    """Give the component a piece of software is an instance of.

    Debian's and Alpine's advisories speak of source packages, so binaries of one source are one component;
    rpm advisories name binaries, so there each binary stays its own and remembers its source.
    """
    kind = software.type
    if kind in DISTRIBUTION_KINDS:
        release = software.release or release_of(os.name, os.version) or ""
        source = software.source_name or source_of(release, software.name)
        source_version = software.source_version
        if kind == "deb" and source is not None and (kernel := _unsigned_kernel(source)) is not None:
            source, source_version = kernel, None
        if kind in {"deb", "rpm"} and is_kernel_by_product(source, software.name):
            namespace = _extended_release(software, os) or release
            return Component(kind=kind, namespace=namespace, name=software.name, version=software.version)
        if kind in {"deb", "apk"}:
            version = source_version or software.version
            if kind == "deb" and version is not None and source_version is None:
                # A rebuild without source changes: `+b1` is no part of the source's version.
                version = _BINARY_REBUILD.sub("", version)
            return Component(
                kind=kind,
                namespace=release,
                name=source or software.name,
                version=version,
                source_name=source,
                source_version=source_version,
            )
        return Component(
            kind=kind,
            namespace=_extended_release(software, os) or release,
            name=software.name,
            version=software.version,
            source_name=source,
            source_version=software.source_version,
            module=software.module or _unnamed_module(software.version),
        )
    if kind in LANGUAGE_KINDS:
        return Component(
            kind=kind, namespace="", name=canonical_name(kind, software.name), version=software.version
        )
    return Component(
        kind=kind,
        namespace=os.family,
        name=software.name,
        version=software.version,
        vendor=software.vendor,
        bundle_id=software.bundle_id,
        cpe=software.cpe,
        purl=software.purl,
    )


def operating_system_component(os: OperatingSystem) -> Component | None:
    """Make the operating system a component, so that it has findings and can be a platform condition."""
    if os.name is None and os.cpe is None:
        return None
    return Component(
        kind="os",
        namespace=os.family,
        name=os.name or os.family,
        version=os.version,
        vendor=os.edition,
        cpe=os.cpe,
        # Microsoft's products are made for one architecture each; elsewhere packages are what is judged.
        arch=os.arch if os.family == "windows" else None,
    )


def installed_components(inventory: Inventory, source_of: SourceOf) -> list[Installed]:
    """Give the distinct components of an inventory, each once, in order of first appearance."""
    found: dict[Component, Installed] = {}
    system = operating_system_component(inventory.os)
    if system is not None:
        found[system] = Installed(system)
    for software in inventory.software:
        component = component_of(software, inventory.os, source_of)
        installed = found.get(component)
        if installed is None:
            installed = found[component] = Installed(component, software)
        if component.name != software.name and software.name not in installed.binaries:
            installed.binaries.append(software.name)
        if software.path and software.path not in installed.paths:
            installed.paths.append(software.path)
    return list(found.values())


def no_source(_release: str, _binary: str) -> str | None:
    """Know nothing: the `SourceOf` of a caller without a database."""
    return None


def learned_sources(inventory: Inventory) -> Iterable[tuple[str, str, str]]:
    """Give (release, binary, source) for every package whose reporter named its source."""
    for software in inventory.software:
        if software.type in DISTRIBUTION_KINDS and software.source_name:
            release = software.release or release_of(inventory.os.name, inventory.os.version)
            if release is not None:
                yield release, software.name, software.source_name
