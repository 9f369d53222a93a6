"""The figures of a run as Markdown tables, for the terminal and for docs/develop/quality.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.quality.intervals import Interval, Intervals, of_shares
from tests.quality.scoring import Figures, Identified, Updates, f1, ratio, updates_found

_COLUMNS = (
    "cases", "TP", "FP", "FN", "precision", "recall", "recall in pack", "F1", "F1 in pack", "F1 macro", "KEV recall",
    "unknown", "unlabeled",
)  # fmt: skip


def figures_table(rows: Sequence[tuple[str, str, Figures, Intervals]], first: str) -> str:
    """Lay out figures, one row each, in brackets their bootstrap intervals; `first` heads the first column."""
    lines = [
        f"| {first} | rows | {' | '.join(_COLUMNS)} |",
        f"|---|---|{'--:|' * len(_COLUMNS)}",
    ]
    lines += [
        f"| {name} | {rows_of} | {' | '.join(_cells(one, around))} |" for name, rows_of, one, around in rows
    ]
    return "\n".join(lines)


def _cells(one: Figures, around: Intervals) -> list[str]:
    urgent = f"{_percent(one.exploited_recall)} of {one.exploited}" if one.exploited else "-"
    return [
        f"{one.cases:,}", f"{one.hits:,}", f"{one.false_alarms:,}", f"{one.missed:,}",
        _percent(one.precision, around.precision), _percent(one.recall),
        _percent(one.recall_in_pack, around.recall_in_pack), _percent(one.f1),
        _percent(one.f1_in_pack, around.f1_in_pack), _percent(one.f1_macro), urgent, _percent(one.unknown_rate),
        _percent(one.unlabeled_rate),
    ]  # fmt: skip


def names_table(names: Sequence[Identified]) -> str:
    """Lay out how names were identified (E1), by kind of software."""
    lines = [
        "| E1 names | rows | cases | right | wrong | missing | accuracy |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    kinds = sorted({one.lane for one in names})
    groups = [("all", "all", names), ("all", "clean", [one for one in names if not one.ambiguous])]
    groups += [(kind, "all", [one for one in names if one.lane == kind]) for kind in kinds]
    for name, rows, group in groups:
        count = {word: sum(one.verdict == word for one in group) for word in ("right", "wrong", "missing")}
        lines.append(
            f"| {name} | {rows} | {len(group)} | {count['right']} | {count['wrong']} | {count['missing']} |"
            f" {_percent(ratio(count['right'], len(group)), of_shares([one.verdict == 'right' for one in group]))} |"
        )
    return "\n".join(lines)


def updates_table(hosts: Sequence[Updates]) -> str:
    """Lay out which missing updates were named (E6), by host."""
    lines = [
        "| E6 host | missing updates | named rightly | named wrongly | not named | F1 |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    sums = [0, 0, 0]
    for host in hosts:
        found = updates_found(host)
        sums = [held + one for held, one in zip(sums, found, strict=True)]
        lines.append(_updates_row(host.ref, len(host.expected), *found))
    lines.append(_updates_row("all", sum(len(host.expected) for host in hosts), *sums))
    return "\n".join(lines)


def _updates_row(name: str, expected: int, right: int, wrong: int, not_named: int) -> str:
    figure = _percent(f1(right, wrong, not_named))
    return f"| {name} | {expected} | {right} | {wrong} | {not_named} | {figure} |"


def _percent(value: float | None, around: Interval | None = None) -> str:
    if value is None:
        return "-"
    spread = f" ({100 * around.low:.1f} to {100 * around.high:.1f})" if around is not None else ""
    return f"{100 * value:.1f} %{spread}"
