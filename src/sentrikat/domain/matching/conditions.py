"""Platform conditions: what else an asset must run for a statement to apply to it.

Three answers. True and False where the inventory can tell; None ("assumed") where it cannot: hardware is not
in inventories, and an operating system nobody named is no proof of absence. Assumed conditions make findings,
marked as such, because unknown is never shown as safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentrikat.domain.advisory import Condition, Product, Term, TermGroup
from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.ranges import bounds


@dataclass(frozen=True, slots=True)
class Platform:
    """What runs on one asset: version keys by product, and whether its operating system is among them."""

    products: Mapping[Product, tuple[bytes, ...]]
    system_known: bool

    def runs(self, term: Term) -> bool:
        """Say whether a product of the term, at a version the term covers, is there."""
        keys = self.products.get(term.product)
        if not keys:
            return False
        if term.versions is None:
            return True
        try:
            low, high = bounds(term.versions)
        except InvalidVersion:
            return True  # bounds nobody can order: a condition too wide shows too much, not too little
        return any(low <= key and (high is None or key < high) for key in keys)


def group_holds(group: TermGroup, platform: Platform) -> bool | None:
    """Say whether any platform of the group is there; negated, whether none is."""
    if any(platform.runs(term) for term in group.terms):
        return not group.negate
    if any(
        term.product.ecosystem == "cpe:h" or (term.product.ecosystem == "cpe:o" and not platform.system_known)
        for term in group.terms
    ):
        return None
    return group.negate


def condition_holds(condition: Condition, platform: Platform) -> bool | None:
    """Say whether every group holds; False wins over unknown."""
    answers = [group_holds(group, platform) for group in condition.groups]
    if False in answers:
        return False
    return None if None in answers else True
