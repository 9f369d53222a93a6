"""WES-NG (Windows Exploit Suggester, next generation): which update repairs which flaw, back to the year 2003.

Source  https://raw.githubusercontent.com/bitsadmin/wesng/master/definitions.zip
Schema  CVEs_YYYYMMDD.csv: DatePosted, CVE, BulletinKB, Title, AffectedProduct, AffectedComponent, Severity, Impact,
        Supersedes, Exploits; one row per flaw, update and product
Pace    every few weeks; one archive, all rows

A second witness of what supersedes what, since Microsoft's own documents leave out old updates; and for flaws before
April 2016 the only one. It knows no builds. Custom_*.csv, service packs under names of its own, is left out.

All rows are held at once, 608,740 in 2026 at some 100 bytes, because they lie by date, not by flaw or update.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from sys import intern
from typing import BinaryIO, NamedTuple, cast

from sentrikat.domain.advisory import Advisory, Record
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
from sentrikat.feeds.formats.microsoft import (
    Fix,
    Updates,
    product_named,
    statement,
    update_named,
    updates_named,
)
from sentrikat.feeds.unpacking import limited

NAME = "wesng"
TITLE = "WES-NG definitions"
URL = "https://raw.githubusercontent.com/bitsadmin/wesng/master/definitions.zip"
SOURCES = (URL,)
LICENSE = "BSD-3-Clause"
TERMS = (
    "WES-NG by Arris Huijgen, BSD-3-Clause; made of Microsoft's security update information, under its terms."
)
PACE = timedelta(days=60)
COMPLETE = True

_COLUMNS = ("DatePosted", "CVE", "BulletinKB", "AffectedProduct", "Supersedes")
_KNOWN_COLUMNS = frozenset(
    {
        "AffectedComponent",
        "AffectedProduct",
        "BulletinKB",
        "CVE",
        "DatePosted",
        "Exploits",
        "Impact",
        "Severity",
        "Supersedes",
        "Title",
    }
)
_LARGEST = 1 << 30  # bytes unpacked; 136 MB in 2026
_MOST_ROWS = 4_000_000
_LONGEST_FIELD = 20_000


class _Row(NamedTuple):
    """One flaw repaired by one update in one product."""

    vulnerability: str  # empty: nobody named a flaw
    update: str
    product: str
    supersedes: str
    posted: str


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the archive, or nothing if it is the one `state` remembers."""
    if document := transport.get(URL, state.of(URL)):
        yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per flaw with its statements, then one per update with its products."""
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        rows: list[_Row] = []
        with document.open() as packed, zipfile.ZipFile(packed) as archive:
            name = next((one for one in archive.namelist() if one.startswith("CVEs_")), None)
            if name is None:
                raise ValueError("it holds no CVEs_*.csv")
            with archive.open(name) as file:
                plain = limited(cast(BinaryIO, file), _LARGEST, name)
                for number, raw in enumerate(_lines(plain), start=2):
                    if number > _MOST_ROWS:
                        raise ValueError(f"{name} holds more than {_MOST_ROWS:,} rows")
                    row = attempt(raw, lambda number=number: f"line {number}", lambda raw=raw: _row(raw))  # type: ignore[misc]
                    if isinstance(row, Quarantined):
                        yield row
                    elif row is not None:
                        rows.append(row)
        if not rows:
            raise ValueError("it names no update at all")
        yield from _flaws(rows)
        yield from _updates(rows)


def _lines(plain: BinaryIO) -> Iterator[Mapping[str, str]]:
    text = io.TextIOWrapper(plain, encoding="utf-8", newline="")
    reader = csv.DictReader(text)
    missing = set(_COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise KeyError(min(missing))
    for name in set(reader.fieldnames or ()) - _KNOWN_COLUMNS:
        unfamiliar(f"column {name}")
    yield from reader


def _row(raw: Mapping[str, str]) -> _Row | None:
    """Give a row; None for one without an update, of which there is nothing to install."""
    values = [raw.get(name) for name in _COLUMNS]
    if any(not isinstance(value, str) or len(value) > _LONGEST_FIELD for value in values):
        raise ValueError("it has not as many columns as the first line")
    posted, flaw, update, product, older = (
        fields.short(value, name) or "" for value, name in zip(values, _COLUMNS, strict=True)
    )
    name = update_named(update)
    if name is None:
        return None
    if not product:
        raise ValueError("AffectedProduct is empty")
    if flaw and not fields.CVE.fullmatch(flaw):
        flaw = ""  # an advisory of Microsoft's
    return _Row(
        intern(flaw), intern(name), intern(product_named(product).name), intern(older), intern(posted)
    )


def _flaws(rows: list[_Row]) -> Iterator[Record]:
    rows.sort(key=itemgetter(0, 2, 1))
    for flaw, of_flaw in groupby(rows, key=itemgetter(0)):
        if not flaw:
            continue
        statements = tuple(
            statement(product, [Fix(one, None) for one in fields.unique(row.update for row in of_product)])
            for product, of_product in groupby(of_flaw, key=itemgetter(2))
        )
        yield Advisory(source=NAME, id=flaw, vulnerabilities=(flaw,), statements=statements)


def _updates(rows: list[_Row]) -> Iterator[Record]:
    rows.sort(key=itemgetter(1, 4))
    for name, of_update in groupby(rows, key=itemgetter(1)):
        held = list(of_update)
        updates = Updates(next((day for row in held if (day := _day(row.posted)) is not None), None))
        for row in held:
            updates.add(
                row.product, Fix(name, None, None, updates_named(row.supersedes)), row.vulnerability or None
            )
        yield Advisory(source=NAME, id=name, vulnerabilities=(), updates=updates.all())


_DAY = re.compile(r"\d{8}")


def _day(words: str) -> date | None:
    if not _DAY.fullmatch(words):
        return None
    try:
        return datetime.strptime(words, "%Y%m%d").date()  # noqa: DTZ007 - a day, without a time
    except ValueError:
        return None
