"""Identification: which products a component is, and its version as each product's key.

What the component declares (CPE, package URL, package of a release or a language ecosystem) is taken at its word.
Software known by title only is looked up by name, and accepted only with evidence of the vendor or when the name
belongs to one product alone; everything else stays unidentified and is shown as such, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.catalogue.corrections import correction_of
from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import DISTRIBUTION_KINDS, Component
from sentrikat.domain.matching.claim import LATER_METHODS, Identity
from sentrikat.domain.matching.correction import IGNORED, UNLISTED
from sentrikat.domain.matching.identity import (
    declared_cpe,
    declared_identities,
    declared_products,
    identity_of,
)
from sentrikat.domain.matching.microsoft_programs import microsoft_programs
from sentrikat.domain.matching.titles import is_update
from sentrikat.infra.database.copy import copy_rows
from sentrikat.inventory.candidates import store_candidates
from sentrikat.inventory.lifecycle import assign_cycles
from sentrikat.inventory.products import identities_of, product_named
from sentrikat.inventory.titles import TitleIndex, needs_title


@dataclass(frozen=True, slots=True)
class Reidentified:
    """What identifying anew moved: products that components came to be, ceased to be, or are another version of.

    `systems`: an operating system was among those components.
    """

    product_ids: frozenset[int] = frozenset()
    systems: bool = False


def identify(session: Session, component_ids: Sequence[int], index: TitleIndex | None = None) -> Reidentified:
    """Identify these components anew, store what comes of it, and say what that moved."""
    if not component_ids:
        return Reidentified()
    rows = session.execute(
        text(
            "select id, kind, namespace, name, version, source_name, source_version, vendor, module, bundle_id,"
            " cpe, purl, arch, corrected from component where id = any(cast(:ids as bigint[])) order by id"
        ),
        {"ids": list(component_ids)},
    ).all()
    components = {row.id: Component(*row[1:]) for row in rows}
    if index is None and (named := [one for one in components.values() if needs_names(one)]):
        index = TitleIndex.load(session, named)
    covered = covered_releases(session)
    identities: dict[int, list[Identity]] = {}
    states: dict[str, list[int]] = {}
    for component_id, component in components.items():
        found, state = identify_component(component, index, covered)
        identities[component_id] = found
        states.setdefault(state, []).append(component_id)
    moved = _store(session, identities)
    unresolved = set(states.get("unidentified", ()))
    store_candidates(
        session,
        {
            one: index.ranked.get(components[one], []) if index and one in unresolved else []
            for one in components
        },
    )
    for state, ids in states.items():
        session.execute(
            text("update component set identified = :state where id = any(cast(:ids as bigint[]))"),
            {"state": state, "ids": ids},
        )
    assign_cycles(session, list(components))
    return Reidentified(
        frozenset(product_id for _, product_id, _ in moved),
        any(components[component_id].kind == "os" for component_id, _, _ in moved),
    )


def identify_component(
    component: Component, index: TitleIndex | None, covered: frozenset[str]
) -> tuple[list[Identity], str]:
    """Give the identities of one component, and the word for how far identification came.

    `covered` are the releases for which some feed makes statements.
    """
    os_family = _family(component)
    if component.corrected is not None:
        return _as_corrected(component, component.corrected, os_family)
    found = declared_identities(component, os_family)
    if index is not None and needs_title(component):
        found.extend(index.identities(component, os_family))
    elif index is not None and _lacks_group(component):
        found = index.artifact(component, os_family)
    elif index is not None and (name := declared_cpe(component)) is not None:
        found.extend(index.records_of(component, name, os_family))
    for product, version in microsoft_programs(component):
        own = identity_of(product, version, method="maker_title", confidence=0.9, os_family=os_family)
        if own is not None:
            found.append(own)
    # A product named twice counts once, by the first name: what a component declares before what it is called.
    unique: dict[Product, Identity] = {}
    for one in found:
        unique.setdefault(one.product, one)
    found = list(unique.values())
    return found, _state(component, found, covered)


def _as_corrected(component: Component, corrected: str, os_family: str) -> tuple[list[Identity], str]:
    """Take people's word for what a component is."""
    if corrected in {UNLISTED, IGNORED}:
        return [], corrected
    found = identities_of(component, [product_named(corrected)], "local_correction", 1.0, os_family)
    return found, "identified" if found else "no_version"


