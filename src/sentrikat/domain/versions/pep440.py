"""Python package versions (PEP 440): `1!2.0rc1.post2.dev3+local.1`.

Rule    Epoch, release numbers without trailing zeros, then: `.devN` alone sorts lowest, then aN < bN < rcN <
        the release < `.postN`; with `.devN` each sorts before itself without; a local label sorts last, its
        words before its numbers. All spellings the PEP normalizes are read; legacy versions are refused.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(
    r"v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)(?:[-_.]?([0-9]+))?)?"
    r"(?:-([0-9]+)|[-_.]?(post|rev|r)(?:[-_.]?([0-9]+))?)?"
    r"(?:[-_.]?(dev)(?:[-_.]?([0-9]+))?)?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
)
_LOCAL_DIVIDER = re.compile(r"[-_.]")
_STAGES = {"alpha": 0, "a": 0, "beta": 1, "b": 1, "preview": 2, "pre": 2, "c": 2, "rc": 2}
_END, _MORE = b"\x00", b"\x01"

Parts = tuple[str, list[str], tuple[int, str] | None, str | None, str | None, list[str]]


def _parse(version: str) -> Parts:
    """Give epoch, release, pre-release (stage, number), post number, dev number and local label."""
    form = _FORM.fullmatch(checked("pep440", version).lower())
    if form is None:
        raise refused("pep440", version, "it does not follow PEP 440")
    epoch, release, stage, stage_number, implicit_post, post, post_number, dev, dev_number, local = (
        form.groups()
    )
    numbers = release.split(".")
    while numbers and not numbers[-1].strip("0"):
        numbers.pop()
    return (
        epoch or "0",
        numbers,
        (_STAGES[stage], stage_number or "0") if stage else None,
        implicit_post or ((post_number or "0") if post else None),
        (dev_number or "0") if dev else None,
        _LOCAL_DIVIDER.split(local) if local else [],
    )


def key(version: str) -> bytes:
    """Give the sort key: one token for each part, absent parts included."""
    epoch, release, stage, post, dev, local = _parse(version)
    out = number(epoch) + b"".join(_MORE + number(part) for part in release) + _END
    if stage is not None:
        out += bytes((1 + stage[0],)) + number(stage[1])
    else:
        # A bare `.devN` comes before every pre-release, a release after them.
        out += b"\x00" if dev is not None and post is None else b"\x04"
    out += b"\x00" if post is None else b"\x01" + number(post)
    out += b"\x01" if dev is None else b"\x00" + number(dev)
    for label in local:
        out += b"\x02" + number(label) if label.isdigit() else b"\x01" + text(label)
    return out + _END


def compare(left: str, right: str) -> int:
    """Compare part by part, first difference decides."""
    a, b = _parse(left), _parse(right)
    if order := compare_numbers(a[0], b[0]):
        return order
    for ours, theirs in zip_longest(a[1], b[1], fillvalue="0"):
        if order := compare_numbers(ours, theirs):
            return order
    return (
        _compare_stages(a, b)
        # No post release is the oldest, no development release the newest.
        or _compare_optional(a[3], b[3], absent=-1)
        or _compare_optional(a[4], b[4], absent=1)
        or _compare_locals(a[5], b[5])
    )


def _compare_stages(left: Parts, right: Parts) -> int:
    def rank(parts: Parts) -> tuple[int, str]:
        if parts[2] is not None:
            return parts[2]
        return (-1, "0") if parts[3] is None and parts[4] is not None else (3, "0")

    (ours, our_number), (theirs, their_number) = rank(left), rank(right)
    return (ours > theirs) - (ours < theirs) or compare_numbers(our_number, their_number)


def _compare_optional(left: str | None, right: str | None, *, absent: int) -> int:
    if left is None or right is None:
        return absent * ((left is None) - (right is None))
    return compare_numbers(left, right)


def _compare_locals(left: list[str], right: list[str]) -> int:
    for a, b in zip_longest(left, right, fillvalue=""):
        if not a or not b:
            return bool(a) - bool(b)
        if a.isdigit() != b.isdigit():
            return 1 if a.isdigit() else -1
        if order := compare_numbers(a, b) if a.isdigit() else compare_texts(a, b):
            return order
    return 0
