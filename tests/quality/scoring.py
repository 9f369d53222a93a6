"""How predictions are held against labels: sets of vulnerability ids in, figures out. Pure.

Closed world  the label names every vulnerability there is to decide on (`universe`), so whatever is predicted
              inside it and not labeled is wrong.
Open world    only what the label denies is wrong; the rest is counted as unlabeled, so that "report everything"
              cannot hide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Case:
    """One labeled inventory; ids are resolved to CVE names where they have one."""

    ref: str
    set: str
    lane: str
    ambiguous: bool
    components: int
    affected: frozenset[str]
    not_affected: frozenset[str] = frozenset()
    universe: frozenset[str] | None = None  # None: open world
    repairs_only: bool = (
        False  # the label names flaws with a repair that is missing, and is silent on the others
    )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the product said of one inventory."""

    vulnerabilities: frozenset[str]
    unknown: int = 0  # components nothing could be said of
    repaired: frozenset[str] = (
        frozenset()
    )  # those of `vulnerabilities` for which a repaired version was named


@dataclass(frozen=True, slots=True)
class Score:
    """One case, scored."""

    case: Case
    hits: frozenset[str]
    false_alarms: frozenset[str]
    missed: frozenset[str]
    predicted: int
    unlabeled: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of vulnerability ids beside the labels."""

    in_pack: frozenset[str] = frozenset()  # described by the data that was loaded
    exploited: frozenset[str] = frozenset()  # in KEV


@dataclass(frozen=True, slots=True)
class Figures:
    """What a group of scores comes to; None where nothing could be measured."""

    cases: int
    hits: int
    false_alarms: int
    missed: int
    precision: float | None
    recall: float | None
    recall_in_pack: float | None
    f1: float | None
    f1_in_pack: float | None
    f1_macro: float | None
    exploited: int  # labels that are in KEV and in the pack
    exploited_recall: float | None
    unknown_rate: float | None
    unlabeled_rate: float | None


@dataclass(frozen=True, slots=True)
class Identified:
    """One labeled name: what it should be called, and what it was called; as (part, vendor, product)."""

    ref: str
    lane: str
    ambiguous: bool
    expected: tuple[str, str, str] | None
    found: tuple[str, str, str] | None

    @property
    def verdict(self) -> str:
        """Give right, wrong, missing or false_alarm."""
        if self.found == self.expected:
            return "right"
        if self.found is None:
            return "missing"
        return "wrong" if self.expected is not None else "false_alarm"


@dataclass(frozen=True, slots=True)
class Updates:
    """The updates a host misses, and those it was said to miss, with what each update replaces."""

    ref: str
    expected: frozenset[str]
    found: frozenset[str]
    replaces: dict[str, frozenset[str]] = field(default_factory=dict)


def score(case: Case, prediction: Prediction) -> Score:
    """Hold one prediction against its label."""
    said = prediction.vulnerabilities
    denied = case.universe - case.affected if case.universe is not None else case.not_affected - case.affected
    return Score(
        case=case,
        hits=said & case.affected,
        false_alarms=(prediction.repaired if case.repairs_only else said) & denied,
        missed=case.affected - said,
        predicted=len(said),
        unlabeled=len(said - case.affected - denied),
        unknown=prediction.unknown,
    )


def figures(scores: Sequence[Score], reference: Reference) -> Figures:
    """Sum scores up: micro over all labels, macro as the mean over cases that have one."""
    hits = sum(len(one.hits) for one in scores)
    alarms = sum(len(one.false_alarms) for one in scores)
    missed = sum(len(one.missed) for one in scores)
    hits_in_pack = sum(len(one.hits & reference.in_pack) for one in scores)
    missed_in_pack = sum(len(one.missed & reference.in_pack) for one in scores)
    urgent = reference.in_pack & reference.exploited
    hits_urgent = sum(len(one.hits & urgent) for one in scores)
    missed_urgent = sum(len(one.missed & urgent) for one in scores)
    labeled = [one for one in scores if one.case.affected or one.false_alarms]
    return Figures(
        cases=len(scores),
        hits=hits,
        false_alarms=alarms,
        missed=missed,
        precision=ratio(hits, hits + alarms),
        recall=ratio(hits, hits + missed),
        recall_in_pack=ratio(hits_in_pack, hits_in_pack + missed_in_pack),
        f1=f1(hits, alarms, missed),
        f1_in_pack=f1(hits_in_pack, alarms, missed_in_pack),
        f1_macro=mean(f1(len(one.hits), len(one.false_alarms), len(one.missed)) or 0.0 for one in labeled),
        exploited=hits_urgent + missed_urgent,
        exploited_recall=ratio(hits_urgent, hits_urgent + missed_urgent),
        unknown_rate=ratio(sum(one.unknown for one in scores), sum(one.case.components for one in scores)),
        unlabeled_rate=ratio(sum(one.unlabeled for one in scores), sum(one.predicted for one in scores)),
    )


def updates_found(host: Updates) -> tuple[int, int, int]:
    """Count updates rightly named, wrongly named and missed; a cumulative update stands for those it replaces."""
    covered = {
        old for new in host.found for old in ({new} | host.replaces.get(new, frozenset())) & host.expected
    }
    useful = {new for new in host.found if ({new} | host.replaces.get(new, frozenset())) & host.expected}
    return len(covered), len(host.found - useful), len(host.expected - covered)


def f1(hits: int, false_alarms: int, missed: int) -> float | None:
    """Give the harmonic mean of precision and recall."""
    return ratio(2 * hits, 2 * hits + false_alarms + missed)


def ratio(part: int, whole: int) -> float | None:
    """Give part of whole, or None where there is no whole."""
    return part / whole if whole else None


def mean(values: Iterable[float]) -> float | None:
    """Give the mean, or None of nothing."""
    held = list(values)
    return sum(held) / len(held) if held else None
