"""RubyGems versions: `1.2.3`, `2.0.0.rc1`, `1.0-java` (read as `1.0.pre.java`).

Rule    Gem::Version: numbers and words, also where they touch (`rc1` is `rc`, `1`); words sort before numbers
        and so mark a pre-release; missing segments are 0. Zeros that end the numbers before the first word,
        or end the version, do not count.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from sentrikat.domain.versions.encoding import checked, compare_numbers, compare_texts, number, refused, text

_FORM = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+")

# What follows, lowest first. Zeros are counted, because with a word behind them they sort below the end.
_WORD, _ZEROS_WORD, _END, _ZEROS_NUMBER, _NUMBER = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def _segments(version: str) -> list[str]:
    """Give numbers (without leading zeros; zero is empty) and words, the zeros that do not count left out."""
    plain = checked("rubygems", version)
    if not _FORM.fullmatch(plain):
        raise refused("rubygems", version, "it is not numbers and words divided by dots")
    segments: list[str] = []
    worded = False
    for segment in _SEGMENT.findall(plain.replace("-", ".pre.")):
        if segment.isdigit():
            segments.append(segment.lstrip("0"))
            continue
        while not worded and segments and not segments[-1]:
            segments.pop()
        worded = True
        segments.append(segment)
    while segments and not segments[-1]:
        segments.pop()
    return segments


def key(version: str) -> bytes:
    """Give the sort key: tagged segments with runs of zeros counted, closed."""
    out, zeros = b"", 0
    for segment in _segments(version):
        if not segment:
            zeros += 1
        elif segment.isdigit():
            # The more zeros before it, the nearer to the end it sorts, from above.
            out += (_ZEROS_NUMBER + bytes((255 - zeros,)) if zeros else b"") + _NUMBER + number(segment)
            zeros = 0
        else:
            out += (_ZEROS_WORD + bytes((zeros,)) if zeros else b"") + _WORD + text(segment)
            zeros = 0
    return out + _END


def compare(left: str, right: str) -> int:
    """Compare segment by segment, missing ones being 0."""
    for a, b in zip_longest(_segments(left), _segments(right), fillvalue=""):
        if a.isalpha() != b.isalpha():
            return -1 if a.isalpha() else 1
        if order := compare_texts(a, b) if a.isalpha() else compare_numbers(a, b):
            return order
    return 0
