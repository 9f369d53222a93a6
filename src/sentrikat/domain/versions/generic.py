"""Versions of everything else: applications named by CPE, with no rule of their own.

Rule    Digits and letters are read in runs; what divides them does not matter (1.0-rc1 = 1.0rc1). Numbers decide
        first, missing ones and trailing zeros not counting (1.0 = 1.0.0). Behind equal numbers comes a word:
        pre-release words sort before the end, all others after it, by letter; then again numbers.
        1.0-dev < 1.0-alpha < 1.0-beta < 1.0-M1 < 1.0-preview < 1.0-rc1 < 1.0 = 1.0-final < 1.0a < 1.0p1 < 1.0.1
Letters `a` and `b` with a number right behind are alpha and beta (Zope 2.3.0a2, BIND 9.8.1 b1), `m` after a gap is a
        milestone (Tomcat 9.0.0 M2). Else a letter marks a later version: OpenSSL 1.0.2a, and in NVD's spelling with
        a gap Samba 3.0.20 a; trains after a parenthesis, IOS 15.9(3)M3; Java builds after an update, 8u471-b50.
Words   `v`, `version`, `release` ... in front and `final`, `ga`, `release` ... at the end do not count. Service
        packs, patches, updates, hotfixes and fix packs have one spelling each (7.2p1 = 7.2 patch 1).
        Java's `1.8.0_202-b08` is 1.8.0 update 202, as NVD names it. A package's epoch (`1:9.6p1`) is not a number in
        front: it is left out.
Refused what has no ASCII digit: `unknown`, `*`, `-`.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import NamedTuple

from sentrikat.domain.versions.encoding import (
    MAX_LENGTH,
    compare_numbers,
    compare_texts,
    number,
    refused,
    text,
)

_EPOCH = re.compile(r"[0-9]{1,2}:(?=[0-9])")
_JAVA = re.compile(r"(1\.[0-9]+\.[0-9]+)_([0-9]+)(?:-b[0-9]+)?")
_PHRASE = re.compile(
    r"(?P<sp>service[ _-]?pack)|(?P<fp>fix[ _-]?pac?k)|(?P<rc>release[ _-]?candidate)"
    r"|(?P<preview>(?:technical|technology|tech|developer|consumer|release)[ _-]?preview)"
    r"|(?P<beta>(?:public|open|closed)[ _-]?beta)"
)
_RUN = re.compile(r"[0-9]+|[a-z]+")

# Words that mark what comes before a release, by how near to it they are.
_BEFORE = {
    **dict.fromkeys(("dev", "devel", "snapshot", "nightly", "daily", "canary", "unstable", "test"), 0),
    **dict.fromkeys(("alpha",), 1),
    **dict.fromkeys(("beta",), 2),
    **dict.fromkeys(("milestone",), 3),
    **dict.fromkeys(("pre", "preview", "prerelease", "ctp", "tp"), 4),
    **dict.fromkeys(("rc", "cr", "candidate"), 5),
}
_STAGE_LETTERS = {"a": "alpha", "b": "beta", "m": "milestone"}
_SPELLINGS = {
    **dict.fromkeys(("p", "pl", "patch"), "p"),
    **dict.fromkeys(("u", "upd", "update"), "u"),
    **dict.fromkeys(("hf", "hotfix"), "hf"),
}
_LEADING = frozenset(("v", "ver", "version", "r", "rel", "release", "build"))
_CLOSING = frozenset(("final", "ga", "release", "rel", "stable", "rtm", "lts"))

_DIGITS = frozenset("0123456789")

# What may follow, lowest first: the tags of the key. Pre-release words have their rank (0 to 5).
_END, _WORD, _NUMBER = 8, 9, 10


class _Group(NamedTuple):
    """Numbers without trailing zeros, and the word behind them; the last group has the empty word."""

    numbers: list[str]
    word: str


def _groups(version: str) -> list[_Group]:
    plain = version.strip().lower()
    if len(plain) > MAX_LENGTH:
        raise refused("generic", version, f"it is longer than {MAX_LENGTH} characters")
    if epoch := _EPOCH.match(plain):
        plain = plain[epoch.end() :]
    if java := _JAVA.match(plain):
        plain = f"{java.group(1)}u{java.group(2)}{plain[java.end() :]}"
    plain = _PHRASE.sub(lambda phrase: phrase.lastgroup or "", plain)
    runs = [(run.group(), run.start()) for run in _RUN.finditer(plain)]
    if not any(run.isdigit() for run, _ in runs):
        raise refused("generic", version, "it holds no digit")
    while runs[0][0] in _LEADING:
        del runs[0]
    while runs[-1][0] in _CLOSING:
        del runs[-1]
    groups: list[_Group] = []
    numbers: list[str] = []
    word = ""
    for run, start in runs:
        if run.isdigit():
            numbers.append(run)
            continue
        word = _word(plain, run, start, behind=word)
        groups.append(_Group(_trimmed(numbers), word))
        numbers = []
    return [*groups, _Group(_trimmed(numbers), "")]


def _trimmed(numbers: list[str]) -> list[str]:
    while numbers and not numbers[-1].strip("0"):
        numbers.pop()
    return numbers


def _word(version: str, run: str, start: int, *, behind: str) -> str:
    """Give a word its one spelling; `behind` is the word before it."""
    if run not in _STAGE_LETTERS:
        return _SPELLINGS.get(run, run)
    end = start + len(run)
    counted = version[end : end + 1] in _DIGITS
    before = version[start - 1] if start else ""
    train = before == ")" or (run == "m" and before in _DIGITS)
    return _STAGE_LETTERS[run] if counted and not train and behind != "u" else run


def key(version: str) -> bytes:
    """Give the sort key: tagged numbers and words, closed."""
    out = bytearray()
    for numbers, word in _groups(version):
        for digits in numbers:
            out.append(_NUMBER)
            out += number(digits)
        if not word:
            out.append(_END)
        elif word in _BEFORE:
            out.append(_BEFORE[word])
        else:
            out.append(_WORD)
            out += text(word)
    return bytes(out)


def with_candidates(version_key: bytes) -> bytes:
    """Give where a version begins with its pre-releases: below the first of them, above every version before."""
    return version_key.removesuffix(bytes([_END]))


def compare(left: str, right: str) -> int:
    """Compare group by group: numbers, then the word behind them."""
    for ours, theirs in zip(_groups(left), _groups(right), strict=False):
        for a, b in zip_longest(ours.numbers, theirs.numbers, fillvalue="0"):
            if order := compare_numbers(a, b):
                return order
        if order := _compare_words(ours.word, theirs.word):
            return order
    return 0


def _compare_words(left: str, right: str) -> int:
    def rank(word: str) -> int:
        if word in _BEFORE:
            return _BEFORE[word]
        return _WORD if word else _END

    ours, theirs = rank(left), rank(right)
    if ours != theirs:
        return -1 if ours < theirs else 1
    return compare_texts(left, right) if ours == _WORD else 0
