"""Red Hat VEX: for every CVE, which packages of which release are affected, repaired, or will never be.

Source  https://security.access.redhat.com/data/csaf/v2/vex/
Schema  CSAF 2.0, profile csaf_vex; see formats.redhat_vex
Pace    many documents an hour. archive_latest.txt names the archive of all documents, made daily to weekly; changes.csv
        names documents with the time of their last change, newest first, and deletions.csv those that were taken away

The order is archive, changes, deletions: the archive holds documents that were deleted since. Later runs ask for what
changes.csv calls newer than the last run, oldest first and a bounded number, and take a new archive when more is missing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.domain.errors import Unavailable
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    NO_VALIDATORS,
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.redhat_vex import advisory
from sentrikat.feeds.unpacking import archived_files, is_archive, unpacked

NAME = "redhat"
TITLE = "Red Hat VEX"
BASE = "https://security.access.redhat.com/data/csaf/v2/vex/"
SOURCES = (BASE,)
LICENSE = "CC-BY-4.0"
TERMS = "Red Hat security data, CC BY 4.0, Red Hat, Inc."
PACE = timedelta(days=2)
COMPLETE = False  # runs bring changes; what was taken away is named

MOST_CHANGES = 2_000  # documents a run asks for one by one; an archive of all is the better way beyond
LARGEST_ARCHIVE = 64 << 30  # bytes unpacked: the archive of 2025 has some 20 GiB
LARGEST_VEX = 64 << 20  # bytes: the largest real document, a kernel flaw, has some 25 MB

_ARCHIVE = re.compile(r"[\w.-]+\.tar\.zst")
_ARCHIVE_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_PATH = re.compile(r"\d{4}/(cve-\d{4}-\d{4,19})\.json")
_DELETIONS = "deletions.csv"


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the archive on the first run, then changed documents, then the list of deleted ones."""
    if (held := transport.listing(BASE)) is not None:
        yield from _held(transport, state, held)
        return
    reached = state.cursors.get("changed")
    pending = _changes(transport, reached)
    if reached is None or len(pending) > MOST_CHANGES:
        archive = _archive(transport, state)
        if archive is not None:
            yield archive
            reached = archive.cursors["changed"]
            pending = [(path, at) for path, at in pending if at > reached]
        deletions = NO_VALIDATORS  # the archive may hold again what was deleted
    else:
        deletions = state.of(BASE + _DELETIONS)
    for path, at in pending[:MOST_CHANGES]:
        try:
            document = transport.get(BASE + path)
        except Unavailable as trouble:
            if trouble.code == "feed_missing":
                continue  # deleted since the list was made; deletions.csv will say so
            raise
        if document is not None:
            yield document.remembering(changed=at)
    if document := transport.get(BASE + _DELETIONS, deletions):
        yield document


def _held(transport: Transport, state: FeedState, held: list[str]) -> Iterator[Document]:
    """Yield what a file or a bundle holds, in the order that matters."""

    def order(url: str) -> tuple[bool, bool, str]:
        return url.endswith(_DELETIONS), not url.endswith((".tar.zst", ".tar")), url

    for url in sorted(held, key=order):
        if not url.endswith(("archive_latest.txt", "changes.csv")) and (
            document := transport.get(url, state.of(url))
        ):
            yield document


def _archive(transport: Transport, state: FeedState) -> Document | None:
    """Fetch the newest archive; None when it is the one the last run took."""
    pointer = transport.get(BASE + "archive_latest.txt")
    if pointer is None:
        return None
    with reading(pointer):
        name = pointer.read(1_000).decode().strip()
        if not _ARCHIVE.fullmatch(name):
            raise ValueError(f"it names {name[:80]!r} as the archive")
    if state.cursors.get("archive") == name:
        return None
    document = transport.get(BASE + name)
    if document is None:
        return None
    # Documents changed on the archive's own day may be in it or not: they are asked for again.
    day = _ARCHIVE_DAY.search(name)
    begin = f"{day[1]}-{day[2]}-{day[3]}T00:00:00+00:00" if day else "1970-01-01T00:00:00+00:00"
    return document.remembering(archive=name, changed=begin)


def _changes(transport: Transport, reached: str | None) -> list[tuple[str, str]]:
    """Give (path, time of change) of the documents that changed after `reached`, oldest first."""
    document = transport.get(BASE + "changes.csv")
    if document is None:
        return []
    found = []
    with reading(document):
        for path, at in _listed(document):
            if reached is None or at > reached:
                found.append((path, at))
    return sorted(found, key=lambda one: one[1])


def _listed(document: Document) -> Iterator[tuple[str, str]]:
    """Yield (path, time) of each line of changes.csv or deletions.csv; times in one form, so that they order as text."""
    with document.open() as packed, io.TextIOWrapper(packed, encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines):
            if not row:
                continue
            if len(row) != 2 or not _PATH.fullmatch(row[0]):
                raise ValueError(f"the line {','.join(row)[:120]!r} is not a path and a time")
            yield row[0], fields.instant(row[1]).isoformat(timespec="seconds")


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per document of an archive, of a single document, or per deleted one."""
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        if document.name.endswith(".csv"):
            for path, at in _listed(document):
                yield _deleted(path, at)
            return
        if not is_archive(document):
            with unpacked(document, LARGEST_VEX) as plain:
                content = plain.read()
            yield _attempt(document.name, content)
            return
        count = 0
        files = archived_files(
            document, lambda name: name.endswith(".json"), largest=LARGEST_VEX, limit=LARGEST_ARCHIVE
        )
        for name, content_or_none in files:
            count += 1
            yield _attempt(name, content_or_none)
        if not count:
            raise ValueError("it holds no document at all")


def _attempt(name: str, content: bytes | None) -> Record | Quarantined:
    identifier = name.rsplit("/", 1)[-1].removesuffix(".json").upper()
    if content is None:
        return Quarantined(identifier, f"it is larger than {LARGEST_VEX:,} bytes", "")
    return attempt(content, lambda: identifier, lambda: advisory(fields.mapping(orjson.loads(content)), NAME))


def _deleted(path: str, at: str) -> Advisory:
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"{path!r} is no document's path")
    name, moment = found[1].upper(), datetime.fromisoformat(at)
    return Advisory(source=NAME, id=name, vulnerabilities=(name,), modified=moment, withdrawn=moment)
