"""Semantic versions as npm, Cargo and OSV's SEMVER ranges write them: `1.2.3-rc.1+build`.

Rule    semver.org 2.0.0, section 11: three numbers; a pre-release sorts before its release and is compared
        identifier by identifier, numbers before words, numbers by value; build metadata does not count.
Lenient like node-semver in its loose mode: a leading `v` or `=`, leading zeros, a pre-release without its
        hyphen (`1.2.3beta`). OSV and GHSA also write `1` and `1.2`: missing numbers are 0.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, refused
from sentrikat.domain.versions.semantic import Parsed, compare_parsed, sort_key

_FORM = re.compile(
    r"[v=]*([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z.-]+)|([A-Za-z][0-9A-Za-z.-]*))?(?:\+[0-9A-Za-z.+-]*)?"
)


def _parse(version: str) -> Parsed:
    """Give the three numbers and the pre-release identifiers."""
    form = _FORM.fullmatch(checked("semver", version))
    if form is None:
        raise refused("semver", version, "it is not major.minor.patch[-prerelease][+build]")
    major, minor, patch, hyphenated, glued = form.groups()
    label = hyphenated or glued
    identifiers = label.split(".") if label else []
    if not all(identifiers):
        raise refused("semver", version, "its pre-release has an empty identifier")
    return Parsed([major, minor or "0", patch or "0"], identifiers)


def key(version: str) -> bytes:
    """Give the sort key: three numbers, whether it is a release, and the identifiers."""
    return sort_key(_parse(version))


def compare(left: str, right: str) -> int:
    """Compare as section 11 of the specification tells it."""
    return compare_parsed(_parse(left), _parse(right))
