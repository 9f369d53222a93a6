"""Composer (Packagist) versions: `v1.2.3-RC1`, `2.0-beta.2`, `1.0.x-dev`, `20240131`.

Rule    composer/semver normalizes to four numbers (or the numbers of a date) and a stability with numbers;
        then PHP's version_compare: dev < alpha < beta < RC < the end < a number < patch. Build metadata and a
        stability flag (`@beta`) do not count; `1.0.x-dev` is 1.0.9999999.9999999-dev.
Refused branches (`dev-main`), which have no order.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, compare_numbers, number, refused

_FLAG = re.compile(r"@(?:stable|rc|beta|alpha|dev)")
_STABILITY = r"[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?[0-9]+(?:[.-][0-9]+)*)?))?([.-]?dev)?"  # 1.0-beta.2-dev
_NUMBERS = re.compile(r"v?([0-9]{1,5}(?:\.[0-9]+){0,3})" + _STABILITY)
_DATE = re.compile(r"v?([0-9]{4}(?:[.:-]?[0-9]{2}){1,6}(?:[.:-]?[0-9]{1,3}){0,2})" + _STABILITY)
_BRANCH = re.compile(r"v?([0-9]+(?:\.(?:[0-9]+|[x*]))*)[.-]?dev")
_RUN = re.compile(r"[0-9]+")
_STAGES = {"alpha": "alpha", "a": "alpha", "beta": "beta", "b": "beta", "rc": "rc"}
_BRANCH_NUMBER = "9999999"

# What may follow, lowest first; the ranks are the tags of the key.
_RANKS = {"dev": 1, "alpha": 2, "beta": 3, "rc": 4, "": 5, "0": 6, "patch": 7}
_END = 5
_NUMBER = 6


def _parts(version: str) -> list[str]:
    """Give the normalized version as runs: numbers, and at most two words of stability."""
    plain = checked("composer", version).lower()
    head, at, flag = plain.rpartition("@")
    if at and _FLAG.fullmatch(at + flag):
        plain = head
    plain, plus, build = plain.partition("+")
    if plus and not build:
        raise refused("composer", version, "its build metadata is empty")
    if form := _NUMBERS.fullmatch(plain):
        numbers = form.group(1).split(".")
        numbers += ["0"] * (4 - len(numbers))
    elif form := _DATE.fullmatch(plain):
        numbers = _RUN.findall(form.group(1))
    elif form := _BRANCH.fullmatch(plain):
        numbers = [_BRANCH_NUMBER if part in ("x", "*") else part for part in form.group(1).split(".")]
        if len(numbers) > 4:
            raise refused("composer", version, "it has more than four numbers")
        return [*numbers, *[_BRANCH_NUMBER] * (4 - len(numbers)), "dev"]
    else:
        raise refused("composer", version, "Composer cannot normalize it, or it names a branch")
    stability, counts, dev = form.group(2), form.group(3), form.group(4)
    if stability == "stable":
        return numbers
    if stability:
        numbers += [_STAGES.get(stability, "patch"), *_RUN.findall(counts)]
    return [*numbers, "dev"] if dev else numbers


def _rank(part: str) -> int:
    return _RANKS["0"] if part.isdigit() else _RANKS[part]


def key(version: str) -> bytes:
    """Give the sort key: ranked runs, closed."""
    out = b""
    for part in _parts(version):
        rank = _rank(part)
        out += bytes((rank,))
        if rank == _NUMBER:
            out += number(part)
    return out + bytes((_END,))


def compare(left: str, right: str) -> int:
    """Compare run by run, as PHP's version_compare does."""
    ours, theirs = _parts(left), _parts(right)
    for a, b in zip(ours, theirs, strict=False):
        if a.isdigit() and b.isdigit():
            order = compare_numbers(a, b)
        else:
            order = (_rank(a) > _rank(b)) - (_rank(a) < _rank(b))
        if order:
            return order
    if len(ours) == len(theirs):
        return 0
    sign, rest = (1, ours[len(theirs)]) if len(ours) > len(theirs) else (-1, theirs[len(ours)])
    return sign if rest.isdigit() or rest == "patch" else -sign
