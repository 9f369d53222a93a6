"""Alpine and Wolfi package versions: `1.2.3a_rc1~0abc-r4`.

Rule    apk-tools: the first number by value; further numbers by value too, unless one starts with 0, then
        both as text, like a decimal fraction (1.01 < 1.1). Then one letter, suffixes, a commit hash, `-r` and
        a number. Suffixes _alpha < _beta < _pre < _rc sort before the version without one, _cvs < _svn <
        _git < _hg < _p after it. Where one version goes on and the other differs: a pre-release suffix is
        lowest, then the end, revision, hash, suffix number, suffix, letter, number.
Lenient a number right after the letter (sudo 1.9.5p2, as Alpine itself released it) is read as apk-tools 2 did.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(
    r"[0-9]+(?:\.[0-9]+)*(?:[a-z][0-9]*)?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*(?:~[0-9a-f]+)?(?:-r[0-9]+)?"
)
_TOKEN = re.compile(r"\.?[0-9]+|_[a-z]+|~[0-9a-f]+|-r[0-9]+|[a-z]")
_BEFORE = ("_alpha", "_beta", "_pre", "_rc")
_AFTER = ("_cvs", "_svn", "_git", "_hg", "_p")

# What may follow, lowest first; the values are the tags of the key.
_PRE, _STOP, _REVISION, _HASH, _COUNT, _POST, _LETTER, _DIGIT = range(1, 9)


def _tokens(version: str) -> list[tuple[int, str]]:
    """Give the version as (kind, value) tokens, closed by a stop."""
    plain = checked("apk", version)
    if not _FORM.fullmatch(plain):
        raise refused("apk", version, "it is not of the form 1.2.3a_rc1-r4")
    tokens = []
    for token in _TOKEN.findall(plain):
        first = token[0]
        if first == "_":
            tokens.append((_PRE if token in _BEFORE else _POST, token))
        elif first == "~":
            tokens.append((_HASH, token[1:]))
        elif first == "-":
            tokens.append((_REVISION, token[2:]))
        elif first == ".":
            tokens.append((_DIGIT, token[1:]))
        elif first.isdigit():
            # A number without a dot is the first of all, or counts the letter or suffix before it.
            tokens.append((_COUNT, token))
        else:
            tokens.append((_LETTER, token))
    return [*tokens, (_STOP, "")]


def key(version: str) -> bytes:
    """Give the sort key: tagged tokens, the last one being the stop."""
    out = b""
    for kind, value in _tokens(version):
        out += bytes((kind,))
        if kind == _PRE:
            out += bytes((_BEFORE.index(value),))
        elif kind == _POST:
            out += bytes((_AFTER.index(value),))
        elif kind in (_HASH, _LETTER):
            out += text(value)
        elif kind == _DIGIT:
            out += b"\x00" + text(value) if value[0] == "0" else b"\x01" + number(value)
        elif kind != _STOP:
            out += number(value)
    return out


def compare(left: str, right: str) -> int:
    """Compare token by token; the first difference in kind or value decides."""
    for (kind, ours), (other, theirs) in zip(_tokens(left), _tokens(right), strict=False):
        if kind != other:
            return -1 if kind < other else 1
        if order := _compare_values(kind, ours, theirs):
            return order
    return 0


def _compare_values(kind: int, left: str, right: str) -> int:
    if kind in (_COUNT, _REVISION):
        return compare_numbers(left, right)
    if kind == _DIGIT and "0" not in (left[0], right[0]):
        return compare_numbers(left, right)
    if kind in (_PRE, _POST):
        ranks = _BEFORE + _AFTER
        return (ranks.index(left) > ranks.index(right)) - (ranks.index(left) < ranks.index(right))
    return compare_texts(left, right)
