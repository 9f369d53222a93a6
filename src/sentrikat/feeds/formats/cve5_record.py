"""One CVE JSON 5 record as an Advisory and, where CISA decided, an Enrichment.

Source  https://cveproject.github.io/cve-schema/

A record has one container of the authority that assigned it (`cna`) and any number of others
(`adp`); CISA's "Vulnrichment" container adds SSVC decision points, scores and CPE names.

A product is named in up to three ways, and each that can meet an inventory makes statements:

    vendor, product              ('cve5', 'vendor:product'), free words in lower case
    cpes, cpeApplicability       ('cpe:a', 'vendor:product')
    collectionURL + packageName  a package of a language, or of Red Hat Enterprise Linux
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sentrikat.domain import purl
from sentrikat.domain.advisory import (
    Advisory,
    DecisionPoints,
    Enrichment,
    Product,
    Remedy,
    Score,
    Statement,
    Status,
)
from sentrikat.domain.cpe import applicability
from sentrikat.domain.cpe import name as cpe_name
from sentrikat.domain.cpe.target import target_of
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.matching.lanes import scheme_of
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import familiar
from sentrikat.feeds.formats.cve5_versions import Span, spans
from sentrikat.feeds.formats.scores import provider_named, score_of_vector

_METRICS = ("cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0")
_WORTHLESS = frozenset({"", "n/a", "na", "unknown", "unspecified", "-", "*", "none"})
_YES_NO = {"yes": True, "no": False}
_MOST_CPES = 500
_COLLECTIONS = (
    (re.compile(r"https?://(?:www\.)?(?:pypi\.python\.org|pypi\.org)"), "pypi"),
    (re.compile(r"https?://(?:repo\.maven\.apache\.org|repo1\.maven\.org|central\.sonatype\.com)"), "maven"),
    (re.compile(r"https?://pkg\.go\.dev"), "golang"),
    (re.compile(r"https?://(?:registry\.npmjs\.org|(?:www\.)?npmjs\.com)"), "npm"),
    (re.compile(r"https?://(?:www\.)?packagist\.org"), "composer"),
    (re.compile(r"https?://(?:www\.|api\.)?nuget\.org"), "nuget"),
    (re.compile(r"https?://(?:www\.)?rubygems\.org"), "gem"),
    (re.compile(r"https?://(?:www\.)?crates\.io"), "cargo"),
)
_RHEL = re.compile(r"Red Hat Enterprise Linux (\d+)")


_CNA_FIELDS = frozenset(
    {
        "providerMetadata",
        "dateAssigned",
        "datePublic",
        "title",
        "descriptions",
        "affected",
        "cpeApplicability",
        "problemTypes",
        "references",
        "impacts",
        "metrics",
        "configurations",
        "workarounds",
        "solutions",
        "exploits",
        "timeline",
        "credits",
        "source",
        "tags",
        "taxonomyMappings",
        "rejectedReasons",
        "replacedBy",
    }
)


def records(record: Mapping[str, Any], source: str) -> list[Advisory | Enrichment]:
    """Give what one CVE record says; ValueError, TypeError or KeyError where it breaks the schema."""
    metadata = fields.mapping(record["cveMetadata"], "cveMetadata")
    identifier = fields.cve(metadata, "cveId")
    containers = fields.mapping(record["containers"], "containers")
    cna = fields.mapping(containers["cna"], "cna")
    familiar(cna, _CNA_FIELDS, "cna")
    rejected = fields.text(metadata, "state").upper() == "REJECTED"
    all_containers = [cna, *fields.objects(containers, "adp")]
    advisory = Advisory(
        source=source,
        id=identifier,
        vulnerabilities=(identifier,),
        statements=() if rejected else fields.unique(_by_release(list(_statements(all_containers)))),
        title=fields.prose(cna, "title"),
        description=_description(cna, "rejectedReasons" if rejected else "descriptions"),
        published=fields.moment(metadata, "datePublished"),
        modified=fields.moment(metadata, "dateUpdated"),
        withdrawn=fields.moment(metadata, "dateRejected") if rejected else None,
        rejected=rejected,
        scores=tuple(_scores(all_containers)),
        weaknesses=fields.unique(_weaknesses(all_containers)),
        references=fields.unique(_references(all_containers))[: fields.MOST_REFERENCES],
    )
    found: list[Advisory | Enrichment] = [advisory]
    if not rejected and (points := _decision_points(all_containers)):
        found.append(Enrichment(source=source, vulnerability=identifier, decision_points=points))
    return found


def _by_release(statements: list[Statement]) -> Iterator[Statement]:
    """Yield statements, with each repair kept to its own line of releases where a product has one in several.

    "Before 12.7.1", "before 13.6.1" and "before 14.1" of one product can only mean three lines, each repaired on its
    own: the last alone would say the other two as well. So each begins where the line before it ends. Apple writes
    its systems this way.
    """
    ends: dict[Product, list[int]] = {}
    for one in statements:
        if (line := _line_of(one)) is not None:
            ends.setdefault(one.product, []).append(line)
    for one in statements:
        line = _line_of(one)
        earlier = [end for end in ends.get(one.product, ()) if line is not None and end < line]
        if not earlier:
            yield one
            continue
        yield replace(one, versions=replace(one.versions, introduced=str(max(earlier) + 1)))


def _line_of(statement: Statement) -> int | None:
    """Give the first number of a repair that is said to hold for everything before it; None for other statements."""
    versions = statement.versions
    if statement.status is not Status.AFFECTED or versions.introduced is not None or versions.fixed is None:
        return None
    major = versions.fixed.partition(".")[0]
    return int(major) if major.isascii() and major.isdigit() and len(major) < 6 else None


def _description(cna: Mapping[str, Any], name: str) -> str | None:
    for one in fields.objects(cna, name):
        if (fields.optional(one, "lang") or "").lower().startswith("en"):
            return fields.prose(one, "value")
    return None


def _references(containers: list[Mapping[str, Any]]) -> Iterator[str]:
    for container in containers:
        for one in fields.objects(container, "references"):
            if url := fields.optional(one, "url"):
                yield url


def _weaknesses(containers: list[Mapping[str, Any]]) -> Iterator[str]:
    for container in containers:
        for problem in fields.objects(container, "problemTypes"):
            for one in fields.objects(problem, "descriptions"):
                name = fields.optional(one, "cweId")
                if name and re.fullmatch(r"CWE-\d{1,6}", name):
                    yield name


def _scores(containers: list[Mapping[str, Any]]) -> Iterator[Score]:
    seen = set()
    for place, container in enumerate(containers):
        provider = fields.child(container, "providerMetadata")
        whose = provider_named(fields.optional(provider, "shortName") or "CNA")
        for metric in fields.objects(container, "metrics"):
            for name in _METRICS:
                vector = fields.optional(fields.child(metric, name), "vectorString")
                if vector and (vector, whose) not in seen:
                    seen.add((vector, whose))
                    if score := score_of_vector(vector, whose, primary=place == 0):
                        yield score


def _decision_points(containers: list[Mapping[str, Any]]) -> DecisionPoints | None:
    for container in containers:
        for metric in fields.objects(container, "metrics"):
            other = fields.child(metric, "other")
            if fields.optional(other, "type") == "ssvc":
                return _ssvc(fields.child(other, "content"))
    return None


def _ssvc(content: Mapping[str, Any]) -> DecisionPoints:
    """Read CISA's options; their values come in mixed case, "Total" beside "total"."""
    options: dict[str, str] = {}
    for option in fields.objects(content, "options"):
        for key in option:
            options[key.strip().lower()] = fields.text(option, key).lower()
    exploitation = options.get("exploitation")
    impact = options.get("technical impact")
    return DecisionPoints(
        exploitation=exploitation if exploitation in ("none", "poc", "active") else None,
        automatable=_YES_NO.get(options.get("automatable", "")),
        technical_impact=impact if impact in ("partial", "total") else None,
        decided_at=fields.moment(content, "timestamp"),
    )


