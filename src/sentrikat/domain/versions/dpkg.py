"""Debian package versions: `[epoch:]upstream[-revision]`.

Rule    deb-version(7): upstream and revision are compared piece by piece, first a run without digits, then
        a run of digits. In the first, `~` sorts before the end, the end before letters, letters before the
        rest; a run of digits that is missing counts as 0. An absent revision equals `0`.
Lenient dpkg only warns when a version does not start with a digit; so this asks for one digit anywhere.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, compare_numbers, number, refused

_FORM = re.compile(r"(?:([0-9]+):)?([A-Za-z0-9.+~:-]+)")
_DIGITS = re.compile(r"[0-9]+")
_PIECES = re.compile(r"([^0-9]*)([0-9]*)")

# In a run without digits: `~` below the end, letters above it, everything else above letters.
_ORDER = {ord(c): (1 if c == "~" else ord(c) if c.isalpha() else 0x80 | ord(c)) for c in map(chr, range(128))}
_RANKS = bytes(_ORDER[c] for c in range(128)) + bytes(128)
_CLOSE = b"\x02"


def _split(version: str) -> tuple[str, str, str]:
    """Give epoch, upstream version and revision; absent ones as `0`."""
    form = _FORM.fullmatch(checked("dpkg", version))
    if form is None or not _DIGITS.search(form.group(2)):
        raise refused("dpkg", version, "it is not [epoch:]upstream[-revision] with a digit in it")
    epoch, rest = form.groups()
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    if not upstream or not revision or (":" in rest and epoch is None):
        raise refused("dpkg", version, "a part before or after ':' or '-' is missing or not a number")
    return epoch or "0", upstream, revision


def key(version: str) -> bytes:
    """Give the sort key: epoch, then upstream and revision as runs, each part closed."""
    epoch, upstream, revision = _split(version)
    return number(epoch) + _part(upstream) + _part(revision)


def _part(part: str) -> bytes:
    if part == "0":
        return _CLOSE + b"\x00" + _CLOSE
    out = b""
    for letters, digits in _PIECES.findall(part):
        if letters or digits:
            out += letters.encode("ascii").translate(_RANKS) + _CLOSE + number(digits or "0")
    return out + _CLOSE


def compare(left: str, right: str) -> int:
    """Walk both versions side by side, as deb-version(7) tells it."""
    a, b = _split(left), _split(right)
    return compare_numbers(a[0], b[0]) or _walk(a[1], b[1]) or _walk(a[2], b[2])


def _walk(left: str, right: str) -> int:
    i = j = 0
    while i < len(left) or j < len(right):
        while (i < len(left) and not left[i].isdigit()) or (j < len(right) and not right[j].isdigit()):
            here, there = _weight(left, i), _weight(right, j)
            if here != there:
                return -1 if here < there else 1
            i += 1
            j += 1
        first, second = _DIGITS.match(left, i), _DIGITS.match(right, j)
        order = compare_numbers(first.group() if first else "0", second.group() if second else "0")
        if order:
            return order
        i = first.end() if first else i
        j = second.end() if second else j
    return 0


def _weight(part: str, at: int) -> int:
    if at >= len(part) or part[at].isdigit():
        return 0
    if part[at] == "~":
        return -1
    return ord(part[at]) if part[at].isalpha() else ord(part[at]) + 256
