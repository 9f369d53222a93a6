"""The order of priority: column by column, as one integer, and when everything is overdue."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization.order import (
    EPSS_STEPS,
    PRIORITY_ORDER_VERSION,
    Exposure,
    PriorityInputs,
    Tier,
    priority,
    priority_rank,
    tier_of,
)
from sentrikat.domain.prioritization.outcome import Outcome

DAY = date(2026, 11, 23)
MIDDLE = PriorityInputs(
    exploited=False,
    ransomware=False,
    tier=Tier.EXPEDITED,
    exposure=Exposure.UNKNOWN,
    epss=0.5,
    cvss=7.0,
    criticality=2,
    due_on=DAY,
    id=50,
)

COLUMNS: list[tuple[str, Any, Any]] = [
    # in the order of the document: a better value, then a worse one
    ("exploited", True, False),
    ("ransomware", True, False),
    ("tier", Tier.EMERGENCY, Tier.ROUTINE),
    ("exposure", Exposure.PUBLIC, Exposure.INTERNAL),
    ("epss", 0.9, 0.1),
    ("cvss", 9.8, 2.0),
    ("criticality", 4, 1),
    ("due_on", DAY - timedelta(days=300), DAY + timedelta(days=300)),
    ("id", 99, 1),
]


@pytest.mark.parametrize("position", range(len(COLUMNS)))
def test_a_column_outweighs_all_columns_after_it(position: int) -> None:
    name, better, worse = COLUMNS[position]
    ahead = replace(MIDDLE, **{name: better}, **{n: bad for n, _, bad in COLUMNS[position + 1 :]})
    behind = replace(MIDDLE, **{name: worse}, **{n: good for n, good, _ in COLUMNS[position + 1 :]})

    assert priority(ahead).key > priority(behind).key
    if name != "id":
        assert priority_rank(ahead) > priority_rank(behind)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"exposure": Exposure.PUBLIC}, {"exposure": Exposure.UNKNOWN}),
        ({"exposure": Exposure.UNKNOWN}, {"exposure": Exposure.INTERNAL}),
        ({"cvss": None}, {"cvss": 4.9}),  # unscored is not harmless
        ({"cvss": 5.1}, {"cvss": None}),
        ({"epss": 0.00001}, {"epss": None}),
        ({"criticality": 3}, {"criticality": None}),
        ({"due_on": DAY}, {"due_on": None}),
        ({"due_on": DAY}, {"due_on": DAY + timedelta(days=1)}),
    ],
)
def test_unknown_values_have_their_place(better: dict[str, Any], worse: dict[str, Any]) -> None:
    assert priority_rank(replace(MIDDLE, **better)) > priority_rank(replace(MIDDLE, **worse))


INPUTS = st.builds(
    PriorityInputs,
    exploited=st.booleans(),
    ransomware=st.booleans(),
    tier=st.sampled_from(Tier),
    exposure=st.sampled_from(Exposure),
    epss=st.none() | st.floats(0, 1),
    cvss=st.none() | st.floats(0, 10),
    criticality=st.none() | st.integers(0, 4),
    due_on=st.none() | st.dates(),
    id=st.integers(0, 2**63 - 1),
)


@given(INPUTS, INPUTS)
def test_the_integer_sorts_like_the_columns(one: PriorityInputs, other: PriorityInputs) -> None:
    left, right = priority(one).key[:-1], priority(other).key[:-1]

    assert (left > right) == (priority_rank(one) > priority_rank(other))
    assert (left == right) == (priority_rank(one) == priority_rank(other))


@given(INPUTS)
def test_the_integer_fits_a_bigint(inputs: PriorityInputs) -> None:
    assert 0 <= priority_rank(inputs) < 2**49


@given(INPUTS)
def test_the_bits_are_where_the_table_says(inputs: PriorityInputs) -> None:
    """What SQL would compute from the columns."""
    key, rank = priority(inputs).key, priority_rank(inputs)

    assert rank == (
        key.exploited * 2**48
        + key.ransomware * 2**47
        + key.tier * 2**44
        + key.exposure * 2**42
        + key.epss * 2**25
        + key.cvss * 2**18
        + key.criticality * 2**15
        + key.sooner
    )


@given(INPUTS)
def test_everything_has_a_place_and_reasons(inputs: PriorityInputs) -> None:
    found = priority(inputs)

    assert found.key.epss <= EPSS_STEPS
    assert found.reasons[0] in ("Known to be exploited.", "Not known to be exploited.")
    assert all(reason.endswith(".") for reason in found.reasons)


def test_128_overdue_findings_are_ordered_by_what_matters_among_them() -> None:
    """Every one is overdue, so "overdue" tells nothing; threat, exposure and likelihood still do."""
    chance = random.Random(128)
    findings = [
        PriorityInputs(
            exploited=number % 3 == 0,
            ransomware=number % 9 == 0,
            tier=chance.choice(list(Tier)[:4]),
            exposure=chance.choice(list(Exposure)),
            epss=round(chance.random() ** 4, 5),
            cvss=round(chance.uniform(2, 10), 1),
            criticality=chance.randint(1, 4),
            due_on=DAY - timedelta(days=chance.randint(1, 900)),
            id=number,
        )
        for number in range(128)
    ]

    ranked = sorted(findings, key=lambda each: (priority_rank(each), each.id), reverse=True)

    assert ranked == sorted(findings, key=lambda each: priority(each).key, reverse=True)
    assert len({priority_rank(each) for each in findings}) == 128  # no two share a place
    exploited = [each.exploited for each in ranked]
    assert exploited == sorted(exploited, reverse=True)
    tiers = [each.tier for each in ranked if each.exploited and not each.ransomware]
    assert tiers == sorted(tiers, reverse=True)
    assert ranked[0].exploited
    assert ranked[0].ransomware


def test_of_two_alike_the_longer_overdue_comes_first() -> None:
    old, young = (
        replace(MIDDLE, due_on=DAY - timedelta(days=90)),
        replace(MIDDLE, due_on=DAY - timedelta(days=2)),
    )

    assert priority_rank(old) > priority_rank(young)


def test_the_order_stays_the_same_while_time_passes() -> None:
    """Nothing in it depends on today, so a stored rank stays right until an input changes."""
    assert "now" not in PriorityInputs.__annotations__
    assert PRIORITY_ORDER_VERSION == 2


@pytest.mark.parametrize(
    ("outcome", "days", "printed", "tier", "word"),
    [
        ("3_days_forensic", 3, None, Tier.EMERGENCY, "emergency"),
        ("3_days", 3, None, Tier.URGENT, "urgent"),
        ("7_days", 7, None, Tier.EXPEDITED, "expedited"),
        ("14_days", 14, None, Tier.EXPEDITED, "expedited"),
        ("60_days", 60, None, Tier.SCHEDULED, "scheduled"),
        ("90_days", 90, None, Tier.SCHEDULED, "scheduled"),
        ("180_days", 180, None, Tier.ROUTINE, "routine"),
        ("next_upgrade", None, None, Tier.ROUTINE, "routine"),
        ("by_date", None, 21, Tier.SCHEDULED, "scheduled"),  # BOD 22-01: days between the two dates
    ],
)
def test_the_tier_follows_the_days(
    outcome: str, days: int | None, printed: int | None, tier: Tier, word: str
) -> None:
    found = tier_of(Outcome("p", outcome, days, ()), printed)

    assert found is tier
    assert found.word == word


def test_no_policy_is_routine() -> None:
    assert tier_of(None) is Tier.ROUTINE


@pytest.mark.parametrize(
    "wrong",
    [
        {"epss": 1.1},
        {"epss": -0.1},
        {"epss": float("nan")},
        {"cvss": 10.1},
        {"criticality": 5},
        {"criticality": -1},
    ],
)
def test_values_outside_their_scale_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        priority_rank(replace(MIDDLE, **wrong))
