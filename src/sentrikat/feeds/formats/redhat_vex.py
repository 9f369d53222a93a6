"""One VEX document of Red Hat (CSAF 2.0, profile csaf_vex) as an Advisory.

Source  https://security.access.redhat.com/data/csaf/v2/vex/; formats.csaf has what all publishers share

The platform is known by its CPE name, the component by its package URL: `src` packages carry the flaw's name and stand
for every binary built from them, so binaries are read only where no source is named.

    fixed                `@version`: the builds that hold the repair, see `unrepaired`
    known_affected       without version; why there is no repair stands in `remediations`
    known_not_affected   without version; with one it is a binary built beside repaired ones that never held the flaw
    under_investigation  without version
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from sentrikat.domain.advisory import Advisory, Product, Remedy, Statement, Status
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import fields
from sentrikat.feeds.formats import csaf
from sentrikat.feeds.formats.csaf import ProductTree
from sentrikat.feeds.formats.redhat_products import Package, package, release_of_cpe
from sentrikat.feeds.formats.rpm_builds import unrepaired

_DEBUG = ("-debuginfo", "-debugsource", "-debuginfo-common")

Key = tuple[str, str, str | None]  # release, package, module stream


def advisory(document: Mapping[str, Any], source: str) -> Advisory:
    """Give the Advisory of one document; ValueError or KeyError where it breaks the form."""
    return csaf.advisory(document, source, "Red Hat", lambda flaw, tree: _statements(flaw, _Tree(tree)))


class _Tree:
    """What a product id of a document comes to: the release, and the package."""

    def __init__(self, tree: ProductTree) -> None:
        self._tree = tree
        self._parts = tree.parts
        self._known: dict[str, Package | None] = {}

    def resolve(self, product_id: str) -> tuple[str, Package] | None:
        """Give the release and the package; None for what no inventory of ours holds."""
        if product_id not in self._parts:
            return None  # a platform as a whole, or a product nobody defined
        component, platform = self._parts[product_id]
        module = ""
        if (
            platform in self._parts
        ):  # older documents: the package is part of a module, which is part of the platform
            module_id, platform = self._parts[platform]
            module = _stream(module_id)
        cpe = self._tree.cpe(platform)
        release = release_of_cpe(cpe) if cpe else None
        if release is None:
            return None
        found = self._package(component)
        if found is None:
            return None
        if module and not found.module:
            found = Package(found.name, module, found.version, found.is_source, found.arch)
        return release, found

    def _package(self, component: str) -> Package | None:
        if component not in self._known:
            purl = self._tree.purl(component)
            self._known[component] = _package_of_purl(purl, component) if purl else package(component)
        return self._known[component]


def _package_of_purl(purl: str, component: str) -> Package | None:
    """Read `pkg:rpm/redhat/ruby@2.5.9-111.el8?arch=src&epoch=1&rpmmod=ruby:2.5:8090...`; None for images and modules."""
    path, _, query = purl.partition("?")
    kind, _, rest = path.removeprefix("pkg:").partition("/")
    if kind != "rpm":
        return None
    name, _, version = rest.rpartition("/")[2].partition("@")
    if not name:
        raise ValueError(f"the package URL {purl[:80]!r} names no package")
    qualifiers = dict(part.partition("=")[::2] for part in query.split("&"))
    version = unquote(version)
    epoch = qualifiers.get("epoch", "0")
    module = _stream(unquote(qualifiers.get("rpmmod", "")))
    if not module and (told := package(component)) is not None:
        module = told.module  # `nodejs:16/nodejs`
    arch = qualifiers.get("arch")
    return Package(
        unquote(name),
        module,
        (f"{epoch}:{version}" if epoch != "0" else version) if version else None,
        arch == "src",
        None if arch in (None, "src", "noarch") else arch,
    )


def _stream(label: str) -> str:
    """Give `name:stream` of a module's label `name:stream:version:context`."""
    return ":".join(label.split(":")[:2])


