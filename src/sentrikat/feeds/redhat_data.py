"""Red Hat Security Data API: per CVE the erratum of each product, and the state of packages without one.

Source  https://access.redhat.com/hydra/rest/securitydata/cve.json (list, by date of publication), cve/CVE-ID.json
Schema  https://docs.redhat.com/en/documentation/red_hat_security_data_api/
Pace    documents change at any time, and the list does not say when; VEX (`redhat`) does, and is heard first

The documents are walked by date of publication, a bounded number each run; once the present is reached, those published
in the last weeks are asked for again, because their states still change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sentrikat.domain.advisory import Advisory, Product, Record, Remedy, Score, Statement, Status
from sentrikat.domain.errors import Unavailable
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    familiar,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.csaf import REMEDIES
from sentrikat.feeds.formats.redhat_products import build, package, release_of_cpe
from sentrikat.feeds.formats.rpm_builds import unrepaired
from sentrikat.feeds.formats.scores import score_of_vector
from sentrikat.feeds.unpacking import is_archive, json_files

NAME = "redhat_data"
TITLE = "Red Hat Security Data API"
BASE = "https://access.redhat.com/hydra/rest/securitydata/"
SOURCES = (BASE + "cve/", BASE + "cve.json")
LICENSE = "CC-BY-4.0"
TERMS = "Red Hat security data, CC BY 4.0, Red Hat, Inc."
PACE = timedelta(days=7)
COMPLETE = False

FIRST = "1999-01-01"  # the oldest flaw Red Hat has a document of was published in 1999
WINDOW_DAYS = 60  # of one list: some thousand flaws at most
AGAIN_DAYS = 21
MOST_DOCUMENTS = 1_500  # a run; further ones continue
PAGE = 1_000

_DESCRIPTION_LENGTH = 8_000

_FIELDS = frozenset(
    {
        "acknowledgement",
        "affected_release",
        "bugzilla",
        "csaw",
        "cvss",
        "cvss3",
        "cwe",
        "details",
        "document_distribution",
        "iava",
        "mitigation",
        "name",
        "package_state",
        "public_date",
        "references",
        "statement",
        "threat_severity",
        "upstream_fix",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:
    """Yield the documents of the flaws published since the last run's place, a window of days at a time."""
    if (held := transport.listing(SOURCES[0])) is not None:
        for url in held:
            if document := transport.get(url, state.of(url)):
                yield document
        return
    today = f"{options.now:%Y-%m-%d}"
    if state.cursors.get("asked") == today:
        return  # the present was reached today
    start = _day(state.cursors.get("published", FIRST))
    fetched = 0
    while fetched < MOST_DOCUMENTS:
        end = start + timedelta(days=WINDOW_DAYS)
        at_present = end >= options.now
        cursors = {"published": f"{min(end, options.now - timedelta(days=AGAIN_DAYS)):%Y-%m-%d}"}
        if at_present:
            cursors["asked"] = today
        pending: Document | None = None  # the last one of a window carries the place reached
        for name in _published(transport, start, end):
            if (document := _document(transport, name)) is not None:
                fetched += 1
                if pending is not None:
                    yield pending
                pending = document
        if pending is not None:
            yield pending.remembering(**cursors)
        if at_present:
            return
        start = end


