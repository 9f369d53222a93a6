"""Reviewed corrections: what a title means where names alone mislead. Data in data/corrections/*.toml.

Each has a pattern, the products it means (the first is shown), a reason and a source. No products: no source speaks
of it, and what looks like it is something else.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.correction import Pattern


@dataclass(frozen=True, slots=True)
class Correction:
    """One entry of the files."""

    pattern: Pattern
    products: tuple[str, ...]  # vendor:product of CPE applications
    reason: str
    source: str


@lru_cache(maxsize=1)
def corrections() -> tuple[Correction, ...]:
    """Read all of them, in the order of the files and their entries: the first that fits counts."""
    found: list[Correction] = []
    folder = files("sentrikat.catalogue") / "data" / "corrections"
    for path in sorted(folder.iterdir(), key=lambda one: one.name):
        if path.name.endswith(".toml"):
            for entry in tomllib.loads(path.read_text(encoding="utf-8"))["correction"]:
                pattern = Pattern(entry.get("title"), entry.get("vendor"), entry.get("bundle_id"))
                found.append(Correction(pattern, tuple(entry["products"]), entry["reason"], entry["source"]))
    return tuple(found)


def correction_of(component: Component) -> Correction | None:
    """Give the reviewed correction of a component, if there is one."""
    return next((one for one in corrections() if one.pattern.matches(component)), None)
