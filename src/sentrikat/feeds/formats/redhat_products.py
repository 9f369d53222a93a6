"""Red Hat's names for products, packages and builds, and what they mean here.

Source  https://access.redhat.com/security/data (CPE names in URI form), docs.redhat.com on package naming
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# Repaired past their minor release, under lower numbers than the main stream: releases of their own, for judged by
# them a host of the main stream would look repaired, and judged by the main stream theirs would look broken.
_STREAMS = frozenset({"rhel_eus", "rhel_aus", "rhel_tus", "rhel_e4s", "rhel_els", "rhel_mission_critical"})
# Add-ons whose packages are installed beside those of the release, under names of their own.
_ADD_ONS = re.compile(r"rhel_(?:extras(?:_\w+)?|software_collections|dotnet|productivity)")
_CPE = re.compile(
    r"cpe:/[ao]:redhat:(?P<product>[a-z0-9_]+):(?P<version>[^:]*)(?::[^:]*)?(?::(?P<edition>[^:]*))?"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_BUILD = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.+-]*)-(?:(?P<epoch>\d+):)?(?P<version>[^-:/\s]+)-(?P<release>[^-:/\s]+)"
)
_PACKAGE = re.compile(r"(?:(?P<module>[\w.+-]+:[\w.+-]+)/)?(?P<name>[A-Za-z0-9][\w.+-]*)")
_MODULAR = re.compile(r"\.module[+_]")


@dataclass(frozen=True, slots=True)
class Package:
    """A package, with the stream of the module it is of (empty: of no module), and a version where a build is meant."""

    name: str
    module: str = ""
    version: str | None = None
    is_source: bool = False
    arch: str | None = None

    @property
    def stream(self) -> str | None:
        """Give what `Statement.module` takes: None for a modular build of a stream nobody named."""
        unnamed = not self.module and self.version is not None and _MODULAR.search(self.version)
        return None if unnamed else self.module


@lru_cache(maxsize=4096)
def release_of_cpe(cpe: str) -> str | None:
    """Give the release whose hosts a product's packages are installed on; None for products that are no system.

    Layered products (an OpenShift, a Satellite) repeat names of the system below them at other versions.
    """
    found = _CPE.fullmatch(cpe)
    if not found:
        return None
    product, number, edition = found["product"], found["version"], found["edition"] or ""
    if product == "enterprise_linux" and edition != "hypervisor" and _NUMBER.fullmatch(number):
        return f"rhel:{number.split('.')[0]}"
    if product in _STREAMS and _NUMBER.fullmatch(number):
        return f"{product.replace('_', '-')}:{number}"
    if _ADD_ONS.fullmatch(product):
        if on := re.fullmatch(r"el(\d+)", edition):
            return f"rhel:{on[1]}"
        if product.startswith("rhel_extras") and _NUMBER.fullmatch(number):
            return f"rhel:{number.split('.')[0]}"
    return None


def build(text: str) -> Package | None:
    """Read `firefox-0:115.5.0-1.el8_9`; None for a module's build, an image or anything else."""
    found = _BUILD.fullmatch(text)
    if not found:
        return None
    return Package(found["name"], version=evr(found["epoch"], found["version"], found["release"]))


def evr(epoch: str | None, version: str, release: str) -> str:
    """Give a version as rpm writes it, without an epoch of zero."""
    return f"{epoch}:{version}-{release}" if epoch and epoch != "0" else f"{version}-{release}"


def package(text: str) -> Package | None:
    """Read a package's name, as `openssl` or `nodejs:16/nodejs`; None for an image (`openshift4/ose-cli`)."""
    found = _PACKAGE.fullmatch(text)
    return Package(found["name"], found["module"] or "") if found else None
