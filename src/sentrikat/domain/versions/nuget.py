"""NuGet versions: `1.2.3.4-beta.1+metadata`.

Rule    NuGetVersion: one to four numbers, missing ones are 0 (1.0 = 1.0.0.0); then as in semantic versions,
        but case does not count in the pre-release; metadata does not count at all.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(
    r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?"
)
_PRE, _RELEASE = b"\x00", b"\x01"
_NO_MORE, _NUMBER, _WORD = b"\x00", b"\x01", b"\x02"


def _parse(version: str) -> tuple[list[str], list[str]]:
    """Give the four numbers and the pre-release identifiers in lower case."""
    form = _FORM.fullmatch(checked("nuget", version))
    if form is None:
        raise refused("nuget", version, "it is not up to four numbers with [-prerelease][+metadata]")
    *numbers, label = form.groups()
    identifiers = label.lower().split(".") if label else []
    if not all(identifiers):
        raise refused("nuget", version, "its pre-release has an empty identifier")
    return [part or "0" for part in numbers], identifiers


def key(version: str) -> bytes:
    """Give the sort key: four numbers, whether it is a release, and the identifiers."""
    numbers, identifiers = _parse(version)
    out = b"".join(map(number, numbers))
    if not identifiers:
        return out + _RELEASE
    out += _PRE
    for identifier in identifiers:
        out += _NUMBER + number(identifier) if identifier.isdigit() else _WORD + text(identifier)
    return out + _NO_MORE


def compare(left: str, right: str) -> int:
    """Compare numbers, then pre-release identifiers."""
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
