"""NuGet versions: `1.2.3.4-beta.1+metadata`.

Rule    NuGetVersion: one to four numbers, missing ones are 0 (1.0 = 1.0.0.0); then as in semantic versions,
        but case does not count in the pre-release; metadata does not count at all.
"""

from __future__ import annotations

import re

from sentrikat.domain.versions.encoding import checked, refused
from sentrikat.domain.versions.semantic import Parsed, compare_parsed, sort_key

_FORM = re.compile(
    r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?"
)


def _parse(version: str) -> Parsed:
    """Give the four numbers and the pre-release identifiers in lower case."""
    form = _FORM.fullmatch(checked("nuget", version))
    if form is None:
        raise refused("nuget", version, "it is not up to four numbers with [-prerelease][+metadata]")
    *numbers, label = form.groups()
    identifiers = label.lower().split(".") if label else []
    if not all(identifiers):
        raise refused("nuget", version, "its pre-release has an empty identifier")
    return Parsed([part or "0" for part in numbers], identifiers)


def key(version: str) -> bytes:
    """Give the sort key: four numbers, whether it is a release, and the identifiers."""
    return sort_key(_parse(version))


def compare(left: str, right: str) -> int:
    """Compare numbers, then pre-release identifiers."""
    return compare_parsed(_parse(left), _parse(right))
