"""Go module versions and Go releases: `v1.2.3`, `v0.0.0-20210101000000-abcdef012345`, `go1.21rc2`.

Rule    golang.org/x/mod/semver: semantic versions with a `v`; `v1` and `v1.2` are short for `v1.0.0` and
        `v1.2.0`; `+incompatible` does not count; leading zeros are an error.
Lenient the `v` may be missing, as in OSV records and SBOMs. `go1.21rc2` is how the toolchain names itself;
        the Go vulnerability database writes the same release `1.21.0-rc.2`.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(
    r"(?:v|go)?(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z.-]+))?)?)?"
    r"(?:\+[0-9A-Za-z.-]+)?"
)
_TOOLCHAIN = re.compile(r"(?:go)?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(beta|rc)([0-9]+)")
_PRE, _RELEASE = b"\x00", b"\x01"
_NO_MORE, _NUMBER, _WORD = b"\x00", b"\x01", b"\x02"


def _parse(version: str) -> tuple[list[str], list[str]]:
    """Give the three numbers and the pre-release identifiers."""
    plain = checked("go", version)
    if form := _TOOLCHAIN.fullmatch(plain):
        major, minor, patch, stage, count = form.groups()
        return [major, minor, patch or "0"], [stage, count]
    form = _FORM.fullmatch(plain)
    if form is None:
        raise refused("go", version, "it is not vMAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]")
    major, minor, patch, label = form.groups()
    identifiers = label.split(".") if label else []
    if not all(identifiers):
        raise refused("go", version, "its pre-release has an empty identifier")
    if any(word.isdigit() and word[0] == "0" and len(word) > 1 for word in identifiers):
        raise refused("go", version, "a number of its pre-release has a leading zero")
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
