"""Maven artifact versions: `1.0-alpha-1`, `2.3.1.Final`, `1.0.0-SNAPSHOT`, `31.1-jre`.

Rule    ComparableVersion as of Maven 3.9 (pom.html#version-order-specification): numbers and qualifiers,
        divided by dots, hyphens, and where digits and letters touch. A hyphen opens a sublist, and so does
        any qualifier (`.rc` is `-rc`); a qualifier takes the number behind it along (`rc1`, `rc-1`). At one
        place: alpha < beta < milestone < rc = cr < snapshot < nothing = ga = final = release < sp < other
        words < `-1` < `.1`; case does not count; `a1`, `b1`, `m1` are short for alpha, beta, milestone.
        Missing elements are nulls, and zeros before a qualifier or the end do not count.
Choice  Maven's own comparison runs in circles at three places, where this rule stays straight:
        a qualifier between dots (`1 < 1.sp.1 < 1-alpha < 1`) is taken like one after a hyphen; a sublist of
        nothing but zeros (`1-0-alpha`) is left out; and a numbered release word (`1-ga1`, equal to both 1
        and 1-ga2 for Maven) sorts right after the release.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_PIECE = re.compile(r"[.-]|[0-9]+|[^.0-9-]+")
_DIGIT = re.compile(r"[0-9]")
_FORBIDDEN = re.compile(r"""[\\/:"<>|?*\[\](){},]""")
_ALIASES = {"cr": "rc", "ga": "", "final": "", "release": ""}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_KNOWN = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_RELEASE = _KNOWN.index("")
_OTHER = len(_KNOWN)

# What may follow, lowest first: the tags of the key. Words below the release have their rank (0 to 4).
_RELEASE_LOW, _END, _RELEASE_HIGH, _RELEASE_NUMBERED, _SP, _WORD, _SUBLIST, _NUMBER = range(5, 13)


class _Item(NamedTuple):
    """A number, or a qualifier with the number it took along.

    `opens` tells whether the item begins a sublist, as qualifiers always do; digits have no leading zeros.
    """

    opens: bool
    word: str | None
    digits: str | None

    @property
    def null(self) -> bool:
        return not self.digits if self.word is None else not self.word and self.digits is None


def _parse(version: str) -> list[_Item]:
    """Give the version as items without the nulls that do not count."""
    plain = checked("maven", version).lower()
    # A word alone (`unspecified`) would sort below every number, and so into every range without a start.
    if not _DIGIT.search(plain) or _FORBIDDEN.search(plain):
        raise refused(
            "maven", version, "it has no digit, or a character that no artifact's file name may have"
        )
    return _trimmed(_items(_PIECE.findall(plain)))


def _items(pieces: list[str]) -> list[_Item]:
    items: list[_Item] = []
    opens = False  # the next number begins a sublist
    empty = True  # nothing stands between the last separator and here
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece in ".-":
            if empty:  # `1..2` is `1.0.2`
                items.append(_Item(opens, None, ""))
            opens = piece == "-"
            empty = True
        elif piece.isdigit():
            items.append(_Item(opens, None, piece.lstrip("0")))
            opens, empty = False, False
        else:
            digits = None
            if at < len(pieces) and pieces[at].isdigit():
                digits = pieces[at]
                at += 1
            elif at + 1 < len(pieces) and pieces[at] == "-" and pieces[at + 1].isdigit():
                digits = pieces[at + 1]
                at += 2
            word = _SHORT.get(piece, piece) if digits is not None else piece
            items.append(
                _Item(True, _ALIASES.get(word, word), None if digits is None else digits.lstrip("0"))
            )
            opens, empty = False, False
    return items


def _trimmed(items: list[_Item]) -> list[_Item]:
    """Leave out zeros before a qualifier or the end, and release words that end the version."""
    kept: list[_Item] = []
    for item in reversed(items):
        counts = not item.null
        if item.null and kept:
            counts = item.word is not None or kept[-1].word is None
        if counts:
            kept.append(item)
    return kept[::-1]


def _rank(word: str) -> int:
    return _KNOWN.index(word) if word in _KNOWN else _OTHER


def _sign(rest: list[_Item]) -> int:
    """Say how a version that goes on with `rest` compares to one that ends here."""
    for item in rest:
        if not item.null:
            return -1 if item.word is not None and _rank(item.word) < _RELEASE else 1
    return 0


def key(version: str) -> bytes:
    """Give the sort key: tagged items, closed."""
    items = _parse(version)
    out = bytearray()
    for at, (opens, word, digits) in enumerate(items):
        if word is None:
            out.append(_SUBLIST if opens else _NUMBER)
            out += number(digits or "0")
            continue
        rank = _rank(word)
        if rank == _RELEASE:
            if digits is None:
                out.append(_RELEASE_LOW if _sign(items[at:]) < 0 else _RELEASE_HIGH)
            else:
                out.append(_RELEASE_NUMBERED)
                out += number(digits or "0")
            continue
        if rank < _RELEASE:
            out.append(rank)
        elif rank < _OTHER:
            out.append(_SP)
        else:
            out.append(_WORD)
            out += text(word)
        out += b"\x00" if digits is None else b"\x01" + number(digits or "0")
    out.append(_END)
    return bytes(out)


def compare(left: str, right: str) -> int:
    """Compare item by item, a missing one being null."""
    ours, theirs = _parse(left), _parse(right)
    for a, b in zip(ours, theirs, strict=False):
        if order := _compare_items(a, b):
            return order
    if len(ours) > len(theirs):
        return _sign(ours[len(theirs) :])
    return -_sign(theirs[len(ours) :])


def _compare_items(left: _Item, right: _Item) -> int:
    if left.word is None or right.word is None:
        if left.word is not right.word:
            return 1 if left.word is None else -1
        if left.opens != right.opens:
            return -1 if left.opens else 1
        return compare_numbers(left.digits or "", right.digits or "")
    ours, theirs = _rank(left.word), _rank(right.word)
    if ours != theirs:
        return -1 if ours < theirs else 1
    if order := compare_texts(left.word, right.word):
        return order
    if left.digits is None or right.digits is None:
        return (right.digits is None) - (left.digits is None)
    return compare_numbers(left.digits, right.digits)