def _statements(containers: list[Mapping[str, Any]]) -> Iterator[Statement]:
    for container in containers:
        configurations = fields.objects(container, "cpeApplicability")
        if configurations:
            yield from _configured(configurations)
        for affected in fields.objects(container, "affected"):
            yield from _affected(affected, with_cpes=not configurations)


def _configured(configurations: list[Mapping[str, Any]]) -> tuple[Statement, ...]:
    try:
        return applicability.statements(applicability.parse_configurations(configurations))
    except InvalidInput:
        return ()  # the same container's `affected` still speaks


def _affected(affected: Mapping[str, Any], *, with_cpes: bool) -> Iterator[Statement]:
    # Only the words have no use without both: "n/a" for a vendor is most of 2005.
    vendor, product = fields.optional(affected, "vendor"), fields.optional(affected, "product")
    package = fields.optional(affected, "packageName")
    packaged = _package(affected, package)
    if packaged is not None:
        for span in spans(affected, scheme_of(packaged.ecosystem)):
            yield _statement(packaged, span)
        if packaged.ecosystem.startswith("rhel"):
            return  # an rpm version says nothing of the product "Red Hat Enterprise Linux"
    elif package is not None and vendor == "Red Hat":
        return
    generic = spans(affected, Scheme.GENERIC)
    if vendor and product and not {vendor.lower(), product.lower()} & _WORTHLESS:
        named = Product("cve5", f"{_word(vendor)}:{_word(product)}")
        for span in generic:
            yield _statement(named, span)
    if with_cpes and packaged is None:
        yield from _named_by_cpe(fields.texts(affected, "cpes")[:_MOST_CPES], generic)


