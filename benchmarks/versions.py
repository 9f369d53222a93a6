"""Comparing versions and making their keys, next to univers doing the same comparisons.

    .venv/bin/python -m benchmarks.versions [--pairs 20000] [--seed 1]

Versions are the recorded ones of tests/samples/versions, pairs are drawn with the seed, and both sides parse the
two strings of each pair, as a caller who holds strings must. `ratio` is ours to univers': above 1 we are faster.
Each figure is the best of three runs.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from univers import versions as univers

from sentrikat.domain.versions import Scheme, compare, key

SAMPLES = Path(__file__).parent.parent / "tests" / "samples" / "versions"

UNIVERS: dict[Scheme, type[Any]] = {
    Scheme.DPKG: univers.DebianVersion,
    Scheme.RPM: univers.RpmVersion,
    Scheme.APK: univers.AlpineLinuxVersion,
    Scheme.PACMAN: univers.ArchLinuxVersion,
    Scheme.SEMVER: univers.SemverVersion,
    Scheme.PEP440: univers.PypiVersion,
    Scheme.MAVEN: univers.MavenVersion,
    Scheme.NUGET: univers.NugetVersion,
    Scheme.RUBYGEMS: univers.RubygemsVersion,
    Scheme.GO: univers.GolangVersion,
    Scheme.COMPOSER: univers.ComposerVersion,
}


def recorded(scheme: Scheme, dice: random.Random) -> list[str]:
    """Give the recorded versions; for the two schemes without a record, made-up ones of the usual form."""
    sample = SAMPLES / f"{scheme}.txt"
    if sample.exists():
        return sample.read_text().splitlines()

    def made() -> str:
        numbers = ".".join(str(dice.randint(1, 30)) for _ in range(dice.randint(2, 4)))
        return (
            f"{numbers}-r{dice.randint(1, 9)}" if scheme is Scheme.APK else f"{numbers}-{dice.randint(1, 9)}"
        )

    return [made() for _ in range(2_500)]


def per_second(work: Callable[[], int]) -> float:
    """Give how often `work`, which returns its count, is done in a second: the best of three runs."""
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        count = work()
        best = max(best, count / (time.perf_counter() - started))
    return best


def compare_ours(scheme: Scheme, pairs: Sequence[tuple[str, str]]) -> int:
    """Compare all pairs by our rules."""
    for left, right in pairs:
        compare(scheme, left, right)
    return len(pairs)


def compare_theirs(kind: type[Any], pairs: Sequence[tuple[str, str]]) -> int:
    """Compare all pairs with univers."""
    for left, right in pairs:
        a, b = kind(left), kind(right)
        (a > b) - (a < b)
    return len(pairs)


def make_keys(scheme: Scheme, pairs: Sequence[tuple[str, str]]) -> int:
    """Make the keys of all versions, each anew."""
    make = key.__wrapped__  # `key` remembers what it made
    for left, right in pairs:
        make(scheme, left)
        make(scheme, right)
    return 2 * len(pairs)


def readable(kind: type[Any], version: str) -> bool:
    """Say whether univers takes `version`."""
    try:
        kind(version)
    except (univers.InvalidVersion, ValueError, TypeError, AttributeError):
        return False
    return True


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()

    table = Table(title=f"Versions, {wanted.pairs:,} pairs, seed {wanted.seed}, per second")
    for column in ("scheme", "our compare", "univers compare", "ratio", "our key", "key bytes, mean"):
        table.add_column(column, justify="left" if column == "scheme" else "right")
    for scheme in Scheme:
        dice = random.Random(f"{wanted.seed} {scheme}")
        kind = UNIVERS.get(scheme)
        pool = [v for v in recorded(scheme, dice) if kind is None or readable(kind, v)]
        pairs = [(dice.choice(pool), dice.choice(pool)) for _ in range(wanted.pairs)]
        ours = per_second(lambda s=scheme, p=pairs: compare_ours(s, p))  # type: ignore[misc]
        keys = per_second(lambda s=scheme, p=pairs: make_keys(s, p))  # type: ignore[misc]
        theirs = per_second(lambda k=kind, p=pairs: compare_theirs(k, p)) if kind else None  # type: ignore[misc]
        table.add_row(
            scheme,
            f"{ours:,.0f}",
            f"{theirs:,.0f}" if theirs else "-",
            f"{ours / theirs:.1f}" if theirs else "-",
            f"{keys:,.0f}",
            f"{sum(len(key(scheme, version)) for version in pool) / len(pool):.1f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
