"""What a component says it is: the products its own words name, before anyone looks a name up.

Declared names (CPE, package URL), the package of a distribution release, the package of a language ecosystem,
and the operating system. What is known only by a title is left to identification, which needs the catalogue.
"""

from __future__ import annotations

import re

from sentrikat.domain import purl as package_url
from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.name import ANY, CpeName, parse, product_of, version_of
from sentrikat.domain.errors import InvalidName, InvalidVersion
from sentrikat.domain.inventory import DISTRIBUTION_KINDS, LANGUAGE_KINDS, Component
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.context import target_context
from sentrikat.domain.matching.ended_releases import is_kernel, later_name, later_releases
from sentrikat.domain.matching.lanes import scheme_of
from sentrikat.domain.matching.microsoft_products import windows_system
from sentrikat.domain.matching.windows_releases import windows_release
from sentrikat.domain.versions import key

# Distributions whose packages are another's, rebuilt under its very versions, and streams that branch off a release:
# the parent's statements are true of them where their own data, which names only what was repaired, is silent.
REBUILDS = {"centos": "rhel", "rocky": "rhel", "almalinux": "rhel", "ol": "rhel"}
STREAMS = {f"rhel-{stream}": "rhel" for stream in ("eus", "aus", "tus", "e4s", "els", "mission-critical")}

# A modular build ends in the platform, the counter of the build system that made it, and the commit:
# 1.14.0-3.module+el8.5.0+12345+0a1b2c3d. Rebuilds count on their own, so their counter says nothing against the parent's.
_MODULAR_BUILD = re.compile(r"(\.module[+_]el[\d.]+[+_])\d+.*")
_ANY_COUNTER = "999999"

# How NVD names the platform an application runs on, by os family.
_FAMILY_PLATFORMS = {
    "linux": (("cpe:o", "linux:linux_kernel"),),
    "windows": (("cpe:o", "microsoft:windows"),),
    "macos": (("cpe:o", "apple:macos"), ("cpe:o", "apple:mac_os_x"), ("cpe:o", "apple:mac_os")),
}
_DISTRIBUTION_PLATFORMS = {
    "debian": "debian:debian_linux",
    "ubuntu": "canonical:ubuntu_linux",
    "rhel": "redhat:enterprise_linux",
    "centos": "centos:centos",
    "fedora": "fedoraproject:fedora",
    "almalinux": "almalinux:almalinux",
    "rocky": "rocky:rocky",
    "ol": "oracle:linux",
    "amzn": "amazon:linux",
    "sles": "suse:linux_enterprise_server",
    "opensuse-leap": "opensuse:leap",
    "alpine": "alpinelinux:alpine_linux",
    "arch": "archlinux:arch_linux",
}


def identity_of(
    product: Product,
    version: str | None,
    *,
    method: str,
    confidence: float,
    os_family: str,
    cpe: CpeName | None = None,
    judged: bool = True,
) -> Identity | None:
    """Give the identity, or None when the version is missing or cannot be ordered: nothing could be compared."""
    if not version:
        return None
    scheme = scheme_of(product.ecosystem)
    try:
        version_key = key(scheme, version)
    except InvalidVersion:
        return None
    return Identity(
        product=product,
        scheme=scheme,
        version=version,
        version_key=version_key,
        method=method,
        confidence=confidence,
        cpe=cpe.format() if cpe else None,
        context=target_context(os_family, cpe),
        judged=judged,
    )


def declared_cpe(component: Component) -> CpeName | None:
    """Give the component's own CPE name when it has a readable one that names a product."""
    if not component.cpe:
        return None
    try:
        name = parse(component.cpe)
    except InvalidName:
        return None
    return None if ANY in (name.part, name.vendor, name.product) else name


def declared_products(component: Component) -> list[tuple[Product, str | None, str]]:
    """Give (product, version, method) for everything the component's own words name.

    Empty for software known by title only.
    """
    kind = component.kind
    if kind in DISTRIBUTION_KINDS:
        return _release_products(component)
    found: list[tuple[Product, str | None, str]] = []
    if kind in LANGUAGE_KINDS:
        found.append((Product(kind, component.name), component.version, "package"))
    if (name := declared_cpe(component)) is not None:
        found.append((product_of(name), version_of(name) or component.version, "declared_cpe"))
    if component.purl and kind not in LANGUAGE_KINDS:
        found.extend(_purl_products(component.purl, component.version))
    return found


