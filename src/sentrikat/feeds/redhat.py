"""Red Hat VEX: for every CVE, which packages of which release are affected, repaired, or will never be.

Source  https://security.access.redhat.com/data/csaf/v2/vex/
Schema  CSAF 2.0, profile csaf_vex; see formats.redhat_vex
Pace    many documents an hour. archive_latest.txt names the archive of all documents, made daily to weekly; changes.csv
        names documents with the time of their last change, newest first, and deletions.csv those that were taken away

The order is archive, changes, deletions: the archive holds documents that were deleted since. Later runs ask for what
changes.csv calls newer than the last run, oldest first and a bounded number, and take a new archive when more is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.feeds import csaf_directory
from sentrikat.feeds.adapter import (
    NO_VALIDATORS,
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.redhat_vex import advisory

NAME = "redhat"
TITLE = "Red Hat VEX"
BASE = "https://security.access.redhat.com/data/csaf/v2/vex/"
SOURCES = (BASE,)
LICENSE = "CC-BY-4.0"
TERMS = "Red Hat security data, CC BY 4.0, Red Hat, Inc."
PACE = timedelta(days=2)
COMPLETE = False  # runs bring changes; what was taken away is named

MOST_CHANGES = 2_000  # documents a run asks for one by one; an archive of all is the better way beyond

_ARCHIVE = re.compile(r"[\w.-]+\.tar\.zst")
_ARCHIVE_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_DELETIONS = "deletions.csv"
_VEX = csaf_directory.Directory(BASE, re.compile(r"\d{4}/(cve-\d{4}-\d{4,19})\.json"))


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the archive on the first run, then changed documents, then the list of deleted ones."""
    if (held := transport.listing(BASE)) is not None:
        left_out = ("archive_latest.txt", csaf_directory.CHANGES)
        yield from csaf_directory.held(transport, state, held, last=_DELETIONS, left_out=left_out)
        return
    reached = state.cursors.get("changed")
    pending = _VEX.changes(transport, reached)
    if reached is None or len(pending) > MOST_CHANGES:
        archive = _archive(transport, state)
        if archive is not None:
            yield archive
            reached = archive.cursors["changed"]
            pending = [(path, at) for path, at in pending if at > reached]
        deletions = NO_VALIDATORS  # the archive may hold again what was deleted
    else:
        deletions = state.of(BASE + _DELETIONS)
    yield from _VEX.changed(transport, pending[:MOST_CHANGES])
    if document := transport.get(BASE + _DELETIONS, deletions):
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


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per document of an archive, of a single document, or per deleted one."""
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    if not document.name.endswith(".csv"):
        yield from csaf_directory.records(document, lambda content: advisory(content, NAME))
        return
    with reading(document):
        for path, at in _VEX.listed(document):
            name, moment = _VEX.flaw(path), datetime.fromisoformat(at)
            yield Advisory(source=NAME, id=name, vulnerabilities=(name,), modified=moment, withdrawn=moment)