def _word(text: str) -> str:
    return " ".join(text.lower().split())


def _package(affected: Mapping[str, Any], package: str | None) -> Product | None:
    if url := fields.optional(affected, "packageURL"):
        try:
            found = purl.product_of(purl.parse(url))
        except InvalidInput:
            found = None
        if found is not None and found.ecosystem in purl.LANGUAGE_TYPES:
            return found
    if package is None or package.lower() in _WORTHLESS:
        return None
    collection = fields.optional(affected, "collectionURL") or ""
    for pattern, ecosystem in _COLLECTIONS:
        if pattern.match(collection):
            return Product(ecosystem, purl.canonical_name(ecosystem, package))
    release = _RHEL.fullmatch(fields.optional(affected, "product") or "")
    if release and "redhat.com" in collection and ":" not in package and "/" not in package:
        return Product(f"rhel:{release[1]}", package)
    return None


def _named_by_cpe(names: tuple[str, ...], found: list[Span]) -> Iterator[Statement]:
    """Put the spans of an entry on the products its CPE names stand for.

    The names carry the part, the platform and the spelling; the versions stand in `versions`.
    """
    for text in names:
        try:
            name = cpe_name.parse(text)
        except InvalidInput:
            continue
        if cpe_name.has_wildcard(name.vendor) or cpe_name.has_wildcard(name.product):
            continue
        for span in found:
            yield _statement(cpe_name.product_of(name), span, target_of(name, without_update=True))


def _statement(product: Product, span: Span, target: tuple[tuple[str, str], ...] = ()) -> Statement:
    remedy = None
    if span.status is Status.UNAFFECTED:
        remedy = Remedy.NOT_AFFECTED
    elif span.versions.fixed is not None:
        remedy = Remedy.FIXED
    return Statement(
        product,
        span.status,
        span.versions,
        described=span.described,
        remedy=remedy,
        target=target,
        note=span.note,
    )
