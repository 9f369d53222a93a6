"""One OSV record as an Advisory.

Source  https://ossf.github.io/osv-schema/

`vulnerabilities`  A record about one flaw (GHSA, PYSEC, GO, RUSTSEC, CVE) is about the CVE ids
                   among its id and aliases, or about itself where there is none.
                   A distribution's advisory (RHSA, ALSA, SUSE-SU, DSA, USN, CGA) repairs many
                   flaws at once and names them in `related` or `upstream`. They are what it is
                   about, and never its aliases. An update that is none of security and names no
                   flaw says nothing of flaws.
`statements`       One per range of each affected package. Explicit `versions` count only where a
                   package has no range; git ranges and entries without a package say nothing of
                   installed versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cmp_to_key
from itertools import product
from typing import Any

from sentrikat.domain.advisory import Advisory, Product, Remedy, Score, Statement, Status
from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.inventory import is_kernel_by_product
from sentrikat.domain.purl import canonical_name
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme, compare
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import familiar
from sentrikat.feeds.formats.osv_ecosystems import Ecosystem, ecosystem
from sentrikat.feeds.formats.scores import score_of_vector

MOST_STATEMENTS = 200_000  # the largest real record, a kernel update, has some 12,000

_DISTRIBUTION_ADVISORY = re.compile(
    r"(RH[SBE]A|AL[SBE]A|R[LX][SBE]A|(open)?SUSE-|DSA-|DLA-|DTSA-|USN-|LSN-|CGA-|ELSA-|ALAS|MGASA-|OESA-)"
)
# Bug fixes and enhancements: where they name no CVE they repair no flaw, and an old version is merely old.
_NO_SECURITY_UPDATE = re.compile(r"(?:RH|AL|RL|RX|EL)[BE]A-|(?:open)?SUSE-[FOR]U-")
_WRAPPED_CVE = re.compile(r"(?:UBUNTU|DEBIAN|ALPINE|ECHO|MINI)-(CVE-\d{4}-\d{4,19})")
_MODULE = re.compile(
    r"(?<![\w.:+-])(?=[\d.]*[A-Za-z-])(\w[\w.+-]*:[\w.+-]+)(?=[ ,/])"
)  # also 389-ds:1.4, httpd:2.4/mod_http2
_MODULAR_BUILD = re.compile(r"\.module[+_]")
_PROVIDERS = {"GHSA": "GitHub", "PYSEC": "PyPA", "RUSTSEC": "RustSec", "GO": "Go", "BIT": "Bitnami"}


_FIELDS = frozenset(
    {
        "schema_version",
        "id",
        "modified",
        "published",
        "withdrawn",
        "aliases",
        "upstream",
        "related",
        "summary",
        "details",
        "severity",
        "affected",
        "references",
        "credits",
        "database_specific",
    }
)


def advisory(record: Mapping[str, Any], source: str) -> Advisory:
    """Give the Advisory of one OSV record; ValueError or KeyError where it breaks the schema."""
    familiar(record, _FIELDS, "record")
    identifier = fields.text(record, "id")
    if "affected" not in record and not record.get("withdrawn"):
        # Optional by the schema, and there in every real record: a renamed one would quietly take every statement back.
        raise KeyError("affected")
    aliases = fields.texts(record, "aliases")
    scores = tuple(_scores(record, identifier))
    statements = fields.unique(_statements(record, identifier, _unscored_severity(record, bool(scores))))
    vulnerabilities = _vulnerabilities(record, identifier, aliases)
    if vulnerabilities == (identifier,) and _NO_SECURITY_UPDATE.match(identifier):
        statements = ()
    return Advisory(
        source=source,
        id=identifier,
        vulnerabilities=vulnerabilities,
        statements=statements,
        aliases=_aliases(identifier, aliases),
        title=fields.prose(record, "summary"),
        description=fields.prose(record, "details"),
        published=fields.moment(record, "published"),
        modified=fields.moment(record, "modified"),
        withdrawn=fields.moment(record, "withdrawn"),
        scores=scores,
        weaknesses=_weaknesses(record),
        references=fields.unique(
            url for one in fields.objects(record, "references") if (url := fields.optional(one, "url"))
        )[: fields.MOST_REFERENCES],
    )


def _vulnerabilities(record: Mapping[str, Any], identifier: str, aliases: tuple[str, ...]) -> tuple[str, ...]:
    named: tuple[str, ...] = (identifier, *aliases)
    if _DISTRIBUTION_ADVISORY.match(identifier) or _WRAPPED_CVE.fullmatch(identifier):
        named += fields.texts(record, "upstream") + fields.texts(record, "related")
        if wrapped := _WRAPPED_CVE.fullmatch(identifier):
            # One flaw: its siblings in `related` are other records, not other flaws of this one.
            return (wrapped[1],)
    return fields.unique(name for name in named if fields.CVE.fullmatch(name)) or (identifier,)


def _aliases(identifier: str, aliases: tuple[str, ...]) -> tuple[str, ...]:
    if _DISTRIBUTION_ADVISORY.match(identifier):
        return ()  # an update is not another name of a flaw, whatever the record says
    wrapped = _WRAPPED_CVE.fullmatch(identifier)
    named = ((wrapped[1],) if wrapped else ()) + aliases
    return fields.unique(name for name in named if name != identifier)


def _weaknesses(record: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        name for name in fields.texts(_specific(record), "cwe_ids") if re.fullmatch(r"CWE-\d{1,6}", name)
    )


def _specific(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields.child(record, "database_specific")


def _unscored_severity(record: Mapping[str, Any], scored: bool) -> str | None:
    """Give the severity in words where no vector gives it in numbers."""
    if scored:
        return None
    words = [fields.optional(_specific(record), "severity")]
    words += [fields.optional(severity, "score") for severity in fields.objects(record, "severity")]
    word = next((word for word in words if word and len(word) < 30), None)
    return f"severity: {word.lower()}" if word else None


def _scores(record: Mapping[str, Any], identifier: str) -> Iterator[Score]:
    provider = _PROVIDERS.get(identifier.split("-", maxsplit=1)[0], "OSV")
    seen = set()
    places = [record, *fields.objects(record, "affected")]
    for severity in (one for place in places for one in fields.objects(place, "severity")):
        vector = fields.optional(severity, "score")
        kind = fields.optional(severity, "type") or ""
        if vector and vector not in seen and kind.startswith("CVSS_"):
            seen.add(vector)
            if score := score_of_vector(vector, provider, primary=not seen - {vector}):
                yield score


def _statements(record: Mapping[str, Any], identifier: str, severity: str | None) -> Iterator[Statement]:
    title = record.get("summary")
    count = 0
    for entry in fields.objects(record, "affected"):
        package = fields.child(entry, "package")
        where = fields.optional(package, "ecosystem")
        name = fields.optional(package, "name")
        if not where or not name:
            continue  # a git range of the upstream project
        found = ecosystem(where)
        if found is None:
            continue
        if found.scheme is Scheme.RPM and is_kernel_by_product("kernel", name):
            # An erratum lists all it ships. kernel-headers of RHEL 7 come from two kernels, 3.10 and 4.14.
            continue
        releases = (found.name, *found.others)
        note = "; ".join(part for part in (found.note, severity) if part) or None
        for versions, described in _ranges(entry, found):
            for release, module in product(releases, _modules(title, versions)):
                count += 1
                if count > MOST_STATEMENTS:
                    raise ValueError(f"{identifier} makes more than {MOST_STATEMENTS:,} statements")
                yield Statement(
                    Product(release, canonical_name(release, name)),
                    Status.AFFECTED,
                    versions,
                    described=described,
                    remedy=Remedy.FIXED if versions.fixed else None,
                    module=module,
                    note=note,
                )


def _modules(title: object, versions: VersionRange) -> tuple[str | None, ...]:
    """Give the rpm modules a modular build belongs to.

    OSV has no field for it. The title of the advisory does: "nodejs:18 security update",
    "virt:rhel and virt-devel:rhel security update".
    """
    fixed = versions.fixed
    if versions.scheme is not Scheme.RPM or not fixed or not _MODULAR_BUILD.search(fixed):
        return (None,)
    named = tuple(_MODULE.findall(title.split(": ", 1)[-1])) if isinstance(title, str) else ()
    return named or (None,)


def _ranges(entry: Mapping[str, Any], found: Ecosystem) -> Iterator[tuple[VersionRange, bool]]:
    """Yield each version range of an entry, and whether the record describes it at all."""
    usable = [
        one for one in fields.objects(entry, "ranges") if fields.text(one, "type") in ("ECOSYSTEM", "SEMVER")
    ]
    spans = [span for one in usable for span in spans_of_events(fields.objects(one, "events"), found.scheme)]
    if not spans:
        spans = [
            VersionRange(found.scheme, introduced=version, last_affected=version)
            for version in fields.texts(entry, "versions")
        ]
    if spans:
        yield from ((span, True) for span in spans)
    else:
        yield VersionRange(found.scheme), False


def spans_of_events(events: Sequence[Mapping[str, Any]], scheme: Scheme) -> Iterator[VersionRange]:
    """Yield the spans that a list of OSV events describes; the events may stand in any order."""
    points = [
        (kind, version)
        for event in events
        for kind in ("introduced", "fixed", "last_affected", "limit")
        if (version := fields.optional(event, kind)) is not None
    ]
    opened: str | None = None
    for kind, version in _in_order(points, scheme):
        if kind == "introduced":
            opened = version if opened is None else opened  # already inside: nothing new
        elif version == "*" and kind == "limit":
            continue
        elif opened is not None:
            start = None if opened == "0" else opened
            if kind == "last_affected":
                yield VersionRange(scheme, start, last_affected=version)
            else:
                yield VersionRange(scheme, start, fixed=version)
            opened = None
    if opened is not None:
        yield VersionRange(scheme, None if opened == "0" else opened)


def _in_order(points: list[tuple[str, str]], scheme: Scheme) -> list[tuple[str, str]]:
    """Sort events by version, ends before beginnings; as given where a version cannot be ordered."""
    if len(points) <= 2 and points and points[0][0] == "introduced":
        return points

    def order(left: tuple[str, str], right: tuple[str, str]) -> int:
        if "0" in (left[1], right[1]) and left[1] != right[1]:
            return -1 if left[1] == "0" else 1  # OSV's "0" is before every version
        if "*" in (left[1], right[1]) and left[1] != right[1]:
            return 1 if left[1] == "*" else -1
        by_version = 0 if left[1] == right[1] else compare(scheme, left[1], right[1])
        # A release that ends one span and begins the next: it is inside the next one.
        # A span of one version begins and ends there: the beginning comes first.
        return by_version or _RANK[left[0]] - _RANK[right[0]]

    try:
        return sorted(points, key=cmp_to_key(order))
    except InvalidVersion:
        return points


_RANK = {"fixed": 0, "limit": 0, "introduced": 1, "last_affected": 2}
