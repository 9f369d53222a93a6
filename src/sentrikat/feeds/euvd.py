"""ENISA European Vulnerability Database (EUVD): what Europe knows to be exploited, and EUVD's names of flaws.

Source  https://euvdservices.enisa.europa.eu/api/search?exploited=true, pages of 100 records
        https://euvdservices.enisa.europa.eu/api/dump/cve-euvd-mapping, CSV of EUVD and CVE ids
        /api/exploitedvulnerabilities gives only the latest eight; a file of it is read too
Schema  https://euvd.enisa.europa.eu/apidoc
Pace    the list whenever it changes, the dump daily at 07:00 UTC; no request limit is published, no key is needed

ENISA's list holds CISA's entries and those of Europe's CSIRTs. Its word is kept beside CISA's, never as CISA's.
Scores, EPSS and products are not read where a record names a CVE: EUVD copies them from sources we hear ourselves.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sentrikat.domain.advisory import (
    Advisory,
    Enrichment,
    Exploitation,
    Product,
    Record,
    SameFlaw,
    Statement,
    Status,
)
from sentrikat.domain.errors import FeedFormatError, Unavailable
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
from sentrikat.feeds.unpacking import unpacked

NAME = "euvd"
TITLE = "ENISA European Vulnerability Database"
BASE = "https://euvdservices.enisa.europa.eu/api/"
SEARCH = BASE + "search"
MAPPING = BASE + "dump/cve-euvd-mapping"
SOURCES = (BASE,)
LICENSE = "LicenseRef-ENISA-EUVD"
TERMS = "European Vulnerability Database of ENISA; reproduction is authorized, provided the source is acknowledged."
PACE = timedelta(days=5)
COMPLETE = True  # every page of the exploited list is read in each run: a mark that is missing was taken back

PAGE = 100  # the largest the server gives
MOST_PAGES = 400  # the list has some 1,800 entries
LARGEST = 128 << 20  # bytes; the mapping has 12 million

_FIELDS = frozenset(
    {
        "aliases",
        "assigner",
        "baseScore",
        "baseScoreVector",
        "baseScoreVersion",
        "datePublished",
        "dateUpdated",
        "description",
        "enisaIdAdvisory",
        "enisaIdProduct",
        "enisaIdVendor",
        "enisaIdVulnerability",
        "enisaUuid",
        "epss",
        "exploitedSince",
        "id",
        "references",
    }
)
_EUVD = re.compile(r"EUVD-\d{4}-\d{1,19}")
_TIME = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4})(?:, (\d{1,2}):(\d\d):(\d\d)\s?([AP])M)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield every page of the exploited list, then the mapping where it is new."""
    held = transport.listing(BASE)
    if held is not None:
        documents = [found for url in held if (found := transport.get(url)) is not None]
        # A single page, or the latest eight, brought in as a file: what they do not mention was not taken back.
        cut = not _whole(documents)
        yield from (replace(one, cut=True) if cut else one for one in documents)
        return
    yield from _pages(transport)
    try:
        mapping = transport.get(MAPPING, state.of(MAPPING))
    except Unavailable as trouble:
        if trouble.code != "feed_missing":
            raise
        # A mirror need not have it; names then come with the exploited records alone.
        mapping = None
    if mapping is not None:
        yield mapping


def _pages(transport: Transport) -> Iterator[Document]:
    names: set[str] = set()
    for number in range(MOST_PAGES):
        document = transport.get(SEARCH, params=_question(number))
        if document is None:
            return
        with reading(document):
            page = fields.mapping(document.json(), "page")
            items = fields.objects(page, "items")
            total = page["total"]
            if not isinstance(total, int) or isinstance(total, bool) or total < 1:
                # Being complete, an empty list would clear every "exploited" mark.
                raise ValueError("total is not a number of entries")
            before = len(names)
            names.update(str(one.get("id")) for one in items)
            if len(names) == before:
                raise ValueError(f"it says {total} entries and its pages hold {before}")
        yield document
        if len(names) >= total:
            return
    raise FeedFormatError(
        f"The exploited list was not imported: it has more than {MOST_PAGES} pages.",
        hint=f"It came from {SEARCH}. The data of the last good run stays in use.",
    )


def _whole(documents: list[Document]) -> bool:
    """Say whether the pages among `documents` hold as many records as they speak of."""
    names: set[str] = set()
    totals: list[int] = []
    for document in documents:
        if _is_json(document):
            with reading(document):
                value = document.json()
                page = value if isinstance(value, dict) else {"items": value, "total": None}
                names.update(str(one.get("id")) for one in fields.objects(page, "items"))
                totals.append(page["total"] if isinstance(page.get("total"), int) else LARGEST)
    return bool(totals) and len(names) >= max(totals)


