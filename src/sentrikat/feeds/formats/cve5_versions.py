"""The versions a CVE JSON 5 record names, as spans.

Source  https://cveproject.github.io/cve-schema/ (`affected`, `versions`, `defaultStatus`, `changes`)

    {"version": "2.4", "lessThan": "2.4.54"}         2.4 up to, without, 2.4.54
    {"version": "2.4", "lessThanOrEqual": "2.4.*"}   2.4 up to the end of the 2.4 line
    {"version": "2.4"}                               2.4 alone
    ... "changes": [{"at": "2.4.9", "status": ...}]  the status turns at 2.4.9
    defaultStatus "affected"                         everything but what is said to be unaffected

Half of the records put the range into words instead (`>= 23.6.0, < 23.6.2`, `5.6.41 and prior`).
Forms with one meaning are read; every other text is kept as a note on a span nobody described.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Any

from sentrikat.domain.advisory import Status
from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme, compare
from sentrikat.feeds import fields

MOST_SPANS = 10_000  # per product; Cisco lists some 3,000 single releases


@dataclass(frozen=True, slots=True)
class Span:
    """A span of versions with what is said of it."""

    status: Status
    versions: VersionRange
    described: bool = True
    note: str | None = None


_STATUSES = {"affected": Status.AFFECTED, "unaffected": Status.UNAFFECTED}
_GIT = frozenset({"git", "original_commit_for_fix"})
_NO_BOUND = frozenset(
    {"", "0", "*", "-", "n/a", "na", "none", "unspecified", "unknown", "all", "all versions", "any"}
)
_EVERYTHING = frozenset({"*", "all", "all versions", "any"})

_V = r"[vV]?(\d[\w.+~:()-]*)"  # a version: begins with a digit, holds no blank
_VERSION = re.compile(rf"(?:(?i:version|ver\.?|release)\s*)?{_V}")
_COMPARISON = re.compile(rf"(>=|<=|<|>|=)\s*{_V}")
_COMPARISONS = re.compile(
    rf"(?:(?i:all\s+versions?|affects|versions?)\s*)?((?:(?:>=|<=|<|>|=)\s*{_V})(?:\s*,?\s*(?:(?:>=|<=|<|>|=)\s*{_V}))?)"
)
_AND_PRIOR = re.compile(
    rf"(?:(?i:versions?|ver\.?)\s*)?{_V}\s+(?i:and|or)\s+(?i:prior|earlier|below|older|lower)(?:\s+(?i:versions?|releases?))?\.?"
)
_BEFORE = re.compile(
    rf"(?i:(?:all\s+)?(?:versions?\s+)?(?:prior\s+to|before|earlier\s+than|below))\s+(?:(?i:versions?)\s+)?{_V}\.?"
)
_BETWEEN = re.compile(rf"(?:(?i:versions?)\s+)?{_V}\s*(?:\s(?i:to|through|thru|-)\s|->)\s*{_V}")
_LINE = re.compile(r"(?P<head>(?:\d+\.)*?)(?P<last>\d+)\.[*xX]")


def spans(affected: Mapping[str, Any], scheme: Scheme) -> list[Span]:
    """Give the spans of one `affected` entry, in `scheme`; none when it speaks of commits only."""
    default = fields.optional(affected, "defaultStatus")
    entries = [
        one
        for one in fields.objects(affected, "versions")
        if (fields.optional(one, "versionType") or "").lower() not in _GIT
    ]
    if len(entries) > MOST_SPANS:
        raise ValueError(f"it names more than {MOST_SPANS:,} spans of versions")
    if not entries:
        if fields.objects(affected, "versions"):
            return []
        return [_whole(default, scheme)]
    found = [span for one in entries for span in _entry(one, scheme)]
    if default == "affected":
        return _all_but(found, scheme)
    described = [span for span in found if span.described]
    # One readable range is worth more than the free text beside it.
    return described or found[:1]


def _whole(default: str | None, scheme: Scheme) -> Span:
    status = Status.UNAFFECTED if default == "unaffected" else Status.AFFECTED
    return Span(status, VersionRange(scheme), described=default in ("affected", "unaffected"))


def _entry(entry: Mapping[str, Any], scheme: Scheme) -> Iterator[Span]:
    status = _STATUSES.get(fields.text(entry, "status"), Status.INVESTIGATING)
    version = (fields.optional(entry, "version") or "").strip()
    below = fields.optional(entry, "lessThan")
    upto = fields.optional(entry, "lessThanOrEqual")
    if below is None and upto is None:
        yield _words(version, status, scheme)
        return
    start = _bound(version, scheme)
    end = _bound(below if below is not None else upto or "", scheme)
    if start is None or end is None:
        yield Span(
            status,
            VersionRange(scheme),
            described=False,
            note=f"versions: {version} to {below or upto}"[:300],
        )
        return
    # `x.y.*` ends a line of releases either way: no release of it lies outside.
    closed = below is None and not _LINE.fullmatch(upto or "")
    whole = VersionRange(
        scheme,
        introduced=start or None,
        fixed=None if closed else end or None,
        last_affected=(end or None) if closed else None,
    )
    yield from _changed(Span(status, whole), fields.objects(entry, "changes"))


def _changed(span: Span, changes: list[Mapping[str, Any]]) -> Iterator[Span]:
    """Cut a span where its status turns."""
    scheme = span.versions.scheme
    turns = [
        (at, _STATUSES.get(fields.text(one, "status"), Status.INVESTIGATING))
        for one in changes
        if (at := _bound(fields.text(one, "at"), scheme))
    ]

    def order(left: tuple[str, Status], right: tuple[str, Status]) -> int:
        return compare(scheme, left[0], right[0])

    turns.sort(key=cmp_to_key(order))
    rest = span
    for at, status in turns:
        if rest.versions.fixed is not None and compare(scheme, at, rest.versions.fixed) >= 0:
            break
        if rest.versions.last_affected is not None and compare(scheme, at, rest.versions.last_affected) > 0:
            break
        yield replace(rest, versions=VersionRange(scheme, rest.versions.introduced, fixed=at))
        rest = Span(status, replace(rest.versions, introduced=at))
    yield rest


def _bound(text: str, scheme: Scheme) -> str | None:
    """Give a bound as a version, "" for none, or None when the text is neither."""
    plain = text.strip()
    if plain.lower() in _NO_BOUND:
        return ""
    if line := _LINE.fullmatch(plain):
        return f"{line['head']}{int(line['last']) + 1}"
    found = _VERSION.fullmatch(plain)
    return _orderable(found[1], scheme) if found else None


def _orderable(version: str, scheme: Scheme) -> str | None:
    try:
        compare(scheme, version, version)
    except InvalidVersion:
        return None
    return version


def _words(text: str, status: Status, scheme: Scheme) -> Span:
    """Read a range that is written in words."""
    if text.lower() in _EVERYTHING:
        return Span(status, VersionRange(scheme))
    found = _range_in(text, scheme)
    if found is None:
        silent = text.lower() in _NO_BOUND or not text
        return Span(
            status, VersionRange(scheme), described=False, note=None if silent else f"versions: {text}"[:300]
        )
    return Span(status, found)


def _range_in(text: str, scheme: Scheme) -> VersionRange | None:
    def ordered(version: str) -> str:
        if _orderable(version, scheme) is None:
            raise InvalidVersion(version)
        return version

    try:
        if line := _LINE.fullmatch(text):
            return VersionRange(
                scheme, introduced=f"{line['head']}{line['last']}", fixed=_bound(text, scheme)
            )
        if match := _VERSION.fullmatch(text):
            version = ordered(match[1])
            return VersionRange(scheme, introduced=version, last_affected=version)
        if match := _AND_PRIOR.fullmatch(text):
            return VersionRange(scheme, last_affected=ordered(match[1]))
        if match := _BEFORE.fullmatch(text):
            return VersionRange(scheme, fixed=ordered(match[1]))
        if match := _BETWEEN.fullmatch(text):
            return VersionRange(scheme, introduced=ordered(match[1]), last_affected=ordered(match[2]))
        if match := _COMPARISONS.fullmatch(text):
            return _compared(
                [(sign, ordered(version)) for sign, version in _COMPARISON.findall(match[1])], scheme
            )
    except InvalidVersion:
        return None
    return None


def _compared(comparisons: list[tuple[str, str]], scheme: Scheme) -> VersionRange | None:
    """Give the range of `>= a, < b`; None for two ends or two beginnings."""
    signs = sorted(sign[0] for sign, _ in comparisons)
    if signs not in (["<"], [">"], ["="], ["<", ">"]):
        return None
    bound = dict(comparisons)
    exact = bound.get("=")
    return VersionRange(
        scheme,
        introduced=exact or bound.get(">=") or bound.get(">"),
        fixed=bound.get("<"),
        last_affected=exact or bound.get("<="),
        introduced_excluded=">" in bound,
    )


def _all_but(found: list[Span], scheme: Scheme) -> list[Span]:
    """Give what is left when everything is affected but the unaffected spans of `found`."""
    good = [one.versions for one in found if one.status is Status.UNAFFECTED and one.described]

    def order(left: VersionRange, right: VersionRange) -> int:
        if left.introduced is None or right.introduced is None:
            return (left.introduced is not None) - (right.introduced is not None)
        return compare(scheme, left.introduced, right.introduced)

    left: list[Span] = []
    start: str | None = None
    excluded = False
    for one in sorted(good, key=cmp_to_key(order)):
        begin = one.introduced
        if begin is not None and (start is None or compare(scheme, begin, start) > 0):
            left.append(
                Span(
                    Status.AFFECTED,
                    VersionRange(scheme, start, fixed=begin, introduced_excluded=excluded),
                )
            )
        end = one.fixed or one.last_affected
        if end is None:
            return left  # good from here on
        if start is None or compare(scheme, end, start) > 0:
            start, excluded = end, one.fixed is None
    left.append(Span(Status.AFFECTED, VersionRange(scheme, start, introduced_excluded=excluded)))
    return left
