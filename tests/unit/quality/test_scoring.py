from __future__ import annotations

from dataclasses import replace

import pytest

from tests.quality.scoring import (
    Case,
    Identified,
    Prediction,
    Reference,
    Updates,
    figures,
    score,
    updates_found,
)

OPEN = Case(
    ref="r",
    set="E5",
    lane="debian:11",
    ambiguous=False,
    components=1,
    affected=frozenset({"CVE-1", "CVE-2"}),
    not_affected=frozenset({"CVE-3"}),
)
CLOSED = replace(OPEN, not_affected=frozenset(), universe=frozenset({"CVE-1", "CVE-2", "CVE-3", "CVE-4"}))


def predicted(*names: str, unknown: int = 0) -> Prediction:
    return Prediction(frozenset(names), unknown)


def test_an_open_world_does_not_blame_what_no_label_denies() -> None:
    scored = score(OPEN, predicted("CVE-1", "CVE-3", "CVE-9"))

    assert scored.hits == {"CVE-1"}
    assert scored.false_alarms == {"CVE-3"}
    assert scored.missed == {"CVE-2"}
    assert scored.unlabeled == 1


def test_a_closed_world_blames_everything_its_universe_holds_and_the_label_does_not() -> None:
    scored = score(CLOSED, predicted("CVE-1", "CVE-4", "CVE-9"))

    assert scored.false_alarms == {"CVE-4"}
    assert scored.unlabeled == 1  # outside the universe nobody decided


def test_a_label_that_contradicts_itself_counts_as_affected() -> None:
    torn = replace(OPEN, not_affected=frozenset({"CVE-1"}))

    assert score(torn, predicted("CVE-1", "CVE-2")).false_alarms == frozenset()


def test_figures_sum_over_labels_and_average_over_labeled_cases() -> None:
    perfect = score(replace(OPEN, affected=frozenset({"CVE-1"})), predicted("CVE-1"))
    blind = score(
        replace(OPEN, affected=frozenset({"CVE-1", "CVE-2", "CVE-3"}), not_affected=frozenset()), predicted()
    )
    unlabeled = score(replace(OPEN, affected=frozenset(), not_affected=frozenset()), predicted("CVE-9"))

    found = figures([perfect, blind, unlabeled], Reference())

    assert found.recall == pytest.approx(1 / 4)
    assert found.precision == 1.0
    assert found.f1_macro == pytest.approx(1 / 2)  # the case without a label is no case of it
    assert found.unlabeled_rate == pytest.approx(1 / 2)


def test_recall_is_given_twice_so_that_missing_data_is_not_blamed_on_the_matcher() -> None:
    scored = score(OPEN, predicted("CVE-1"))

    found = figures([scored], Reference(in_pack=frozenset({"CVE-1"})))

    assert found.recall == pytest.approx(1 / 2)
    assert found.recall_in_pack == 1.0


def test_exploited_flaws_count_only_where_the_pack_describes_them() -> None:
    scored = score(OPEN, predicted("CVE-1"))

    found = figures(
        [scored], Reference(in_pack=frozenset({"CVE-1"}), exploited=frozenset({"CVE-1", "CVE-2"}))
    )

    assert (found.exploited, found.exploited_recall) == (1, 1.0)


def test_nothing_measured_is_none_and_not_zero() -> None:
    found = figures([], Reference())

    assert (found.precision, found.recall, found.f1_macro, found.unknown_rate) == (None, None, None, None)


def test_unknown_components_are_counted_against_all_components() -> None:
    scored = score(replace(OPEN, components=4), predicted(unknown=1))

    assert figures([scored], Reference()).unknown_rate == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("expected", "found", "verdict"),
    [
        (("a", "zoom", "zoom"), ("a", "zoom", "zoom"), "right"),
        (("a", "zoom", "zoom"), ("a", "zoom", "rooms"), "wrong"),
        (("a", "zoom", "zoom"), None, "missing"),
        (None, ("a", "zoom", "zoom"), "false_alarm"),  # nothing fits, and something was claimed
        (None, None, "right"),
    ],
)
def test_a_name_is_right_wrong_missing_or_a_false_alarm(
    expected: tuple[str, str, str] | None, found: tuple[str, str, str] | None, verdict: str
) -> None:
    assert Identified("r", "windows", False, expected, found).verdict == verdict


def test_a_cumulative_update_stands_for_the_older_ones_it_replaces() -> None:
    host = Updates(
        "host",
        expected=frozenset({"1", "2", "3"}),
        found=frozenset({"9", "8"}),
        replaces={"9": frozenset({"1", "2"}), "8": frozenset()},
    )

    assert updates_found(host) == (2, 1, 1)