def _is_json(document: Document) -> bool:
    with reading(document), unpacked(document, LARGEST) as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _question(number: int) -> dict[str, str]:
    return {"exploited": "true", "fromScore": "0", "toScore": "10", "page": str(number), "size": str(PAGE)}


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield ENISA's word on each exploited flaw, and which names stand for one flaw; reads pages, lists and the CSV.

    Input   {"items": [...], "total": n}, a bare list of the same records, or CSV with euvd_id and cve_id.
            `aliases` is text, one name per line; times are like "Jan 14, 2025, 9:31:47 PM", UTC.
    Output  Enrichment (exploitation), SameFlaw; Advisory for a record that has no CVE id.
    Raises  FeedFormatError for another shape.
    """
    if _is_json(document):
        yield from mostly_good(document, _records(document))
    else:
        yield from mostly_good(document, _names(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        value = document.json()
        items = value if isinstance(value, list) else fields.sequence(fields.mapping(value)["items"], "items")
        if isinstance(value, list) and not items:
            raise ValueError("it holds no record at all")
    for item in items:
        found = attempt(item, lambda item=item: item["id"], lambda item=item: _read(fields.mapping(item)))  # type: ignore[misc]
        if isinstance(found, Quarantined):
            yield found
        else:
            yield from found


def _read(item: Mapping[str, Any]) -> list[Record]:
    familiar(item, _FIELDS, "item")
    name = fields.text(item, "id")
    if not _EUVD.fullmatch(name):
        raise ValueError("id is not an EUVD id")
    aliases = fields.unique(
        line for line in (one.strip() for one in (fields.prose(item, "aliases") or "").split("\n")) if line
    )
    if any(len(one) > fields.LONGEST_NAME for one in aliases):
        raise ValueError("aliases holds a name that is too long")
    flaws = tuple(one for one in aliases if fields.CVE.fullmatch(one))
    found: list[Record] = []
    if not flaws:
        found.append(_advisory(item, name, aliases))
    elif len(flaws) == 1:
        # Where several CVEs are named the other names belong to one of them, and nobody says to which.
        found += [SameFlaw(NAME, flaws[0], one) for one in (name, *aliases) if one != flaws[0]]
    since = fields.optional(item, "exploitedSince")
    if since is not None:
        listed = Exploitation(since=_moment(since).date(), due=None, ransomware=False, action="")
        found += [Enrichment(NAME, flaw, exploitation=listed) for flaw in flaws or (name,)]
    return found


def _advisory(item: Mapping[str, Any], name: str, aliases: tuple[str, ...]) -> Advisory:
    published, updated = fields.optional(item, "datePublished"), fields.optional(item, "dateUpdated")
    vendor = next(
        (
            fields.text(fields.child(one, "vendor"), "name")
            for one in fields.objects(item, "enisaIdVendor")
            if fields.child(one, "vendor")
        ),
        "",
    )
    statements = []
    for one in fields.objects(item, "enisaIdProduct"):
        product = fields.optional(fields.child(one, "product"), "name")
        if product and vendor:
            # The version is free text, so it is a note for people and never a range.
            statements.append(
                Statement(
                    Product("cve5", f"{vendor}:{product}".lower()),
                    Status.AFFECTED,
                    VersionRange(Scheme.GENERIC),
                    described=False,
                    note=(fields.optional(one, "product_version") or "")[:300] or None,
                )
            )
    references = [one.strip() for one in (fields.prose(item, "references") or "").split("\n") if one.strip()]
    return Advisory(
        source=NAME,
        id=name,
        vulnerabilities=(name,),
        statements=tuple(statements),
        aliases=aliases,
        description=fields.prose(item, "description"),
        published=_moment(published) if published else None,
        modified=_moment(updated) if updated else None,
        references=tuple(
            one for one in references[: fields.MOST_REFERENCES] if len(one) < fields.LONGEST_NAME
        ),
    )


def _moment(value: str) -> datetime:
    """Read "Jan 14, 2025, 9:31:47 PM" or a time as ISO 8601 writes it; month names are English whatever our locale."""
    parts = _TIME.fullmatch(value.strip().replace("\u202f", " "))
    if parts is None:
        return fields.instant(value)
    month, day, year, hour, minute, second, half = parts.groups()
    if month not in _MONTHS:
        raise ValueError(f"{value!r} is not a time")
    moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), tzinfo=UTC)
    if hour is not None:
        moment += timedelta(
            hours=int(hour) % 12 + (12 if half == "P" else 0), minutes=int(minute), seconds=int(second)
        )
    return moment


def _names(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document), unpacked(document, LARGEST) as stream:
        rows = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)
        header = [name.strip().lower() for name in next(rows, [])]
        euvd, cve = header.index("euvd_id"), header.index("cve_id")

        def same(row: list[str]) -> SameFlaw:
            name = row[euvd].strip()
            if not _EUVD.fullmatch(name):
                raise ValueError("euvd_id is not an EUVD id")
            return SameFlaw(NAME, fields.cve({"cve_id": row[cve]}, "cve_id"), name)

        count = 0
        for row in rows:
            if row:
                count += 1
                yield attempt(row, lambda row=row: row[euvd], lambda row=row: same(row))  # type: ignore[misc]
        if not count:
            raise ValueError("it holds no name at all")
