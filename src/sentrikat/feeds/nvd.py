"""NIST National Vulnerability Database (NVD), CVE records of version 2.0.

Source  https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-YYYY.json.gz   first fill
        https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-modified.json.gz   the last eight days
        https://services.nvd.nist.gov/rest/json/cves/2.0   longer absences, by `lastModified`
Schema  https://csrc.nist.gov/schema/nvd/api/2.0/cve_api_json_2.0.schema
Pace    every two hours

The `last_modified` cursor says up to when everything is held. It follows `lastModified`, never
`published`: what NVD says of a flaw comes weeks after the flaw, and changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import ijson

from sentrikat.domain.advisory import Advisory, Record, Score
from sentrikat.domain.cpe.applicability import parse_configurations, statements
from sentrikat.domain.errors import Unavailable
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
    unfamiliar,
)
from sentrikat.feeds.formats.nvd_pages import changed_pages, count_of, head_of
from sentrikat.feeds.formats.scores import provider_named, score_of_vector
from sentrikat.feeds.unpacking import unpacked_json

NAME = "nvd"
TITLE = "NIST National Vulnerability Database"
FILES = "https://nvd.nist.gov/feeds/json/cve/2.0/"
API = "https://services.nvd.nist.gov/rest/json/cves/2.0"
SOURCES = (FILES, API)
LICENSE = "LicenseRef-US-public-domain"
TERMS = "This product uses data from the NVD API but is not endorsed or certified by the NVD."
PACE = timedelta(days=1)
COMPLETE = False  # a rejected record stays and says so

FIRST_YEAR = 2002  # its file also holds the years before
MODIFIED = FILES + "nvdcve-2.0-modified.json.gz"
MODIFIED_REACH = timedelta(days=7)  # the file covers eight days; one is left for its own age
PAGE = 2_000  # NVD's largest
_LIST = "vulnerabilities"

_METRICS = ("cvssMetricV40", "cvssMetricV31", "cvssMetricV30", "cvssMetricV2")


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:
    """Yield the yearly files, or what changed since `state`; from a bundle, all it holds."""
    held = transport.listing("https://")
    if held is not None:
        wanted = [url for url in held if url.startswith(SOURCES)]
        yield from (document for url in wanted if (document := transport.get(url, state.of(url))))
        return
    cursor = state.cursors.get("last_modified")
    if cursor is None:
        yield from _yearly(transport, state, options)
        return
    since = fields.instant(cursor)
    if options.now - since <= MODIFIED_REACH:
        if document := transport.get(MODIFIED, state.of(MODIFIED)):
            yield document.remembering(last_modified=max(_made_at(document), since).isoformat())
        return
    for page, _ in changed_pages(transport, API, since, options, size=PAGE, kind=_LIST):
        yield page


def _yearly(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:
    """Yield each year's file; the last one carries the cursor, the time of the oldest of all."""
    times: list[datetime] = []
    last: Document | None = None
    for year in range(FIRST_YEAR, options.now.year + 1):
        url = f"{FILES}nvdcve-2.0-{year}.json.gz"
        try:
            document = transport.get(url, state.of(url))
        except Unavailable as trouble:
            if trouble.code == "feed_missing" and year == options.now.year:
                break  # the first file of a year comes days after New Year
            raise
        if document is None:
            # Held since a run that stopped half way.
            if modified := state.of(url).last_modified:
                times.append(parsedate_to_datetime(modified))
            continue
        times.append(_made_at(document))
        if last is not None:
            yield last
        last = document
    if last is not None:
        yield last.remembering(last_modified=min(times).isoformat())


def _made_at(document: Document) -> datetime:
    with reading(document):
        return fields.instant(fields.text(head_of(document, _LIST), "timestamp"))


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per CVE record, read lazily from a file or a page of the API.

    FeedFormatError when fewer records come than the document announces: it was cut.
    """
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        head = head_of(document, _LIST)
        if _LIST not in head:
            raise KeyError(_LIST)
        announced, count = count_of(head, "resultsPerPage"), 0
        with unpacked_json(document) as stream:
            for item in ijson.items(stream, "vulnerabilities.item", use_float=True):
                count += 1
                yield attempt(
                    item,
                    lambda item=item: item["cve"]["id"],  # type: ignore[misc]
                    lambda item=item: _advisory(fields.mapping(fields.mapping(item)["cve"], "cve")),  # type: ignore[misc]
                )
        # The last page of a query holds fewer than it could; a yearly file announces what it has.
        if count < min(announced, count_of(head, "totalResults") - head.get("startIndex", 0)):
            raise ValueError(f"it announces {announced} records and holds {count}")


_FIELDS = frozenset(
    {
        "id",
        "sourceIdentifier",
        "published",
        "lastModified",
        "vulnStatus",
        "evaluatorComment",
        "evaluatorImpact",
        "evaluatorSolution",
        "cisaExploitAdd",
        "cisaActionDue",
        "cisaRequiredAction",
        "cisaVulnerabilityName",
        "cveTags",
        "descriptions",
        "metrics",
        "weaknesses",
        "configurations",
        "references",
        "vendorComments",
    }
)
_STATUSES = frozenset(
    {
        "Received",
        "Awaiting Analysis",
        "Undergoing Analysis",
        "Analyzed",
        "Modified",
        "Deferred",
        "Rejected",
    }
)


def _advisory(record: Mapping[str, Any]) -> Advisory:
    familiar(record, _FIELDS, "cve")
    identifier = fields.cve(record, "id")
    status = fields.optional(record, "vulnStatus")
    if status is not None and status not in _STATUSES:
        unfamiliar(f"cve.vulnStatus={status}")
    rejected = status == "Rejected"
    return Advisory(
        source=NAME,
        id=identifier,
        vulnerabilities=(identifier,),
        statements=()
        if rejected
        else statements(parse_configurations(fields.objects(record, "configurations"))),
        description=_english(record),
        published=fields.moment(record, "published"),
        modified=fields.moment(record, "lastModified"),
        rejected=rejected,
        scores=tuple(_scores(fields.child(record, "metrics"))),
        weaknesses=_weaknesses(record),
        references=fields.unique(
            url for one in fields.objects(record, "references") if (url := fields.optional(one, "url"))
        )[: fields.MOST_REFERENCES],
    )


def _english(record: Mapping[str, Any]) -> str | None:
    for one in fields.objects(record, "descriptions"):
        if one.get("lang") == "en":
            return fields.prose(one, "value")
    return None


def _scores(metrics: Mapping[str, Any]) -> Iterator[Score]:
    """Yield every score of every assessor.

    Only the vector is read. The names of the single metrics changed in 2025, and some records
    carry both spellings.
    """
    for name in _METRICS:
        for metric in fields.objects(metrics, name):
            vector = fields.optional(fields.child(metric, "cvssData"), "vectorString")
            source = fields.optional(metric, "source") or "NVD"
            primary = fields.optional(metric, "type") == "Primary"
            if vector and (score := score_of_vector(vector, provider_named(source), primary=primary)):
                yield score


_CWE = re.compile(r"CWE-\d{1,6}")  # beside "NVD-CWE-noinfo" and "NVD-CWE-Other"


def _weaknesses(record: Mapping[str, Any]) -> tuple[str, ...]:
    return fields.unique(
        value
        for weakness in fields.objects(record, "weaknesses")
        for one in fields.objects(weakness, "description")
        if (value := fields.optional(one, "value")) and _CWE.fullmatch(value)
    )
