"""The order that semver.org, Go and NuGet share: numbers first, then the identifiers of a pre-release.

Rule    semver.org 2.0.0, section 11: a pre-release sorts before its release and is compared identifier by
        identifier, numbers before words, numbers by value, and the longer list after what it begins with.
How a version is written, and how many numbers it has, is each scheme's own.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

from sentrikat.domain.versions.encoding import compare_numbers, compare_texts, number, text

_PRE, _RELEASE = b"\x00", b"\x01"
_NO_MORE, _NUMBER, _WORD = b"\x00", b"\x01", b"\x02"


class Parsed(NamedTuple):
    """The numbers of a version, always as many within a scheme, and the identifiers of its pre-release."""

    numbers: list[str]
    identifiers: list[str]


def sort_key(version: Parsed) -> bytes:
    """Give the sort key: the numbers, whether it is a release, and the identifiers."""
    out = b"".join(map(number, version.numbers))
    if not version.identifiers:
        return out + _RELEASE
    out += _PRE
    for identifier in version.identifiers:
        out += _NUMBER + number(identifier) if identifier.isdigit() else _WORD + text(identifier)
    return out + _NO_MORE


def compare_parsed(left: Parsed, right: Parsed) -> int:
    """Compare two versions of one scheme without their keys."""
    for a, b in zip(left.numbers, right.numbers, strict=True):
        if order := compare_numbers(a, b):
            return order
    if not left.identifiers or not right.identifiers:
        return bool(right.identifiers) - bool(left.identifiers)
    for a, b in zip_longest(left.identifiers, right.identifiers, fillvalue=""):
        if order := _compare_identifiers(a, b):
            return order
    return 0


def _compare_identifiers(left: str, right: str) -> int:
    if not left or not right:
        return bool(left) - bool(right)
    if left.isdigit() and right.isdigit():
        return compare_numbers(left, right)
    if left.isdigit() != right.isdigit():
        return -1 if left.isdigit() else 1
    return compare_texts(left, right)
