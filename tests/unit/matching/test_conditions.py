"""Platform conditions: yes, no, and "the inventory cannot tell"."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Condition, Product, Term, TermGroup
from sentrikat.domain.matching.conditions import Platform, condition_holds
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme, key

WINDOWS, MACOS = Product("cpe:o", "microsoft:windows"), Product("cpe:o", "apple:macos")
ROPE, SAW = Product("cpe:a", "acme:rope"), Product("cpe:a", "acme:saw")
HAMMER = Product("cpe:h", "acme:hammer")


def runs(*products: Product, system_known: bool = True, version: str = "2.0") -> Platform:
    return Platform({one: (key(Scheme.GENERIC, version),) for one in products}, system_known)


def any_of(*products: Product, negate: bool = False, versions: VersionRange | None = None) -> TermGroup:
    return TermGroup(tuple(Term(one, versions) for one in products), negate)


@pytest.mark.parametrize(
    ("groups", "platform", "answer"),
    [
        ((), runs(), True),
        ((any_of(WINDOWS),), runs(WINDOWS), True),
        ((any_of(WINDOWS),), runs(MACOS), False),
        ((any_of(WINDOWS, MACOS),), runs(MACOS), True),  # within a group any platform will do
        ((any_of(WINDOWS), any_of(ROPE)), runs(WINDOWS), False),  # every group must hold
        ((any_of(WINDOWS), any_of(ROPE)), runs(WINDOWS, ROPE), True),
        # what inventories do not hold
        ((any_of(HAMMER),), runs(WINDOWS), None),
        ((any_of(HAMMER, ROPE),), runs(ROPE), True),  # the other platform is there
        ((any_of(HAMMER), any_of(ROPE)), runs(WINDOWS), False),  # False wins over unknown
        ((any_of(WINDOWS),), runs(ROPE, system_known=False), None),
        ((any_of(ROPE),), runs(system_known=False), False),  # applications are in inventories
        # negated
        ((any_of(ROPE, negate=True),), runs(ROPE), False),
        ((any_of(ROPE, negate=True),), runs(SAW), True),
        ((any_of(HAMMER, negate=True),), runs(), None),
        # versions of the platform
        ((any_of(ROPE, versions=VersionRange(Scheme.GENERIC, fixed="3.0")),), runs(ROPE), True),
        ((any_of(ROPE, versions=VersionRange(Scheme.GENERIC, fixed="2.0")),), runs(ROPE), False),
        ((any_of(ROPE, versions=VersionRange(Scheme.PEP440, fixed="no version")),), runs(ROPE), True),
    ],
)
def test_a_condition(groups: tuple[TermGroup, ...], platform: Platform, answer: bool | None) -> None:
    assert condition_holds(Condition(groups), platform) is answer
