"""How two CPE names relate as sets of products.

Source  NISTIR 7696, Common Platform Enumeration: Name Matching Specification 2.3, tables 6-2 and 6-4
"""

from __future__ import annotations

import re
from enum import StrEnum

from sentrikat.domain.cpe.name import ANY, NA, CpeName, has_wildcard, unescape

_WILDCARDS = re.compile(r"(\*|\?*)((?:\\.|[^\\*?])*)(\*|\?*)")


class Relation(StrEnum):
    """What the source (left) is to the target (right)."""

    EQUAL = "equal"
    SUPERSET = "superset"
    SUBSET = "subset"
    DISJOINT = "disjoint"
    UNDEFINED = "undefined"


def relation(source: CpeName, target: CpeName) -> Relation:
    """Compare two names; one disjoint attribute makes the names disjoint.

    Names that are wider in one attribute and narrower in another overlap in a way the
    specification leaves open: undefined.
    """
    seen: set[Relation] = set()
    for left, right in zip(source.attributes(), target.attributes(), strict=True):
        found = attribute_relation(left, right)
        if found is Relation.DISJOINT:
            return found
        seen.add(found)
    seen.discard(Relation.EQUAL)
    if not seen:
        return Relation.EQUAL
    return seen.pop() if len(seen) == 1 else Relation.UNDEFINED


def attribute_relation(source: str, target: str) -> Relation:
    """Compare two attribute values.

    Only the source may carry wildcards: what a pattern is to another pattern is undefined.
    """
    if source == target and (source in (ANY, NA) or not has_wildcard(source)):
        return Relation.EQUAL
    if target not in (ANY, NA) and has_wildcard(target):
        return Relation.UNDEFINED
    if source == ANY:
        return Relation.SUPERSET
    if target == ANY:
        return Relation.SUBSET
    if NA in (source, target):
        return Relation.DISJOINT
    if has_wildcard(source) and _matches(source, unescape(target)):
        return Relation.SUPERSET
    return Relation.DISJOINT


def _matches(pattern: str, text: str) -> bool:
    """Match a value with wildcards at its ends: `*` is any run of characters, each `?` none or one."""
    split = _WILDCARDS.fullmatch(pattern)
    if split is None:
        return False
    before, body, after = split[1], unescape(split[2]), split[3]
    spare = len(text) - len(body)
    most_before = spare if before == "*" else min(len(before), spare)
    most_after = spare if after == "*" else len(after)
    return any(
        spare - start <= most_after and text.startswith(body, start) for start in range(most_before + 1)
    )