def _purl_products(purl: str, version: str | None) -> list[tuple[Product, str | None, str]]:
    try:
        package = package_url.parse(purl)
    except InvalidName:
        return []
    product = package_url.product_of(package)
    if product is None or package.type not in LANGUAGE_KINDS:
        return []
    return [(product, package.version or version, "purl")]


def _release_products(component: Component) -> list[tuple[Product, str | None, str]]:
    if not component.namespace:
        return []
    named = [(component.name, component.version, "package")]
    if component.source_name and component.source_name != component.name:
        named.append((component.source_name, component.source_version or component.version, "source"))
    found = [
        (Product(component.namespace, name), version, f"release_{kind}") for name, version, kind in named
    ]
    distribution, _, number = component.namespace.partition(":")
    if (model := REBUILDS.get(distribution)) is not None:
        parent = f"{model}:{number}"
        found += [
            (Product(parent, name), _counted_by_the_parent(version), f"parent_{kind}")
            for name, version, kind in named
        ]
    elif (model := STREAMS.get(distribution)) is not None:
        parent = f"{model}:{number.partition('.')[0]}"
        found += [(Product(parent, name), version, f"parent_{kind}") for name, version, kind in named]
    elif not is_kernel(component.source_name or component.name):
        found += [
            (Product(later, later_name(later, name)), version, f"later_{kind}")
            for later in later_releases(component.namespace)
            for name, version, kind in named
        ]
    return found


def _counted_by_the_parent(version: str | None) -> str | None:
    """Give a rebuild's version as the parent's data can be held against it."""
    return _MODULAR_BUILD.sub(rf"\g<1>{_ANY_COUNTER}", version) if version else version


def declared_identities(component: Component, os_family: str) -> list[Identity]:
    """Give the identities of everything the component's own words name, at versions that can be ordered."""
    name = declared_cpe(component)
    found = []
    for product, version, method in declared_products(component):
        own = name if method == "declared_cpe" else None
        identity = identity_of(product, version, method=method, confidence=1.0, os_family=os_family, cpe=own)
        if identity is not None:
            found.append(identity)
    if component.kind == "os":
        found.extend(_systems(component))
    return found


def _systems(component: Component) -> list[Identity]:
    """Give what an operating system is: its release where its own versions are judged, and what conditions call it.

    Distributions are not judged as a whole, their packages are; an unknown update level of Windows is not judged.
    """
    found: list[Identity | None] = []
    version = component.version
    if component.namespace == "windows" and version is not None:
        release = windows_release(f"{component.name} {component.vendor or ''}", version)
        if release is not None:
            found.append(
                _system(Product("cpe:o", f"microsoft:{release[0]}"), release[1], "windows", judged=True)
            )
        found.extend(_microsoft(component, version))
    if component.namespace == "macos":
        found.append(_system(Product("cpe:o", "apple:macos"), version, "macos", judged=True))
        # Apple's own CVE records, which NVD has yet to analyze, speak of it in words.
        found.append(
            identity_of(
                Product("cve5", "apple:macos"),
                version,
                method="operating_system",
                confidence=0.9,
                os_family="macos",
            )
        )
    named = [Product(*pair) for pair in _FAMILY_PLATFORMS.get(component.namespace, ())]
    if (distribution := _DISTRIBUTION_PLATFORMS.get(component.name.lower())) is not None:
        named.append(Product("cpe:o", distribution))
    # A version that cannot be ordered still says which system it is.
    found.extend(
        _system(product, version, component.namespace) or _system(product, "0", component.namespace)
        for product in named
    )
    return [one for one in found if one is not None]


def _microsoft(component: Component, version: str) -> list[Identity]:
    """Give a Windows under its own maker's title: release, edition and architecture.

    A release whose updates are cumulative is judged by its revision, and without one not at all; an older one, whose
    build never moved, by its updates alone.
    """
    system = windows_system(f"{component.name} {component.vendor or ''}", version, component.arch)
    if system is None or (system.cumulative and system.revision is None):
        return []
    number = version if version.count(".") >= 2 else f"10.0.{version}"
    own = identity_of(
        Product("msrc", system.product),
        number,
        method="operating_system",
        confidence=1.0,
        os_family="windows",
    )
    return [own] if own is not None else []


def _system(product: Product, version: str | None, family: str, *, judged: bool = False) -> Identity | None:
    vendor, _, name = product.name.partition(":")
    return identity_of(
        product,
        version,
        method="operating_system" if judged else "platform",
        confidence=1.0,
        os_family=family,
        cpe=CpeName("o", vendor, name) if judged else None,
        judged=judged,
    )
