"""The gate: what a run measured against the stored baseline, which may not get worse. Pure.

Missed labels are kept as digests: whether one is new can be told, while the labels, whose licenses differ, stay in
the data pack.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.quality.scoring import Figures, Score

# Held per set; a lower value fails the gate.
HELD = ("precision", "recall", "recall_in_pack", "exploited_recall")
_EQUAL = 1e-4  # figures are stored with so many digits


def baseline(
    groups: Mapping[str, tuple[Figures, Sequence[Score]]], accuracy: float, updates: float
) -> dict[str, Any]:
    """Give what is stored: the figures of each set, and which labels were missed."""
    return {
        "sets": {
            name: {
                "cases": held.cases,
                **{one: _rounded(getattr(held, one)) for one in HELD},
                "missed": sorted(digest(ref, cve) for ref, cve in missed(scores)),
            }
            for name, (held, scores) in groups.items()
        },
        "accuracy": {"E1": _rounded(accuracy), "E6": _rounded(updates)},
    }


def worse(
    before: Mapping[str, Any], now: Mapping[str, Any], groups: Mapping[str, Sequence[Score]]
) -> list[str]:
    """Give one line for everything that is worse than it was; none: the gate is open."""
    found: list[str] = []
    for name, old in before["sets"].items():
        new = now["sets"].get(name)
        if new is None:
            found.append(f"{name}: was scored, and is not any more")
            continue
        found += [
            f"{name}: {one.replace('_', ' ')} fell from {old[one]} to {new[one]}"
            for one in HELD
            if _fell(old[one], new[one])
        ]
        known = set(old["missed"])
        fresh = [f"{cve} in {ref}" for ref, cve in missed(groups[name]) if digest(ref, cve) not in known]
        if fresh:
            found.append(f"{name}: {len(fresh)} newly missed: {', '.join(fresh[:10])}")
    for name, old in before["accuracy"].items():
        if _fell(old, now["accuracy"].get(name)):
            found.append(f"{name}: fell from {old} to {now['accuracy'].get(name)}")
    return found


def missed(scores: Iterable[Score]) -> list[tuple[str, str]]:
    """Give every missed label as (report, vulnerability)."""
    return sorted((one.case.ref, cve) for one in scores for cve in one.missed)


def digest(ref: str, cve: str) -> str:
    """Give the short name of one label; twelve digits tell 10,000 labels apart with certainty enough."""
    return hashlib.sha256(f"{ref} {cve}".encode()).hexdigest()[:12]


def _fell(before: float | None, now: float | None) -> bool:
    if before is None:
        return False
    return now is None or now < before - _EQUAL


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
