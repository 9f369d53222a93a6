"""Semantic versions as npm, Cargo and OSV's SEMVER ranges write them: `1.2.3-rc.1+build`.

Rule    semver.org 2.0.0, section 11: three numbers; a pre-release sorts before its release and is compared
        identifier by identifier, numbers before words, numbers by value; build metadata does not count.
Lenient like node-semver in its loose mode: a leading `v` or `=`, leading zeros, a pre-release without its
        hyphen (`1.2.3beta`). OSV and GHSA also write `1` and `1.2`: missing numbers are 0.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(
    r"[v=]*([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z.-]+)|([A-Za-z][0-9A-Za-z.-]*))?(?:\+[0-9A-Za-z.+-]*)?"
)
_PRE, _RELEASE = b"\x00", b"\x01"
_NO_MORE, _NUMBER, _WORD = b"\x00", b"\x01", b"\x02"


def _parse(version: str) -> tuple[list[str], list[str]]:
    """Give the three numbers and the pre-release identifiers."""
    form = _FORM.fullmatch(checked("semver", version))
    if form is None:
        raise refused("semver", version, "it is not major.minor.patch[-prerelease][+build]")
    major, minor, patch, hyphenated, glued = form.groups()
    label = hyphenated or glued
    identifiers = label.split(".") if label else []
    if not all(identifiers):
        raise refused("semver", version, "its pre-release has an empty identifier")
    return [major, minor or "0", patch or "0"], identifiers


def key(version: str) -> bytes:
    """Give the sort key: three numbers, whether it is a release, and the identifiers."""
    numbers, identifiers = _parse(version)
    out = b"".join(map(number, numbers))
    if not identifiers:
        return out + _RELEASE
    out += _PRE
    for identifier in identifiers:
        out += _NUMBER + number(identifier) if identifier.isdigit() else _WORD + text(identifier)
    return out + _NO_MORE


def compare(left: str, right: str) -> int:
    """Compare as section 11 of the specification tells it."""
    (ours, our_label), (theirs, their_label) = _parse(left), _parse(right)
    for a, b in zip(ours, theirs, strict=True):
        if order := compare_numbers(a, b):
            return order
    if not our_label or not their_label:
        return bool(their_label) - bool(our_label)
    for a, b in zip_longest(our_label, their_label, fillvalue=""):
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
