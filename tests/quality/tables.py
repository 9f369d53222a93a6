"""The figures of a run as Markdown tables, for the terminal and for docs/develop/quality.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.quality.scoring import Figures, Identified, Updates, updates_found

_COLUMNS = (
    "cases", "TP", "FP", "FN", "precision", "recall", "recall in pack", "F1", "F1 macro", "KEV recall", "unknown",
    "unlabeled",
)  # fmt: skip


def figures_table(rows: Sequence[tuple[str, str, Figures]], first: str) -> str:
    """Lay out figures, one row each; `first` is the heading of the first column."""
    lines = [
        f"| {first} | rows | {' | '.join(_COLUMNS)} |",
        f"|---|---|{'--:|' * len(_COLUMNS)}",
    ]
    lines += [f"| {name} | {rows_of} | {' | '.join(_cells(one))} |" for name, rows_of, one in rows]
    return "\n".join(lines)


def _cells(one: Figures) -> list[str]:
    urgent = f"{_percent(one.exploited_recall)} of {one.exploited}" if one.exploited else "-"
    return [
        f"{one.cases:,}", f"{one.hits:,}", f"{one.false_alarms:,}", f"{one.missed:,}",
        _percent(one.precision), _percent(one.recall), _percent(one.recall_in_pack), _percent(one.f1),
        _percent(one.f1_macro), urgent, _percent(one.unknown_rate), _percent(one.unlabeled_rate),
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
            f" {_percent(count['right'] / len(group) if group else None)} |"
        )
    return "\n".join(lines)


def updates_table(hosts: Sequence[Updates]) -> str:
    """Lay out which missing updates were named (E6), by host."""
    lines = [
        "| E6 host | missing updates | named rightly | named wrongly | not named |",
        "|---|--:|--:|--:|--:|",
    ]
    for host in hosts:
        right, wrong, not_named = updates_found(host)
        lines.append(f"| {host.ref} | {len(host.expected)} | {right} | {wrong} | {not_named} |")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
