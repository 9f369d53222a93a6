"""RPM package versions: `[epoch:]version[-release]`.

Rule    rpmvercmp of rpm 4.15 and later: separators only divide; segments are letters or digits; `~` sorts
        before the end, `^` right after it, letters after that, digits last. Epochs first, then version, then
        release.
Choice  rpm ignores a release that one side lacks, so `1.0` equals both `1.0-1` and `1.0-2`, which no total
        order can. Here a missing release is the empty one, below every release that starts with a letter or
        digit, as rpmvercmp itself ranks it: a bound `1.0` is where the releases of 1.0 begin.
Lenient `(none):1.0-1`, as `rpm -q` prints an absent epoch, has epoch 0.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(r"(?:([0-9]*|\(none\)):)?([!-9;-~]+)", re.ASCII)
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
_ALNUM = re.compile(r"[0-9A-Za-z]")

_TILDE, _END, _CARET, _ALPHA, _NUMERIC = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def _split(version: str) -> tuple[str, str, str]:
    """Give epoch (`0` when absent), version and release (empty when absent)."""
    form = _FORM.fullmatch(checked("rpm", version))
    if form is None:
        raise refused("rpm", version, "it is not [epoch:]version[-release]")
    epoch, rest = form.groups()
    name, dash, release = rest.rpartition("-")
    if not dash:
        name, release = rest, ""
    if not _ALNUM.search(name):
        raise refused("rpm", version, "its version part has neither letter nor digit")
    return epoch if epoch and epoch != "(none)" else "0", name, release


def key(version: str) -> bytes:
    """Give the sort key: epoch, version and release as tagged segments, each part closed."""
    epoch, name, release = _split(version)
    return number(epoch) + _part(name) + _part(release)


def _part(part: str) -> bytes:
    out = b""
    for segment in _SEGMENT.findall(part):
        if segment == "~":
            out += _TILDE
        elif segment == "^":
            out += _CARET
        elif segment.isdigit():
            out += _NUMERIC + number(segment)
        else:
            out += _ALPHA + text(segment)
    return out + _END


def compare(left: str, right: str) -> int:
    """Walk both versions side by side, as rpmvercmp does."""
    a, b = _split(left), _split(right)
    return compare_numbers(a[0], b[0]) or _walk(a[1], b[1]) or _walk(a[2], b[2])


def _walk(left: str, right: str) -> int:
    ours, theirs = iter(_SEGMENT.findall(left)), iter(_SEGMENT.findall(right))
    while True:
        a, b = next(ours, ""), next(theirs, "")
        if a == b == "":
            return 0
        if "~" in (a, b):
            if a != b:
                return -1 if a == "~" else 1
        elif "^" in (a, b):
            if a != b:
                if not a or not b:
                    return -1 if not a else 1
                return -1 if a == "^" else 1
        elif not a or not b:
            return -1 if not a else 1
        elif a.isdigit() != b.isdigit():
            return 1 if a.isdigit() else -1
        elif order := compare_numbers(a, b) if a.isdigit() else compare_texts(a, b):
            return order
