"""FIRST Exploit Prediction Scoring System (EPSS): how likely each flaw is to be exploited soon.

Source  https://epss.empiricalsecurity.com/epss_scores-current.csv.gz
Format  https://www.first.org/epss/data_stats
Pace    daily; one file, every scored CVE
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import BinaryIO

from sentrikat.domain.advisory import Enrichment, Likelihood, Record
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
    unfamiliar,
)
from sentrikat.feeds.held import refuse_older
from sentrikat.feeds.unpacking import unpacked

NAME = "epss"
TITLE = "FIRST EPSS"
URL = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
SOURCES = (URL,)
LICENSE = "LicenseRef-FIRST-EPSS"
TERMS = "EPSS scores by FIRST.org, free to use with attribution: https://www.first.org/epss"
PACE = timedelta(days=2)
COMPLETE = True

UNKNOWN_MODEL = "unknown"  # the first line names no model; files of 2021 have no such line at all
LARGEST = 128 << 20  # bytes; the real file has 12 million
_LONGEST_LINE = 400
_DATE_IN_NAME = re.compile(r"\d{4}-\d\d-\d\d")


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the scores of the day, or nothing if `state` remembers them; Conflict if they are older."""
    for url in _held(transport) or [URL]:
        if document := transport.get(url, state.of(url)):
            with reading(document), unpacked(document, LARGEST) as stream:
                _, scored_on = _preamble(document, stream)
            refuse_older(document, state, scored_on=scored_on.isoformat())
            yield document.remembering(scored_on=scored_on.isoformat())


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield the exploitation likelihood of every CVE that FIRST scored.

    Input   UTF-8 CSV, one row per scored CVE, usually gzip. Line 1 is a comment,
            `#model_version:v2025.03.14,score_date:2025-06-01T00:00:00+0000`;
            line 2 names the columns `cve,epss,percentile`.
    Output  one Enrichment per row, in file order, read lazily.
            `probability`  0..1, chance of exploitation in the next 30 days
            `percentile`   0..1, share of CVEs with the same score or a lower one
    Raises  FeedFormatError when the head breaks the above or the file is cut; rows
            already yielded are good, and the caller discards the whole run.
    Source  https://www.first.org/epss/data_stats
    """
    yield from mostly_good(document, _rows(document))


def _rows(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document), unpacked(document, LARGEST) as stream:
        model_version, scored_on = _preamble(document, stream)
        lines = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        rows = csv.reader(lines, strict=True)
        header = [name.strip().lower() for name in next(_without_comments(rows), [])]
        cve, epss = header.index("cve"), header.index("epss")
        percentile = header.index("percentile") if "percentile" in header else None
        strange = [f"column {name}" for name in header if name not in {"cve", "epss", "percentile"}]

        def enrichment(row: list[str]) -> Enrichment:
            return Enrichment(
                source=NAME,
                vulnerability=fields.cve({"cve": row[cve]}, "cve"),
                likelihood=Likelihood(
                    probability=_share(row[epss], "epss"),
                    # Files of early 2021 have no percentile; the score alone is still worth having.
                    percentile=_share(row[percentile], "percentile") if percentile is not None else 0.0,
                    model_version=model_version,
                    scored_on=scored_on,
                ),
            )

        count = 0
        for row in _without_comments(rows):
            count += 1
            for name in strange:
                unfamiliar(name)
            yield attempt(row, lambda row=row: row[cve], lambda row=row: enrichment(row))  # type: ignore[misc]
        if not count:
            raise ValueError("it holds no score at all")


def _held(transport: Transport) -> list[str]:
    """Give the dated files a bundle holds in place of the current one, the newest last."""
    return sorted(transport.listing("https://epss.empiricalsecurity.com/") or [])


def _without_comments(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    return (row for row in rows if row and not row[0].startswith("#"))


def _preamble(document: Document, stream: BinaryIO) -> tuple[str, date]:
    """Read the comment lines at the head; give model version and day, from the file's name if need be."""
    model_version, scored_on = UNKNOWN_MODEL, None
    peeked = stream.peek(_LONGEST_LINE)[: 4 * _LONGEST_LINE]  # type: ignore[attr-defined]
    for line in peeked.decode("utf-8", "replace").splitlines():
        if not line.startswith("#"):
            break
        for part in line.lstrip("# ").split(","):
            key, _, value = part.partition(":")
            if key.strip() == "model_version" and value.strip():
                model_version = value.strip()[:100]
            if key.strip() == "score_date":
                scored_on = date.fromisoformat(value.strip()[:10])
    if scored_on is None and (
        found := _DATE_IN_NAME.search(document.url) or _DATE_IN_NAME.search(document.name)
    ):
        scored_on = date.fromisoformat(found.group())
    if scored_on is None:
        # A mirror may have lost the line; the day it was fetched is the latest it can be.
        scored_on = document.fetched_at.date()
    return model_version, scored_on


def _share(text: str, name: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {text}, not between 0 and 1")
    return value
