"""Arch Linux package versions: `[epoch:]pkgver[-pkgrel]`.

Rule    vercmp(8) of libalpm: segments of letters or digits; a letter right after a number sorts before the
        end (1.0rc < 1.0), anything else after it; a longer separator sorts after a shorter one; digits after
        letters.
Choice  vercmp ignores a pkgrel that one side lacks, which no total order can: here a missing one is lowest.
        A version that ends in a separator is refused: vercmp runs in a circle there (1.1 < 1..a < 1. < 1.1).
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(r"(?:([0-9]*):)?([!-9;-~]+)", re.ASCII)
_SEGMENT = re.compile(r"([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+)")

_ABSENT = b"\x00"
_GLUED_ALPHA, _END, _GLUED_NUMBER, _SEPARATED = b"\x01", b"\x02", b"\x03", b"\x04"


def _split(version: str) -> tuple[str, str, str]:
    """Give epoch (`0` when absent), pkgver and pkgrel (empty when absent)."""
    form = _FORM.fullmatch(checked("pacman", version))
    if form is None:
        raise refused("pacman", version, "it is not [epoch:]pkgver[-pkgrel]")
    epoch, rest = form.groups()
    name, dash, release = rest.rpartition("-")
    if not dash:
        name, release = rest, ""
    if not name or not name[-1].isalnum() or (dash and not (release and release[-1].isalnum())):
        raise refused("pacman", version, "pkgver and pkgrel must end in a letter or digit")
    return epoch or "0", name, release


def key(version: str) -> bytes:
    """Give the sort key: epoch, pkgver and pkgrel as tagged segments, each part closed."""
    epoch, name, release = _split(version)
    return number(epoch) + _part(name) + (_part(release) if release else _ABSENT)


def _part(part: str) -> bytes:
    out = b""
    for separator, segment in _SEGMENT.findall(part):
        digits = segment.isdigit()
        if separator:
            out += _SEPARATED + number(str(len(separator))) + (_GLUED_NUMBER if digits else _GLUED_ALPHA)
        else:
            out += _GLUED_NUMBER if digits else _GLUED_ALPHA
        out += number(segment) if digits else text(segment)
    return out + _END


def compare(left: str, right: str) -> int:
    """Compare epochs, then pkgver, then pkgrel, as vercmp does."""
    a, b = _split(left), _split(right)
    return compare_numbers(a[0], b[0]) or _walk(a[1], b[1]) or _compare_releases(a[2], b[2])


def _compare_releases(left: str, right: str) -> int:
    if not left or not right:
        return bool(left) - bool(right)
    return _walk(left, right)


def _walk(left: str, right: str) -> int:
    ours, theirs = _SEGMENT.findall(left), _SEGMENT.findall(right)
    for (gap, a), (other_gap, b) in zip(ours, theirs, strict=False):
        if len(gap) != len(other_gap):
            # `1.0a` against `1.0.a`: the one with less between its segments is older.
            return -1 if len(gap) < len(other_gap) else 1
        if a.isdigit() != b.isdigit():
            return 1 if a.isdigit() else -1
        if order := compare_numbers(a, b) if a.isdigit() else compare_texts(a, b):
            return order
    if len(ours) == len(theirs):
        return 0
    sign, (gap, segment) = (1, ours[len(theirs)]) if len(ours) > len(theirs) else (-1, theirs[len(ours)])
    return -sign if segment.isalpha() and not gap else sign
