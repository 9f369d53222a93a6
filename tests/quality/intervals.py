"""How far a figure can be trusted: bootstrap intervals over cases, because the sets are small. Pure.

A set of cases is drawn again from itself, with replacement, and the figure computed anew; the middle 95 % of what
comes out is the interval. Cases are drawn, not labels: the labels of one inventory stand or fall together.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.quality.scoring import Reference, Score, f1, ratio

DRAWS = 1000
_SEED = 20261123  # the same cases give the same interval
_SHARE_OUTSIDE = 0.05

Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of an interval, both within 0..1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of a group of scores; None where nothing could be measured."""

    precision: Interval | None
    recall_in_pack: Interval | None
    f1_in_pack: Interval | None


def intervals(scores: Sequence[Score], reference: Reference) -> Intervals:
    """Give the intervals of one group."""
    counts = [
        (
            len(one.hits),
            len(one.false_alarms),
            len(one.hits & reference.in_pack),
            len(one.missed & reference.in_pack),
        )
        for one in scores
    ]
    drawn = _draws(counts)
    return Intervals(
        precision=_middle(drawn, lambda held: ratio(held[0], held[0] + held[1])),
        recall_in_pack=_middle(drawn, lambda held: ratio(held[2], held[2] + held[3])),
        f1_in_pack=_middle(drawn, lambda held: f1(held[2], held[1], held[3])),
    )


def of_shares(flags: Sequence[bool]) -> Interval | None:
    """Give the interval of the share of `flags` that are set."""
    return _middle(_draws([(int(one), 1) for one in flags]), lambda held: ratio(held[0], held[1]))


def _draws(counts: Sequence[Counts]) -> list[Counts]:
    """Give the sums of each draw."""
    if not counts:
        return []
    generator = random.Random(_SEED)
    return [
        tuple(map(sum, zip(*generator.choices(counts, k=len(counts)), strict=True))) for _ in range(DRAWS)
    ]


def _middle(drawn: Sequence[Counts], figure: Callable[[Counts], float | None]) -> Interval | None:
    found = sorted(value for held in drawn if (value := figure(held)) is not None)
    if not found:
        return None
    outside = int(len(found) * _SHARE_OUTSIDE / 2)
    return Interval(found[outside], found[-1 - outside])
