"""Versions of each scheme, real and made up, valid ones and nearly valid ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.versions import Scheme, key

SAMPLES = Path(__file__).parents[2] / "samples" / "versions"

# What the made-up versions of a scheme are put together from: few pieces, so that many of them nearly agree.
PIECES: dict[Scheme, list[str]] = {
    Scheme.DPKG: ["0", "1", "2", "10", "01", "~", ".", "-", "+", ":", "a", "b", "Z", "rc", "deb12u1", "+dfsg", "-1"],
    Scheme.RPM: ["0", "1", "2", "10", "01", "~", "^", ".", "-", "_", "+", "1:", "a", "b", "Z", "rc", ".el8_9", "-1"],
    Scheme.APK: [
        *("0", "1", "2", "10", ".1", ".01", ".0", ".10", ".001", "a", "b", "_alpha", "_beta", "_pre", "_rc"),
        *("_cvs", "_svn", "_git", "_hg", "_p", "_p1", "~a1", "~0f", "-r0", "-r1", "-r10"),
    ],
    Scheme.PACMAN: ["0", "1", "2", "10", "01", ".", "..", "_", "+", "-", "1:", "a", "b", "rc", "r123", "-1", ".a"],
    Scheme.SEMVER: ["0", "1", "2", "10", ".", ".", ".1", "-", "-a", "-1", "alpha", "rc", "B", "+b", "v", ".0"],
    Scheme.PEP440: [
        *("0", "1", "2", "10", ".1", ".0", "1!", "a1", "b", "rc1", "c2", ".post1", "-1", ".dev0", ".dev2", "+a"),
        *("+1", ".2", "alpha", "-", "_", "post", "v", ".b"),
    ],
    Scheme.MAVEN: [
        *("0", "1", "2", "10", ".", "-", ".0", "-1", ".1", "a", "b", "m", "alpha", "beta", "milestone", "rc", "cr"),
        *("snapshot", "ga", "final", "release", "sp", "foo", "X", "-SNAPSHOT", ".Final", "-rc", "jre"),
    ],
    Scheme.NUGET: ["0", "1", "2", "10", ".", ".1", ".0", "-", "-a", "-A", "-1", "beta", "Rc", "+m", ".b"],
    Scheme.RUBYGEMS: ["0", "1", "2", "10", ".", ".1", ".0", ".a", "a", "rc", ".pre", "-", ".B", "b1"],
    Scheme.GO: ["v", "0", "1", "2", "10", ".1", ".0", ".2", "-rc.1", "-0", "-a", ".b", "+incompatible", "go", "rc1"],
    Scheme.COMPOSER: [
        *("0", "1", "2", "10", ".1", ".0", "v", "-alpha", "-beta", "RC", "-dev", ".x", "-p1", "patch2", "a1", "b"),
        *("2010", "-01", "+b", "@beta", ".3", "stable", "pl"),
    ],
    Scheme.WINDOWS: ["0", "1", "2", "10", "01", ".", ".0", ".1", ".19045"],
    Scheme.GENERIC: [
        *("0", "1", "2", "10", ".", "-", "_", " ", ".0", ".1", "a", "b", "m", "k", "p", "u", "rc", "alpha", "beta"),
        *("dev", "final", "sp", "update", "v", "1:", "(", ")", "release", "service pack", "-b08", "1.8.0_202"),
    ],
}  # fmt: skip


@cache
def real_versions(scheme: Scheme) -> tuple[str, ...]:
    """Give the recorded versions of `scheme`; none where there is no record."""
    sample = SAMPLES / f"{scheme}.txt"
    return tuple(sample.read_text().splitlines()) if sample.exists() else ()


@cache
def made_up_versions(scheme: Scheme, count: int) -> tuple[str, ...]:
    """Make up to `count` distinct valid versions, the same ones each time."""
    dice = random.Random(f"{scheme}")
    real = real_versions(scheme)
    made: set[str] = set()
    for _ in range(40 * count):
        if real and dice.random() < 0.3:
            version = _changed(dice, dice.choice(real), PIECES[scheme])
        else:
            version = "".join(dice.choices(PIECES[scheme], k=dice.randint(1, 8)))
        if is_valid(scheme, version):
            made.add(version)
        if len(made) == count:
            break
    return tuple(sorted(made))


def _changed(dice: random.Random, version: str, pieces: list[str]) -> str:
    at = dice.randint(0, len(version))
    return version[:at] + dice.choice(["", *pieces]) + version[at + dice.randint(0, 2) :]


def is_valid(scheme: Scheme, version: str) -> bool:
    """Say whether `scheme` can order `version`."""
    try:
        key(scheme, version)
    except InvalidVersion:
        return False
    return True


def pairs(scheme: Scheme, count: int, fits: Callable[[str], object] = bool) -> list[tuple[str, str]]:
    """Give pairs of real and made-up versions that fit, half of them close neighbors in the scheme's order."""
    dice = random.Random(f"pairs of {scheme}")
    pool = sorted(
        filter(fits, {*real_versions(scheme), *made_up_versions(scheme, 3_000)}),
        key=lambda version: (key(scheme, version), version),
    )
    chosen = []
    for _ in range(count):
        first = dice.randrange(len(pool))
        near = dice.random() < 0.5
        second = (first + dice.randint(-12, 12)) % len(pool) if near else dice.randrange(len(pool))
        chosen.append((pool[first], pool[second]))
    return chosen


def versions_of(scheme: Scheme) -> st.SearchStrategy[str]:
    """Strategy: valid versions of `scheme`, real ones among them."""
    made = st.lists(st.sampled_from(PIECES[scheme]), min_size=1, max_size=8).map("".join)
    real = real_versions(scheme)
    candidates = made | st.sampled_from(real) if real else made
    return candidates.filter(lambda version: is_valid(scheme, version))
