"""Pieces of version keys that several schemes share.

A key is a row of self-delimiting tokens, so no key is a proper prefix of another, and the bytes of a
token sort like what it stands for.
"""

from __future__ import annotations

from sentrikat.domain.errors import InvalidVersion

# The longest of 306,000 distinct versions in the feeds has 81 characters. PostgreSQL refuses index entries above
# 2,700 bytes, and no key is longer than five bytes a character (RubyGems: a hyphen is `.pre.`): all keys fit.
MAX_LENGTH = 256

END = b"\x00"  # closes a text: below every printable character

_WIDE = 0xF0  # numbers below are their own single byte


def checked(scheme: str, version: str) -> str:
    """Give `version` without surrounding blanks if it is short, printable ASCII; else InvalidVersion."""
    stripped = version.strip()
    if not stripped:
        raise refused(scheme, version, "it is empty")
    if len(stripped) > MAX_LENGTH:
        raise refused(scheme, version, f"it is longer than {MAX_LENGTH} characters")
    if not (stripped.isascii() and stripped.isprintable()):
        raise refused(scheme, version, "it holds characters other than printable ASCII")
    return stripped


def refused(scheme: str, version: str, why: str) -> InvalidVersion:
    """Make the error for a version that `scheme` cannot order."""
    shown = version if len(version) <= 80 else version[:77] + "..."
    return InvalidVersion(
        f"The version {shown!r} was not compared by the rules of {scheme}: {why}.",
        hint="Such a version counts as unknown, never as affected or repaired.",
    )


def _number(value: int) -> bytes:
    if value < _WIDE:
        return bytes((value,))
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    size = len(raw)
    if size < 16:
        return bytes((_WIDE - 1 + size,)) + raw
    return b"\xff" + size.to_bytes(2, "big") + raw


_COMMON = {str(value): _number(value) for value in range(_WIDE)}


def number(digits: str) -> bytes:
    """Encode a run of ASCII digits: shorter magnitudes sort first, leading zeros do not count.

    Below 240 the value itself; else its size in bytes (240 to 254, or 255 and two bytes) and the value.
    """
    return _COMMON.get(digits) or _number(int(digits))


def text(characters: str) -> bytes:
    """Encode ASCII characters so that they sort like strcmp: by character, the shorter first."""
    return characters.encode("ascii") + END


def compare_numbers(left: str, right: str) -> int:
    """Compare two runs of ASCII digits of any length by value, without converting them."""
    a, b = left.lstrip("0"), right.lstrip("0")
    if len(a) != len(b):
        return -1 if len(a) < len(b) else 1
    return (a > b) - (a < b)


def compare_texts(left: str, right: str) -> int:
    """Compare ASCII strings by character, the shorter first."""
    return (left > right) - (left < right)
