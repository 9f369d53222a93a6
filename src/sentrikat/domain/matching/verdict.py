"""The verdict on one component and one flaw, with its evidence.

The rule, which the set-based statement in `findings.match` repeats for whole estates (a property test holds
the two together):

1. A claim applies when it is about a product the component is, is not limited to another module stream, and is
   not limited to a target (operating system, host application) the component does not have.
2. Sources are heard by rank, and all of them about the component's own release before any of them about the release it
   is rebuilt from or branched off (`Identity.distance`). The best-ranked source with a described claim decides, even when none of its spans
   covers the version: it speaks about this product, and does not name this version.
3. Within that source the strongest covering claim decides (`Strength`).
4. Where no source describes versions at all, the verdict is unknown: a covering claim that names no versions is
   "review", never "affected" and never "safe".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.target import target_holds
from sentrikat.domain.matching.claim import Claim, Identity, Strength
from sentrikat.domain.matching.context import read_context


class Outcome(StrEnum):
    """What is said of a component and a flaw."""

    AFFECTED = "affected"
    NOT_AFFECTED = "not_affected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome with its evidence.

    `chosen`      the claim that decided; None when no source says anything of this component
    `identity`    the identity through which `chosen` applies
    `losing`      applicable claims of other sources that say otherwise
    `conditions`  claims of the deciding kind whose platform conditions must be checked on the asset; empty:
                  the verdict needs no condition
    """

    outcome: Outcome
    chosen: Claim | None
    identity: Identity | None
    losing: tuple[Claim, ...] = ()
    conditions: tuple[Claim, ...] = ()


def applies(claim: Claim, identity: Identity, module: str | None) -> bool:
    """Say whether a claim on the identity's product may judge the component at all."""
    if claim.module is not None and claim.module != (module_stream(module) or ""):
        return False
    if not claim.target:
        return True
    name, os_family = read_context(identity.context)
    return target_holds(claim.target, name, os_family) is not False


def module_stream(module: str | None) -> str | None:
    """Give `name:stream` of an rpm modularity label `name:stream:version:context:arch`."""
    if module is None:
        return None
    return ":".join(module.split(":")[:2])


def judge(identities: Sequence[Identity], claims: Iterable[Claim], module: str | None = None) -> Verdict:
    """Judge one component by all current claims about one flaw."""
    by_product: dict[Product, Identity] = {}
    for one in identities:
        if one.judged:
            by_product.setdefault(one.product, one)  # the first is the most trusted, as where they are stored
    pairs = [
        (claim, by_product[claim.product])
        for claim in claims
        if claim.product in by_product and applies(claim, by_product[claim.product], module)
    ]
    if not pairs:
        return Verdict(Outcome.NOT_AFFECTED, None, None)
    described = [_place(pair) for pair in pairs if pair[0].described]
    if described:
        deciding = min(described)
        heard = [pair for pair in pairs if _place(pair) == deciding]
        covering = [(claim, one) for claim, one in heard if claim.covers(one.version_key)]
        strength = max((claim.strength for claim, _ in covering), default=Strength.NONE)
        if strength is Strength.NONE:
            investigating = [pair for pair in covering if pair[0].described]
            if investigating:
                chosen, identity = _first(investigating)
                return _with_losers(Outcome.UNKNOWN, chosen, identity, pairs, investigating)
            chosen, identity = _nearest([pair for pair in heard if pair[0].described])
            return _with_losers(Outcome.NOT_AFFECTED, chosen, identity, pairs)
        strongest = [pair for pair in covering if pair[0].strength is strength]
        chosen, identity = _first(strongest)
        if strength is Strength.EXEMPT:
            return _with_losers(Outcome.NOT_AFFECTED, chosen, identity, pairs)
        return _with_losers(Outcome.AFFECTED, chosen, identity, pairs, strongest)
    covering = [(claim, one) for claim, one in pairs if claim.covers(one.version_key)]
    if not covering:
        chosen, identity = _nearest(pairs)
        return Verdict(Outcome.NOT_AFFECTED, chosen, identity)
    best = min(map(_place, covering))
    reviewed = [pair for pair in covering if _place(pair) == best]
    chosen, identity = _first(reviewed)
    return _with_losers(Outcome.UNKNOWN, chosen, identity, pairs, reviewed)


def _place(pair: tuple[Claim, Identity]) -> int:
    """Give when a claim is heard: by its source's rank, a parent release's after the own release's."""
    claim, identity = pair
    return claim.rank + identity.distance


def _first(pairs: Sequence[tuple[Claim, Identity]]) -> tuple[Claim, Identity]:
    """Give the claim to show: one that names a repair, then an unconditional one, then the oldest held."""
    return min(pairs, key=lambda pair: (pair[0].fixed is None, pair[0].condition_id is not None, pair[0].id))


def _nearest(pairs: Sequence[tuple[Claim, Identity]]) -> tuple[Claim, Identity]:
    """Give the span to show for "outside every span": the highest one the version has passed, else the first."""
    passed = [pair for pair in pairs if pair[0].hi is not None and pair[1].version_key >= pair[0].hi]
    if passed:
        return max(passed, key=lambda pair: (pair[0].hi or b"", -pair[0].id))
    return min(pairs, key=lambda pair: pair[0].id)


def _with_losers(
    outcome: Outcome,
    chosen: Claim,
    identity: Identity,
    pairs: Sequence[tuple[Claim, Identity]],
    deciding: Sequence[tuple[Claim, Identity]] = (),
) -> Verdict:
    heard = _place((chosen, identity))
    losing = tuple(
        claim
        for claim, one in pairs
        if _place((claim, one)) != heard
        and (claim.covers(one.version_key) and claim.strength in (Strength.BLANKET, Strength.BOUNDED))
        is not (outcome is Outcome.AFFECTED)
    )
    unconditional = any(claim.condition_id is None for claim, _ in deciding)
    conditions = () if unconditional else tuple(claim for claim, _ in deciding)
    return Verdict(outcome, chosen, identity, losing, conditions)
