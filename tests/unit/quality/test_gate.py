from __future__ import annotations

from typing import Any

from tests.quality import gate
from tests.quality.scoring import Case, Prediction, Reference, Score, figures, score

CASE = Case("r1", "E5", "debian:11", False, 1, frozenset({"CVE-1", "CVE-2"}), frozenset({"CVE-3"}))


def run(*names: str) -> tuple[dict[str, Any], dict[str, list[Score]]]:
    scores = [score(CASE, Prediction(frozenset(names)))]
    return gate.baseline({"E5": (figures(scores, Reference()), scores)}, 0.5, 0.0), {"E5": scores}


def test_the_same_result_passes() -> None:
    before, _ = run("CVE-1")
    now, scores = run("CVE-1")

    assert gate.worse(before, now, scores) == []


def test_a_better_result_passes() -> None:
    before, _ = run("CVE-1")
    now, scores = run("CVE-1", "CVE-2")

    assert gate.worse(before, now, scores) == []


def test_lower_precision_fails() -> None:
    before, _ = run("CVE-1")
    now, scores = run("CVE-1", "CVE-3")

    assert gate.worse(before, now, scores) == ["E5: precision fell from 1.0 to 0.5"]


def test_a_newly_missed_label_fails_even_at_the_same_recall() -> None:
    before, _ = run("CVE-1")
    now, scores = run("CVE-2")

    assert gate.worse(before, now, scores) == ["E5: 1 newly missed: CVE-1 in r1"]


def test_a_set_that_is_not_scored_any_more_fails() -> None:
    before, _ = run("CVE-1")

    assert gate.worse(before, {"sets": {}, "accuracy": {"E1": 0.5, "E6": 0.0}}, {}) == [
        "E5: was scored, and is not any more"
    ]


def test_less_accurate_names_fail() -> None:
    before, _ = run("CVE-1")
    now, scores = run("CVE-1")
    now["accuracy"]["E1"] = 0.4

    assert gate.worse(before, now, scores) == ["E1: fell from 0.5 to 0.4"]


def test_the_baseline_does_not_hold_the_labels() -> None:
    stored, _ = run()

    assert "CVE" not in str(stored)
