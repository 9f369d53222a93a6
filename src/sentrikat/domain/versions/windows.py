"""Windows builds and file versions: `10.0.19045.4043`, numbers divided by dots, missing ones being 0."""

from __future__ import annotations

import re
from itertools import zip_longest

from sentrikat.domain.versions.encoding import checked, compare_numbers, number, refused

_FORM = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_END, _MORE = b"\x00", b"\x01"


def _parts(version: str) -> list[str]:
    plain = checked("windows", version)
    if not _FORM.fullmatch(plain):
        raise refused("windows", version, "it is not numbers divided by dots")
    return plain.split(".")


def key(version: str) -> bytes:
    """Give the sort key: the numbers without trailing zeros, closed."""
    parts = _parts(version)
    while parts and not parts[-1].strip("0"):
        parts.pop()
    return b"".join(_MORE + number(part) for part in parts) + _END


def compare(left: str, right: str) -> int:
    """Compare number by number."""
    for a, b in zip_longest(_parts(left), _parts(right), fillvalue="0"):
        if order := compare_numbers(a, b):
            return order
    return 0
