"""NIST's CPE dictionary: which products there are, what people call them, and which name replaced which.

Source  https://nvd.nist.gov/feeds/json/cpe/2.0/nvdcpe-2.0.tar.gz   first fill; the .meta beside it gives its time
        https://services.nvd.nist.gov/rest/json/cpes/2.0   what changed since, by `lastModified`
Schema  https://csrc.nist.gov/schema/nvd/api/2.0/cpe_api_json_2.0.schema
Pace    daily

The dictionary holds 1.2 million names, one per version. Identification asks for products, so the names of one
product become one entry: its shortest title, without the version, and the software its names are made for. The
names of a product need not stand together; entries are given out in portions, and a product may come in several.

The `last_modified` cursor says up to when everything is held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import ijson

from sentrikat.domain.advisory import CatalogueEntry, Product, Record
from sentrikat.domain.cpe.name import ANY, NA, CpeName, product_of, unescape
from sentrikat.domain.cpe.name import parse as parse_name
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
from sentrikat.feeds.formats.nvd_pages import changed_pages
from sentrikat.feeds.unpacking import json_streams

NAME = "nvd_cpe"
TITLE = "NIST CPE dictionary"
FILE = "https://nvd.nist.gov/feeds/json/cpe/2.0/nvdcpe-2.0.tar.gz"
META = "https://nvd.nist.gov/feeds/json/cpe/2.0/nvdcpe-2.0.meta"
API = "https://services.nvd.nist.gov/rest/json/cpes/2.0"
SOURCES = (FILE, META, API)
LICENSE = "LicenseRef-US-public-domain"
TERMS = "This product uses data from the NVD API but is not endorsed or certified by the NVD."
PACE = timedelta(days=7)
COMPLETE = False  # a name is never removed, it is deprecated

PAGE = 10_000  # NVD's largest
# One file of 40 MB against pages of 10,000 names: after so long an absence the file asks less of NVD and of us.
FILE_AFTER = timedelta(days=60)
PORTION = 20_000  # products held in memory: some 15 MB
MOST_TARGETS = 12  # kinds of target software kept of a product; more means "anything"

_FIELDS = frozenset(
    {
        "cpeName",
        "cpeNameId",
        "created",
        "deprecated",
        "deprecatedBy",
        "deprecates",
        "lastModified",
        "refs",
        "titles",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:
    """Yield the whole dictionary the first time and after a long absence, else what changed since."""
    held = transport.listing("https://")
    if held is not None:
        wanted = [url for url in held if url.startswith((FILE, API))]
        yield from (document for url in wanted if (document := transport.get(url, state.of(url))))
        return
    cursor = state.cursors.get("last_modified")
    since = fields.instant(cursor) if cursor is not None else None
    if since is None or options.now - since > FILE_AFTER:
        yield from _file(transport, state)
    else:
        yield from _changed(transport, since, options)


def _file(transport: Transport, state: FeedState) -> Iterator[Document]:
    """Yield the file, marked with the time its .meta gives it; that is asked first, so that nothing falls between."""
    meta = transport.get(META)
    if meta is None:
        return
    made_at = _made_at(meta)
    if document := transport.get(FILE, state.of(FILE)):
        yield document.remembering(last_modified=made_at.isoformat())


def _made_at(meta: Document) -> datetime:
    """Read `lastModifiedDate:2026-08-22T00:00:00+00:00` from the lines of a .meta file."""
    with reading(meta):
        lines = meta.read(1 << 16).decode("ascii", "strict").splitlines()
        said = dict(line.split(":", 1) for line in lines if ":" in line)
        return fields.instant(said["lastModifiedDate"].strip())


def _changed(transport: Transport, since: datetime, options: FetchOptions) -> Iterator[Document]:
    """Yield every page of the names modified since; none where nothing changed."""
    for page, total in changed_pages(transport, API, since, options, size=PAGE, kind="products"):
        if total == 0:
            return
        yield page


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one CatalogueEntry per product and portion, read lazily from the file or a page of the API."""
    yield from mostly_good(document, _entries(document))


def _entries(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        gathered: dict[Product, _Gathered] = {}
        count = 0
        for _, stream in json_streams(document):
            for item in ijson.items(stream, "products.item", use_float=True):
                count += 1
                found = attempt(item, lambda item=item: item["cpe"]["cpeName"], lambda item=item: _read(item))  # type: ignore[misc]
                if isinstance(found, Quarantined):
                    yield found
                    continue
                if found.name.part == "h":
                    continue  # no inventory names hardware as software it runs
                product = product_of(found.name)
                gathered.setdefault(product, _Gathered()).add(found)
                if len(gathered) >= PORTION:
                    yield from _given_out(gathered)
        yield from _given_out(gathered)
        if not count:
            raise ValueError("it holds no name of a product at all")


@dataclass(frozen=True, slots=True)
class _Name:
    """One name of the dictionary. `replacement` is the name that replaced a deprecated one."""

    name: CpeName
    title: str | None
    deprecated: bool
    replacement: Product | None


@dataclass(slots=True)
class _Gathered:
    """What the names of one product said."""

    title: str | None = None
    targets: set[str] = field(default_factory=set)
    live: bool = False
    replacement: Product | None = None

    def add(self, found: _Name) -> None:
        """Take one name in."""
        self.targets.add(found.name.target_sw)
        if found.deprecated:
            self.replacement = found.replacement or self.replacement
        else:
            self.live = True
        if found.title and (
            self.title is None or (len(found.title), found.title) < (len(self.title), self.title)
        ):
            self.title = found.title


def _given_out(gathered: dict[Product, _Gathered]) -> Iterator[CatalogueEntry]:
    for product, one in gathered.items():
        targets = one.targets if len(one.targets) <= MOST_TARGETS else {ANY}
        yield CatalogueEntry(
            source=NAME,
            product=product,
            title=one.title,
            vendor=unescape(product.name.partition(":")[0]),
            target_software=tuple(sorted(targets)),
            live=one.live,
            replaced_by=None if one.live else one.replacement,
        )
    gathered.clear()


def _read(item: object) -> _Name:
    record = fields.mapping(fields.mapping(item)["cpe"], "cpe")
    name = parse_name(fields.text(record, "cpeName"))
    if ANY in (name.part, name.vendor, name.product) or NA in (name.vendor, name.product):
        raise ValueError("cpeName names no product")
    familiar(record, _FIELDS, "cpe")
    deprecated = fields.flag(record, "deprecated")
    replacement = None
    if deprecated:
        for one in fields.objects(record, "deprecatedBy"):
            other = product_of(parse_name(fields.text(one, "cpeName")))
            if other != product_of(name):
                replacement = other
    return _Name(name, _title(record, name), deprecated, replacement)


def _title(record: Mapping[str, Any], name: CpeName) -> str | None:
    """Give the English title without the name's own version and update, which belong to no product."""
    for one in fields.objects(record, "titles"):
        if one.get("lang") not in {"en", "en-US"}:
            continue
        title = fields.text(one, "title")
        for attribute in (name.version, name.update):
            if attribute not in (ANY, NA):
                own = re.escape(unescape(attribute))
                title = re.sub(rf"(?i)(?<![\w.])v?{own}(?!\w)", " ", title, count=1)
        return " ".join(title.split()) or None
    return None
