"""Go module versions and Go releases: `v1.2.3`, `v0.0.0-20210101000000-abcdef012345`, `go1.21rc2`.

Rule    golang.org/x/mod/semver: semantic versions with a `v`; `v1` and `v1.2` are short for `v1.0.0` and
        `v1.2.0`; `+incompatible` does not count; leading zeros are an error.
Lenient the `v` may be missing, as in OSV records and SBOMs. `go1.21rc2` is how the toolchain names itself;
        the Go vulnerability database writes the same release `1.21.0-rc.2`.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, refused
from sentrikat.domain.versions.semantic import Parsed, compare_parsed, sort_key

_FORM = re.compile(
    r"(?:v|go)?(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z.-]+))?)?)?"
    r"(?:\+[0-9A-Za-z.-]+)?"
)
_TOOLCHAIN = re.compile(r"(?:go)?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(beta|rc)([0-9]+)")


def _parse(version: str) -> Parsed:
    """Give the three numbers and the pre-release identifiers."""
    plain = checked("go", version)
    if form := _TOOLCHAIN.fullmatch(plain):
        major, minor, patch, stage, count = form.groups()
        return Parsed([major, minor, patch or "0"], [stage, count])
    form = _FORM.fullmatch(plain)
    if form is None:
        raise refused("go", version, "it is not vMAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]")
    major, minor, patch, label = form.groups()
    identifiers = label.split(".") if label else []
    if not all(identifiers):
        raise refused("go", version, "its pre-release has an empty identifier")
    if any(word.isdigit() and word[0] == "0" and len(word) > 1 for word in identifiers):
        raise refused("go", version, "a number of its pre-release has a leading zero")
    return Parsed([major, minor or "0", patch or "0"], identifiers)


def key(version: str) -> bytes:
    """Give the sort key: three numbers, whether it is a release, and the identifiers."""
    return sort_key(_parse(version))


def compare(left: str, right: str) -> int:
    """Compare numbers, then pre-release identifiers."""
    return compare_parsed(_parse(left), _parse(right))