def needs_names(component: Component) -> bool:
    """Say whether identification looks up names for a component: its title's, or those of its declared CPE."""
    return component.corrected is None and (
        needs_title(component)
        or _lacks_group(component)
        or (component.kind not in DISTRIBUTION_KINDS and declared_cpe(component) is not None)
    )


def _lacks_group(component: Component) -> bool:
    """Say whether a jar names its artifact only: what a file name gives, and too little to be sure of."""
    return component.kind == "maven" and ":" not in component.name


def note_covered(session: Session) -> None:
    """Mark packages of releases in `changed_ecosystem`: they can be judged from now on."""
    session.execute(
        text(
            "update component set identified = 'identified' where identified = 'unsupported'"
            " and version is not null and namespace in (select name from changed_ecosystem)"
        )
    )


def covered_releases(session: Session) -> frozenset[str]:
    """Give the distribution releases that any current statement is about."""
    return frozenset(session.scalars(text("select name from ecosystem")))


def _family(component: Component) -> str:
    """Give the os family a component runs on; distribution packages are of Linux, language packages of any."""
    if component.kind in DISTRIBUTION_KINDS:
        return "linux"
    return component.namespace or "other"


def _state(component: Component, found: list[Identity], covered: frozenset[str]) -> str:
    judged = [one for one in found if one.judged]
    if component.kind in DISTRIBUTION_KINDS:
        if component.namespace and not judged:
            return "no_version"  # none was given, or none that its scheme can order
        own = [one for one in judged if one.method not in LATER_METHODS]  # an ended release stays ended
        if not component.namespace or not any(one.product.ecosystem in covered for one in own):
            return "unsupported" if component.version else "no_version"
        return "identified"
    if judged:
        return "identified"
    if component.kind == "os":
        return "identified" if found else "unidentified"
    if _lacks_group(component):
        return "unidentified"
    if declared_products(component):
        return "no_version"
    return _without_products(component)


def _without_products(component: Component) -> str:
    if is_update(component):
        return "ignored"  # an update of a program is no program; whether it is missing is asked elsewhere
    correction = correction_of(component)
    if correction is None:
        return "unidentified"
    return "no_version" if correction.products else "unlisted"


def _store(session: Session, identities: dict[int, list[Identity]]) -> set[tuple[int, int, bytes]]:
    """Replace what is stored; give the component, product and version key that are stored on one side only."""
    products = sorted({one.product for found in identities.values() for one in found})
    ids = _product_ids(session, [(product.ecosystem, product.name) for product in products])
    deleted = session.execute(
        text(
            "delete from component_product where component_id = any(cast(:ids as bigint[]))"
            " returning component_id, product_id, version_key"
        ),
        {"ids": list(identities)},
    )
    before = {(row.component_id, row.product_id, bytes(row.version_key)) for row in deleted}

    def rows() -> Iterable[tuple[object, ...]]:
        for component_id, found in identities.items():
            for one in found:
                product_id = ids[(one.product.ecosystem, one.product.name)]
                yield (
                    component_id,
                    product_id,
                    str(one.scheme),
                    one.version,
                    one.version_key,
                    one.cpe,
                    one.context,
                    one.judged,
                    one.method,
                    one.confidence,
                )

    copy_rows(
        session,
        "component_product",
        (
            "component_id",
            "product_id",
            "scheme",
            "version",
            "version_key",
            "cpe",
            "context",
            "judged",
            "method",
            "confidence",
        ),
        rows(),
    )
    after = {
        (component_id, ids[(one.product.ecosystem, one.product.name)], one.version_key)
        for component_id, found in identities.items()
        for one in found
    }
    return before ^ after


def _product_ids(session: Session, products: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    values = {"ecosystems": [one[0] for one in products], "names": [one[1] for one in products]}
    wanted = "select * from unnest(cast(:ecosystems as text[]), cast(:names as text[])) as w(ecosystem, name)"
    session.execute(
        text(
            f"insert into product (ecosystem, name) select w.ecosystem, w.name from ({wanted}) w"  # noqa: S608
            " where not exists (select from product p where p.ecosystem = w.ecosystem and p.name = w.name)"
            " on conflict (ecosystem, name) do nothing"
        ),
        values,
    )
    found = session.execute(
        text(
            f"select p.ecosystem, p.name, p.id from ({wanted}) w"  # noqa: S608
            " join product p on p.ecosystem = w.ecosystem and p.name = w.name"
        ),
        values,
    )
    return {(row.ecosystem, row.name): row.id for row in found}
