"""Products as they are written in reviewed data, and a component's identities as products that were chosen for it."""

from __future__ import annotations

from collections.abc import Iterable

from sentrikat.catalogue.packages import product_of_package
from sentrikat.domain import purl as package_url
from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.name import ANY, CpeName, escape, version_of
from sentrikat.domain.errors import InvalidName
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.identity import identity_of
from sentrikat.domain.matching.installed_version import version_and_update, version_attributes
from sentrikat.domain.matching.surroundings import host_of

CVE5 = "cve5"


def identities_of(
    component: Component, products: Iterable[Product], method: str, confidence: float, os_family: str
) -> list[Identity]:
    """Give a component's identities as these products, at the version that its title and maker mean."""
    version, _ = version_and_update(component)
    written, update = version_attributes(component)
    found = []
    for product in products:
        cpe = None
        if product.ecosystem != CVE5:
            vendor, _, name = product.name.partition(":")
            cpe = CpeName(product.ecosystem[-1], vendor, name, written, update)
        said = (version_of(cpe) if cpe is not None and update != ANY else None) or version
        identity = identity_of(
            product, said, method=method, confidence=confidence, os_family=os_family, cpe=cpe
        )
        if identity is not None:
            found.append(identity)
    return found


def product_named(written: str) -> Product:
    """Read vendor:product, of an application, or with the part of a CPE name before it: cpe:o:vendor:product."""
    if written.startswith("cpe:") and written[5:6] == ":":
        return Product(written[:5], written[6:])
    return Product("cpe:a", written)


def product_of_package_url(component: Component) -> Product | None:
    """Give the product of an extension that is reported by its package URL, where the package index has it."""
    if not component.purl or not host_of(component):
        return None
    try:
        package = package_url.parse(component.purl)
    except InvalidName:
        return None
    named = product_of_package(package.type, package.name.lower())
    return Product("cpe:a", named) if named is not None else None


def version_attribute(version: str | None) -> str:
    """Give a version as a CPE attribute; `*` for none, and for one that CPE cannot write."""
    try:
        return escape(version) if version else ANY
    except InvalidName:
        return ANY
