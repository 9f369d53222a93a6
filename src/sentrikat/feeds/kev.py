"""CISA Known Exploited Vulnerabilities (KEV): the flaws attackers use today.

Source  https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json
Schema  https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json
Pace    working days, a few entries at a time; one file, all entries
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from sentrikat.domain.advisory import Enrichment, Exploitation, Record
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
from sentrikat.feeds.held import refuse_older

NAME = "kev"
TITLE = "CISA Known Exploited Vulnerabilities"
URL = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
SOURCES = (URL,)
LICENSE = "CC0-1.0"
TERMS = "Known Exploited Vulnerabilities Catalog of CISA, public domain (CC0 1.0)."
PACE = timedelta(days=5)  # no entry over a long weekend is normal, five days of silence are not
COMPLETE = True  # the file holds every entry: one that is missing was withdrawn

_FIELDS = frozenset(
    {
        "cveID",
        "vendorProject",
        "product",
        "vulnerabilityName",
        "dateAdded",
        "shortDescription",
        "requiredAction",
        "dueDate",
        "knownRansomwareCampaignUse",
        "notes",
        "cwes",
        "forensicTriage",
    }
)
_TRIAGE = {"yes": True, "no": False}


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the catalogue, or nothing if it is the one `state` remembers; Conflict if it is older."""
    if document := transport.get(URL, state.of(URL)):
        with reading(document):
            released = fields.instant(fields.text(fields.mapping(document.json()), "dateReleased"))
        # A stale mirror would take back the marks of the newest, hottest entries.
        refuse_older(document, state, released=released.isoformat())
        yield document.remembering(released=released.isoformat())


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Enrichment per catalogue entry; FeedFormatError if malformed."""
    with reading(document):
        catalogue = fields.mapping(document.json(), "catalogue")
        entries = fields.sequence(catalogue["vulnerabilities"], "vulnerabilities")
        if catalogue["count"] != len(entries):
            # Being complete, a short file would quietly clear "exploited" marks.
            raise ValueError(f"it says {catalogue['count']} entries and holds {len(entries)}")
        if not entries:
            raise ValueError("it holds no entry at all")
    yield from mostly_good(document, map(_entry, entries))


def _entry(raw: object) -> Record | Quarantined:
    return attempt(raw, lambda: raw["cveID"], lambda: _enrichment(fields.mapping(raw, "entry")))  # type: ignore[index]


def _enrichment(entry: Mapping[str, Any]) -> Enrichment:
    familiar(entry, _FIELDS, "entry")
    due = fields.optional(entry, "dueDate")
    triage = fields.optional(entry, "forensicTriage")  # since BOD 26-04, absent before
    return Enrichment(
        source=NAME,
        vulnerability=fields.cve(entry, "cveID"),
        exploitation=Exploitation(
            since=date.fromisoformat(fields.text(entry, "dateAdded")),
            due=date.fromisoformat(due) if due else None,
            # "Known" or "Unknown", never "No".
            ransomware=(fields.optional(entry, "knownRansomwareCampaignUse") or "").lower() == "known",
            action=fields.prose(entry, "requiredAction") or "",
            name=fields.prose(entry, "vulnerabilityName") or "",
            vendor=fields.optional(entry, "vendorProject") or "",
            product=fields.optional(entry, "product") or "",
            notes=fields.prose(entry, "notes") or "",
            forensic_triage=_TRIAGE.get(triage.lower()) if triage else None,
        ),
    )
