"""NVD data overrides: CPE configurations that NVD lacks or got wrong.

Source  https://github.com/anchore/nvd-data-overrides, branch main, data/YEAR/CVE-....json
Pace    hourly; the repository as one archive
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import orjson

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.domain.cpe.applicability import parse_configurations, statements
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
from sentrikat.feeds.unpacking import is_archive, json_files

NAME = "overrides"
TITLE = "NVD data overrides"
URL = "https://codeload.github.com/anchore/nvd-data-overrides/tar.gz/refs/heads/main"
SOURCES = (URL,)
LICENSE = "CC0-1.0"
TERMS = "nvd-data-overrides of Anchore, public domain (CC0 1.0)."
PACE = timedelta(days=3)
COMPLETE = True  # an override that is gone was taken back: NVD has the configuration now

_FIELDS = frozenset({"_annotation", "cve"})
_ANNOTATION_FIELDS = frozenset(
    {
        "cna",
        "cve_id",
        "description",
        "generated_from",
        "modified",
        "needs_review",
        "published",
        "reason",
        "references",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the repository, or nothing if it is the one `state` remembers."""
    if document := transport.get(URL, state.of(URL)):
        yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per override; reads the archive and single files."""
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    count = 0
    with reading(document):
        files = json_files(document) if is_archive(document) else iter([(document.name, document.read())])
        for name, content in files:
            stem = name.rsplit("/", 1)[-1].removesuffix(".json")
            if _outside_data(name):
                continue
            count += 1
            yield attempt(
                content,
                lambda stem=stem: stem,  # type: ignore[misc]
                lambda content=content: _advisory(fields.mapping(orjson.loads(content))),  # type: ignore[misc]
            )
        if not count:
            raise ValueError("it holds no override at all")


def _outside_data(name: str) -> bool:
    """Say whether a JSON file of the repository lies outside its data folder."""
    parts = name.split("/")
    return len(parts) > 1 and "data" not in parts[:-1]


def _advisory(record: Mapping[str, Any]) -> Advisory:
    annotation = fields.mapping(record["_annotation"], "_annotation")
    cve = fields.mapping(record["cve"], "cve")
    familiar(record, _FIELDS, "record")
    familiar(annotation, _ANNOTATION_FIELDS, "_annotation")
    identifier = fields.cve(annotation, "cve_id")
    return Advisory(
        source=NAME,
        id=identifier,
        vulnerabilities=(identifier,),
        statements=statements(parse_configurations(fields.objects(cve, "configurations"))),
        published=fields.moment(annotation, "published"),
        modified=fields.moment(annotation, "modified"),
        references=fields.texts(annotation, "references")[: fields.MOST_REFERENCES],
    )