def _statements(flaw: Mapping[str, Any], tree: _Tree) -> Iterator[Statement]:
    status = fields.child(flaw, "product_status")
    fixed = _builds(_resolved(status, "fixed", tree))
    for (release, name, module), by_arch in fixed.items():
        spans = {arch: unrepaired(builds) for arch, builds in by_arch.items()}
        if all(one == next(iter(spans.values())) for one in spans.values()):
            spans = {"": next(iter(spans.values()))}  # said once for all architectures
        for arch, own in spans.items():
            for versions in own:
                yield Statement(
                    Product(release, name),
                    Status.AFFECTED,
                    versions,
                    remedy=Remedy.FIXED,
                    module=module,
                    arch=(arch,) if arch else (),
                )
    said = _unrepaired(flaw, status, tree)
    for (release, name, module), (state, remedy, note) in said.items():
        if (release, name, module) not in fixed:  # repaired after all: the build is the better evidence
            yield Statement(
                Product(release, name),
                state,
                VersionRange(Scheme.RPM),
                remedy=remedy,
                module=module,
                note=note,
            )


def _resolved(status: Mapping[str, Any], kind: str, tree: _Tree) -> list[tuple[str, str, Package]]:
    """Give (product id, release, package) of a status: source packages, and binaries where no source is named."""
    found = [
        (name, *known) for name in fields.texts(status, kind) if (known := tree.resolve(name)) is not None
    ]
    with_source = {(release, one.stream) for _, release, one in found if one.is_source}
    return [
        (name, release, one)
        for name, release, one in found
        if one.is_source or ((release, one.stream) not in with_source and not one.name.endswith(_DEBUG))
    ]


def _builds(found: Iterable[tuple[str, str, Package]]) -> dict[Key, dict[str, list[str]]]:
    """Gather the repaired builds of each package by architecture; "" is every architecture."""
    builds: dict[Key, dict[str, list[str]]] = {}
    for _, release, one in found:
        if one.version is not None:
            key = (release, one.name, one.stream)
            builds.setdefault(key, {}).setdefault(one.arch or "", []).append(one.version)
    return builds


def _unrepaired(
    flaw: Mapping[str, Any], status: Mapping[str, Any], tree: _Tree
) -> dict[Key, tuple[Status, Remedy | None, str | None]]:
    """Give what is said of packages without a repair; where a document contradicts itself, the worse holds."""
    said: dict[Key, tuple[Status, Remedy | None, str | None]] = {}
    why = csaf.reasons(fields.objects(flaw, "flags"), "label")
    plans = csaf.reasons(
        [one for one in fields.objects(flaw, "remediations") if one.get("category") in _NO_REPAIR], "details"
    )
    by_products = _built_beside(status, tree)
    never = {name for name, _, _ in by_products}
    for name, release, one in (*_resolved(status, "known_not_affected", tree), *by_products):
        if one.version is None or name in never:
            reason = why.get(name)
            note = reason.replace("_", " ") if reason else None
            said[release, one.name, one.stream] = (Status.UNAFFECTED, Remedy.NOT_AFFECTED, note)
    for name, release, one in _resolved(status, "under_investigation", tree):
        if one.version is None:
            said[release, one.name, one.stream] = (Status.INVESTIGATING, None, plans.get(name))
    for name, release, one in _resolved(status, "known_affected", tree):
        if one.version is None:
            plan = plans.get(name)
            said[release, one.name, one.stream] = (
                Status.AFFECTED,
                csaf.REMEDIES.get((plan or "").lower(), Remedy.OPEN),
                plan,
            )
    return said


def _built_beside(status: Mapping[str, Any], tree: _Tree) -> list[tuple[str, str, Package]]:
    """Give the binaries of repaired builds that never held the flaw, such as headers; none a repair was needed for."""

    def binaries(kind: str) -> list[tuple[str, str, Package]]:
        named = ((name, tree.resolve(name)) for name in fields.texts(status, kind))
        return [(name, *known) for name, known in named if known is not None and not known[1].is_source]

    repaired = {(release, one.name) for _, release, one in binaries("fixed")}
    found: dict[tuple[str, str], tuple[str, str, Package]] = {}
    for name, release, one in binaries("known_not_affected"):
        if one.version is not None and (release, one.name) not in repaired and not one.name.endswith(_DEBUG):
            found.setdefault((release, one.name), (name, release, one))
    return list(found.values())


_NO_REPAIR = frozenset({"none_available", "no_fix_planned", "fix_planned"})
