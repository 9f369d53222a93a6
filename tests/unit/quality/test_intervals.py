from __future__ import annotations

import pytest

from tests.quality.intervals import Interval, intervals, of_shares
from tests.quality.scoring import Case, Prediction, Reference, Score, score


def scored(hits: int, alarms: int, missed: int) -> Score:
    affected = frozenset(f"CVE-2099-1{number:03}" for number in range(hits + missed))
    denied = frozenset(f"CVE-2099-2{number:03}" for number in range(alarms))
    found = frozenset(sorted(affected)[:hits]) | denied
    return score(
        Case("r", "E5", "npm", ambiguous=False, components=1, affected=affected, not_affected=denied),
        Prediction(found),
    )


ALL_LOADED = Reference(in_pack=frozenset(f"CVE-2099-1{number:03}" for number in range(100)))


def test_cases_that_are_all_alike_leave_no_doubt() -> None:
    found = intervals([scored(3, 1, 1)] * 20, ALL_LOADED)

    assert found.precision == Interval(0.75, 0.75)
    assert found.recall_in_pack == Interval(0.75, 0.75)


def test_an_interval_holds_its_figure_and_narrows_with_more_cases() -> None:
    few = intervals([scored(1, 0, 0), scored(0, 1, 1)] * 5, ALL_LOADED).precision
    many = intervals([scored(1, 0, 0), scored(0, 1, 1)] * 100, ALL_LOADED).precision

    assert few is not None
    assert many is not None
    assert few.low < many.low < 0.5 < many.high < few.high


def test_what_was_not_measured_has_no_interval() -> None:
    assert intervals([], ALL_LOADED).precision is None
    assert intervals([scored(0, 0, 0)], ALL_LOADED).recall_in_pack is None


@pytest.mark.parametrize(
    ("flags", "held"),
    [([True] * 9, Interval(1.0, 1.0)), ([False] * 9, Interval(0.0, 0.0)), ([], None)],
)
def test_shares_of_one_kind_leave_no_doubt(flags: list[bool], held: Interval | None) -> None:
    assert of_shares(flags) == held


def test_the_same_cases_give_the_same_interval() -> None:
    cases = [scored(2, 1, 0), scored(1, 0, 1), scored(0, 2, 2)]

    assert intervals(cases, ALL_LOADED) == intervals(cases, ALL_LOADED)