def _document(transport: Transport, name: str) -> Document | None:
    try:
        return transport.get(f"{SOURCES[0]}{name}.json")
    except Unavailable as trouble:
        if trouble.code == "feed_missing":
            return None  # listed, and not there: a flaw that was taken back
        raise


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _published(transport: Transport, start: datetime, end: datetime) -> list[str]:
    """Give the CVE ids published between two days."""
    found: list[str] = []
    page = 1
    while True:
        params = {
            "after": f"{start - timedelta(days=1):%Y-%m-%d}",
            "before": f"{end:%Y-%m-%d}",
            "per_page": str(PAGE),
            "page": str(page),
        }
        document = transport.get(BASE + "cve.json", params=params)
        if document is None:
            return found
        with reading(document):
            entries = [fields.mapping(one, "entry") for one in fields.sequence(document.json(), "the list")]
            found.extend(fields.cve(one, "CVE") for one in entries)
        if len(entries) < PAGE:
            return list(fields.unique(found))
        page += 1


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per document, single or in an archive."""
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    count = 0
    with reading(document):
        files = json_files(document) if is_archive(document) else iter([(document.name, document.read())])
        for name, content in files:
            count += 1
            yield attempt(
                content,
                lambda name=name: name.rsplit("/", 1)[-1].removesuffix(".json"),  # type: ignore[misc]
                lambda content=content: _advisory(fields.mapping(orjson.loads(content))),  # type: ignore[misc]
            )
        if not count:
            raise ValueError("it holds no document at all")


def _advisory(record: Mapping[str, Any]) -> Advisory:
    name = fields.cve(record, "name")
    familiar(record, _FIELDS, "record")
    details = fields.texts(
        {"details": [_cut(one) for one in fields.sequence(record.get("details"), "details")]}, "details"
    )
    return Advisory(
        source=NAME,
        id=name,
        vulnerabilities=(name,),
        statements=tuple(_statements(record)),
        title=fields.prose(fields.child(record, "bugzilla"), "description"),
        description="\n\n".join(details)[:_DESCRIPTION_LENGTH] or None,
        published=fields.moment(record, "public_date"),
        scores=tuple(_scores(record)),
        references=(f"https://access.redhat.com/security/cve/{name}",),
    )


def _cut(text: object) -> object:
    return text[: fields.LONGEST_NAME].replace("\x00", "") if isinstance(text, str) else text


def _statements(record: Mapping[str, Any]) -> Iterator[Statement]:
    repaired: dict[tuple[str, str, str | None], list[str]] = {}
    for erratum in _listed(record, "affected_release"):
        release = release_of_cpe(fields.optional(erratum, "cpe") or "")
        found = build(fields.optional(erratum, "package") or "")
        # A module's own build (nodejs:16-8050...) names no package, and an image is none.
        if release is not None and found is not None and found.version is not None:
            repaired.setdefault((release, found.name, found.stream), []).append(found.version)
    for (release, name, module), builds in repaired.items():
        for versions in unrepaired(builds):
            yield Statement(
                Product(release, name), Status.AFFECTED, versions, remedy=Remedy.FIXED, module=module
            )
    for entry in _listed(record, "package_state"):
        release = release_of_cpe(fields.optional(entry, "cpe") or "")
        named = package(fields.optional(entry, "package_name") or "")
        state = fields.text(entry, "fix_state")
        if release is None or named is None or (release, named.name, named.stream) in repaired:
            continue
        yield _state(Product(release, named.name), named.stream, state)


def _listed(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Give the entries of `name`, which older documents hold as one object where there is one."""
    value = record.get(name)
    return [value] if isinstance(value, dict) else fields.objects(record, name)


def _state(product: Product, module: str | None, state: str) -> Statement:
    everything = VersionRange(Scheme.RPM)
    known = state.lower()
    if known == "not affected":
        return Statement(product, Status.UNAFFECTED, everything, remedy=Remedy.NOT_AFFECTED, module=module)
    if known == "under investigation":
        return Statement(product, Status.INVESTIGATING, everything, module=module, note=state)
    if known not in REMEDIES:
        raise ValueError(f"the fix state {state[:40]!r} is unknown")
    return Statement(product, Status.AFFECTED, everything, remedy=REMEDIES[known], module=module, note=state)


def _scores(record: Mapping[str, Any]) -> Iterator[Score]:
    for form, prefix in (("cvss3", "cvss3"), ("cvss", "cvss")):
        vector = fields.optional(fields.child(record, form), f"{prefix}_scoring_vector")
        if vector and (score := score_of_vector(vector, "Red Hat", primary=form == "cvss3")):
            yield score
