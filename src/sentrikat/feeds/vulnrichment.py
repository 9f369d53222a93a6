"""CISA Vulnrichment: CVE JSON 5 records with SSVC decision points, scores and CPE names.

Source  https://github.com/cisagov/vulnrichment, branch develop, one file per CVE
Schema  https://cveproject.github.io/cve-schema/
Pace    working days; the repository as one archive, and single records beside it
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import orjson

from sentrikat.domain.advisory import Advisory, Enrichment, Record
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.cve5_record import records
from sentrikat.feeds.unpacking import is_archive, json_files

NAME = "vulnrichment"
TITLE = "CISA Vulnrichment (CVE JSON 5)"
URL = "https://codeload.github.com/cisagov/vulnrichment/tar.gz/refs/heads/develop"
SOURCES = (URL,)
LICENSE = "CC0-1.0"
TERMS = (
    "Vulnrichment of CISA, public domain (CC0 1.0); CVE records under the terms of use of the CVE Program."
)
PACE = timedelta(days=5)
COMPLETE = False  # a rejected CVE stays in the repository and says so

_NO_RECORDS = frozenset(
    {"package", "schema", "delta", "deltaLog", "recent_activities"}
)  # files about the files


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the repository, or nothing if it is the one `state` remembers."""
    if document := transport.get(URL, state.of(URL)):
        yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield an Advisory per record and, where CISA decided, an Enrichment; reads archives and single records."""
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    count = 0
    with reading(document):
        files = json_files(document) if is_archive(document) else iter([(document.name, document.read())])
        for name, content in files:
            stem = name.rsplit("/", 1)[-1].removesuffix(".json")
            if stem in _NO_RECORDS:
                continue
            count += 1
            found = attempt(content, lambda stem=stem: stem, lambda content=content: _read(content))  # type: ignore[misc]
            if isinstance(found, Quarantined):
                yield found
            else:
                yield from found
        if not count:
            raise ValueError("it holds no CVE record at all")


def _read(content: bytes) -> list[Advisory | Enrichment]:
    return records(fields.mapping(orjson.loads(content)), NAME)
