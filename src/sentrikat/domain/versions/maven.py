"""Maven artifact versions: `1.0-alpha-1`, `2.3.1.Final`, `1.0.0-SNAPSHOT`, `31.1-jre`.

Rule    ComparableVersion as of Maven 3.9 (pom.html#version-order-specification): numbers and qualifiers, divided
        by dots, hyphens, and where digits and letters touch; a hyphen or such a change opens a sublist, and so does
        a qualifier behind a dot. At one place: alpha < beta < milestone < rc = cr < snapshot < nothing = ga =
        final = release < sp < other words < a sublist in a sublist < `-1` < `.1`; case does not count; `a1`, `b1`,
        `m1` are short for alpha, beta, milestone. Nulls (0, nothing) that end a list or stand before a sublist do
        not count, and missing elements are nulls.
Choice  Maven's own comparison runs in circles at two places, where this one stays straight. A qualifier between
        dots, or behind a dot with a hyphen behind it (`1 < 1.sp.1 < 1-alpha < 1`), is taken like one behind a
        hyphen. A list left empty before a pre-release word (`1 < 1-sp < 1-0-alpha < 1`) is left out.
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
_RELEASE_LOW, _END, _RELEASE_HIGH, _SP, _WORD, _NESTED, _SUBLIST, _NUMBER = range(5, 13)


class _Item(NamedTuple):
    """A number (without leading zeros; zero is empty) or a qualifier, and how many lists open before it."""

    opens: int
    value: str
    word: bool


def _parse(version: str) -> list[_Item]:
    """Give the version as items without the nulls that do not count."""
    plain = checked("maven", version).lower()
    # A word alone (`unspecified`) would sort below every number, and so into every range without a start.
    if not _DIGIT.search(plain) or _FORBIDDEN.search(plain):
        raise refused(
            "maven", version, "it has no digit, or a character that no artifact's file name may have"
        )
    return _straight(_trimmed(_items(_PIECE.findall(plain))))


def _items(pieces: list[str]) -> list[_Item]:
    items: list[_Item] = []
    opens = 0
    separated = True  # the piece before was a separator, or there is none
    for at, piece in enumerate(pieces):
        if piece in ".-":
            if separated:  # `1..2` is `1.0.2`
                items.append(_Item(opens, "", word=False))
            opens = int(piece == "-")
            separated = True
            continue
        if not separated:
            opens = 1
        if piece.isdigit():
            items.append(_Item(opens, piece.lstrip("0"), word=False))
        else:
            following = pieces[at + 1] if at + 1 < len(pieces) else ""
            counted = following.isdigit()
            word = _ALIASES.get(piece, _SHORT.get(piece, piece) if counted else piece)
            if word or counted or not following:
                opens = 1
            items.append(_Item(opens, word, word=True))
        opens, separated = 0, False
    return items


def _trimmed(items: list[_Item]) -> list[_Item]:
    """Leave out nulls before the end of a list or before a sublist; a list left empty nests the next one."""
    kept: list[_Item] = []
    for item in reversed(items):
        if item.value or (kept and not kept[-1].opens):
            kept.append(item)
        elif kept:
            kept[-1] = kept[-1]._replace(opens=kept[-1].opens + item.opens)
    return kept[::-1]


def _straight(items: list[_Item]) -> list[_Item]:
    """Let every word open one list, and none that sorts before the release open more."""
    return [
        item._replace(opens=1)
        if item.word and (not item.opens or (item.opens > 1 and _sign(items[at:]) < 0))
        else item
        for at, item in enumerate(items)
    ]


def _rank(word: str) -> int:
    return _KNOWN.index(word) if word in _KNOWN else _OTHER


def _sign(rest: list[_Item]) -> int:
    """Say how a version that goes on with `rest` compares to one that ends here."""
    for item in rest:
        if item.value:
            return -1 if item.word and _rank(item.value) < _RELEASE else 1
    return 0


def key(version: str) -> bytes:
    """Give the sort key: tagged items, closed."""
    items = _parse(version)
    out = bytearray()
    for at, (opens, value, word) in enumerate(items):
        out += bytes((_NESTED,)) * (opens - 1)
        if not word:
            out.append(_SUBLIST if opens else _NUMBER)
            out += number(value or "0")
            continue
        rank = _rank(value)
        if rank < _RELEASE:
            out.append(rank)
        elif rank == _RELEASE:
            out.append(_RELEASE_LOW if _sign(items[at:]) < 0 else _RELEASE_HIGH)
        elif rank < _OTHER:
            out.append(_SP)
        else:
            out.append(_WORD)
            out += text(value)
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
    ours, theirs = max(left.opens, 1), max(right.opens, 1)
    if ours != theirs:
        # The less nested one shows its first element where the other has a list: words < lists < numbers.
        shallow, sign = (left, 1) if ours < theirs else (right, -1)
        return -sign if shallow.word else sign
    if left.word != right.word:
        return -1 if left.word else 1
    if not left.word:
        if left.opens != right.opens:
            return -1 if left.opens else 1
        return compare_numbers(left.value, right.value)
    if (here := _rank(left.value)) != (there := _rank(right.value)):
        return -1 if here < there else 1
    return compare_texts(left.value, right.value)
