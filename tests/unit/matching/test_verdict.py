"""The verdict on one component and one flaw: who is heard, what weighs more, and what stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

from sentrikat.domain.advisory import Condition, Product, Status
from sentrikat.domain.matching.claim import Claim, Identity, Strength
from sentrikat.domain.matching.verdict import Outcome, judge, module_stream
from sentrikat.domain.matching.wording import source_name
from sentrikat.domain.ranges import VersionRange, bounds
from sentrikat.domain.versions import Scheme, key
from sentrikat.feeds.registry import FEEDS

ANVIL = Product("cpe:a", "acme:anvil")
ROPE = Product("cpe:a", "acme:rope")


def identity(version: str = "2.0", product: Product = ANVIL, **more: Any) -> Identity:
    return Identity(
        product,
        Scheme.GENERIC,
        version,
        key(Scheme.GENERIC, version),
        "declared_cpe",
        1.0,
        **{"context": "linux"} | more,
    )


def claim(
    number: int,
    *,
    introduced: str | None = None,
    fixed: str | None = None,
    rank: int = 1,
    status: Status = Status.AFFECTED,
    described: bool = True,
    product: Product = ANVIL,
    **more: Any,
) -> Claim:
    lo, hi = bounds(VersionRange(Scheme.GENERIC, introduced, fixed))
    return Claim(
        id=number,
        vulnerability="CVE-2026-1",
        source=f"rank-{rank}",
        advisory="CVE-2026-1",
        rank=rank,
        product=product,
        status=status,
        described=described,
        remedy=None,
        scheme=Scheme.GENERIC,
        lo=lo,
        hi=hi,
        introduced=introduced,
        fixed=fixed,
        **more,
    )


UNAFFECTED, INVESTIGATING = Status.UNAFFECTED, Status.INVESTIGATING
A, N, U = Outcome.AFFECTED, Outcome.NOT_AFFECTED, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("claims", "outcome", "chosen"),
    [
        # -- nobody says anything
        ([], N, None),
        ([claim(1, product=ROPE)], N, None),  # of another product
        # -- bounds
        ([claim(1, fixed="3.0")], A, 1),
        ([claim(1, fixed="2.0")], N, 1),  # the fixed version is outside
        ([claim(1, introduced="2.0")], A, 1),  # the introducing one is inside
        ([claim(1, fixed="1.0"), claim(2, fixed="1.5")], N, 2),  # the highest span it has passed is shown
        ([claim(1, introduced="3.0"), claim(2, introduced="4.0")], N, 1),  # it has passed none: the first
        # -- rank: the best-ranked source that describes the product has the last word
        ([claim(1, fixed="3.0", rank=2), claim(2, fixed="1.0", rank=1)], N, 2),
        ([claim(1, fixed="1.0", rank=2), claim(2, fixed="3.0", rank=1)], A, 2),
        (
            [claim(1, fixed="3.0", rank=2), claim(2, described=False, rank=1)],
            A,
            1,
        ),  # names no versions: not heard
        ([claim(1, rank=2), claim(2, status=INVESTIGATING, rank=1)], U, 2),  # "still looking" is a word
        # -- strength, within one source
        ([claim(1), claim(2, status=UNAFFECTED, introduced="1.5")], N, 2),  # all, but not from 1.5 on
        ([claim(1, status=UNAFFECTED), claim(2, introduced="1.0", fixed="3.0")], A, 2),  # none, but these
        ([claim(1, status=UNAFFECTED), claim(2, introduced="2.5")], N, 1),
        ([claim(1), claim(2, fixed="3.0")], A, 2),  # bounds say more than "all"
        ([claim(1, status=INVESTIGATING), claim(2, status=UNAFFECTED)], N, 2),
        # -- nobody names versions: review
        ([claim(1, described=False)], U, 1),
        ([claim(1, described=False, rank=2), claim(2, described=False, rank=1)], U, 2),
        ([claim(1, described=False), claim(2, fixed="1.0", rank=3)], N, 2),  # who describes decides
        # -- which of equals is shown
        ([claim(1, introduced="1.0"), claim(2, fixed="3.0")], A, 2),  # the one that names a repair
        ([claim(3, fixed="3.0"), claim(2, fixed="4.0")], A, 2),  # the one held longest
    ],
)
def test_the_verdict(claims: list[Claim], outcome: Outcome, chosen: int | None) -> None:
    verdict = judge([identity()], claims)

    assert verdict.outcome is outcome
    assert (verdict.chosen.id if verdict.chosen else None) == chosen


def test_the_order_of_claims_and_identities_decides_nothing() -> None:
    claims = [
        claim(1),
        claim(2, fixed="3.0", rank=2),
        claim(3, status=UNAFFECTED, introduced="1.9"),
        claim(4, product=ROPE, rank=2),
    ]
    identities = [identity(), identity("1.0", ROPE)]

    one, other = judge(identities, claims), judge(identities[::-1], claims[::-1])
    assert (one.outcome, one.chosen, one.identity) == (other.outcome, other.chosen, other.identity)
    assert set(one.losing) == set(other.losing)


def test_any_product_that_a_component_is_may_be_the_affected_one() -> None:
    verdict = judge([identity("5.0"), identity("1.0", ROPE)], [claim(1, fixed="3.0", product=ROPE)])

    assert verdict.outcome is A
    assert verdict.identity is not None
    assert verdict.identity.product == ROPE


def test_an_identity_that_only_serves_conditions_is_never_judged() -> None:
    assert judge([identity(judged=False)], [claim(1)]).chosen is None


def test_of_a_product_named_twice_the_first_name_counts() -> None:
    verdict = judge([identity("1.0"), identity("9.0")], [claim(1, fixed="3.0")])

    assert verdict.outcome is A


def test_sources_that_say_otherwise_are_kept_as_evidence() -> None:
    agrees, denies = claim(2, fixed="4.0", rank=2), claim(3, fixed="1.0", rank=3)
    verdict = judge([identity()], [claim(1, fixed="3.0"), agrees, denies])

    assert verdict.losing == (denies,)
    assert judge([identity()], [claim(1, fixed="1.0"), agrees]).losing == (agrees,)


# -- limits of a statement ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "module", "applies"),
    [
        (None, None, True),
        (None, "nodejs:18:9:x", True),  # not limited
        ("nodejs:18", "nodejs:18:8060020230306:ad008a3a", True),
        ("nodejs:18", "nodejs:18", True),
        ("nodejs:18", "nodejs:20:9:x", False),  # another stream
        ("nodejs:18", None, False),  # not of a module
        ("nodejs", "nodejs", True),
    ],
)
def test_a_statement_on_a_module_stream_judges_that_stream_only(
    wanted: str | None, module: str | None, applies: bool
) -> None:
    assert (judge([identity()], [claim(1, module=wanted)], module).outcome is A) is applies


def test_a_module_label_is_cut_to_name_and_stream() -> None:
    assert module_stream("nodejs:18:8060020230306:ad008a3a") == "nodejs:18"
    assert module_stream("nodejs") == "nodejs"
    assert module_stream(None) is None


@pytest.mark.parametrize(
    ("target", "context", "applies"),
    [
        ("windows", "windows", True),
        ("windows", "linux", False),
        ("windows", "other", True),  # it may be anything: unknown is not safe
        ("wordpress", "linux cpe:2.3:a:*:*:*:*:*:*:*:wordpress:*:*", True),
        ("wordpress", "linux cpe:2.3:a:*:*:*:*:*:*:*:joomla:*:*", False),
    ],
)
def test_a_statement_for_a_target_judges_what_has_it_or_may_have_it(
    target: str, context: str, applies: bool
) -> None:
    limited = claim(1, target=(("target_sw", target),))

    assert (judge([identity(context=context)], [limited]).outcome is A) is applies


# -- conditions --------------------------------------------------------------------------

SOME = Condition(())


@pytest.mark.parametrize(
    ("claims", "asked"),
    [
        ([claim(1, condition=SOME, condition_id=7)], (1,)),
        ([claim(1, condition=SOME, condition_id=7), claim(2, condition=SOME, condition_id=8)], (1, 2)),  # any
        ([claim(1, condition=SOME, condition_id=7), claim(2)], ()),  # one needs none: no question is left
        ([claim(1, condition=SOME, condition_id=7), claim(2, fixed="3.0")], ()),  # the stronger one decides
        ([claim(1, described=False, condition=SOME, condition_id=7)], (1,)),
        ([claim(1, status=INVESTIGATING, condition=SOME, condition_id=7)], (1,)),
    ],
)
def test_the_conditions_to_check_are_those_of_the_deciding_claims(
    claims: list[Claim], asked: tuple[int, ...]
) -> None:
    assert tuple(one.id for one in judge([identity()], claims).conditions) == asked


@pytest.mark.parametrize(
    ("of", "strength"),
    [
        (claim(1, described=False), Strength.NONE),
        (claim(1, status=INVESTIGATING, fixed="3.0"), Strength.NONE),
        (claim(1), Strength.BLANKET),
        (claim(1, status=UNAFFECTED), Strength.EXEMPT),
        (claim(1, status=UNAFFECTED, fixed="3.0"), Strength.EXEMPT),
        (claim(1, fixed="3.0"), Strength.BOUNDED),
        (claim(1, introduced="1.0"), Strength.BOUNDED),
    ],
)
def test_bounds_beat_exemption_beats_blanket_words(of: Claim, strength: Strength) -> None:
    assert of.strength is strength
    assert Strength.NONE < Strength.BLANKET < Strength.EXEMPT < Strength.BOUNDED


def test_every_source_of_statements_and_facts_has_a_name_that_people_know() -> None:
    unnamed = {one.name for one in FEEDS if source_name(one.name) == one.name}

    assert unnamed == {"nvd_cpe", "endoflife"}  # lists of products, which say nothing about a flaw
