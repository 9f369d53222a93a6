"""SUSE VEX: for every CVE, which packages of which release are affected, repaired, or will never be.

Source  https://ftp.suse.com/pub/projects/security/csaf-vex/, and csaf-vex.tar.bz2 beside it
Schema  CSAF 2.0, profile csaf_vex; see formats.suse_vex
Pace    hundreds of documents a day. The archive of all documents is made anew every day under the same name; changes.csv
        names every document with the time of its last change, in the order of their names, and is older than the archive

There is no list of documents that were taken away: one that a newer archive lacks is gone. So an archive is asked for
again when changes.csv is a month ahead of the one that was read, and not only when too much changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sentrikat.domain.advisory import Record
from sentrikat.feeds import csaf_directory
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    mostly_good,
)
from sentrikat.feeds.formats.suse_vex import advisory

NAME = "suse"
TITLE = "SUSE VEX"
BASE = "https://ftp.suse.com/pub/projects/security/csaf-vex/"
ARCHIVE = "https://ftp.suse.com/pub/projects/security/csaf-vex.tar.bz2"
SOURCES = (BASE, ARCHIVE)
LICENSE = "CC-BY-4.0"
TERMS = "SUSE security data (CSAF VEX), CC BY 4.0, SUSE LLC."
PACE = timedelta(days=3)
COMPLETE = False  # runs bring changes; only an archive says what was taken away

MOST_CHANGES = 2_000  # documents a run asks for one by one; the archive is the better way beyond
ARCHIVE_AGE = timedelta(days=30)

_VEX = csaf_directory.Directory(BASE, re.compile(r"(cve-\d{4}-\d{4,19})\.json"))
_LEFT_OUT = (csaf_directory.CHANGES, "index.txt", ".asc", ".sha256")


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the archive on the first run and once a month, then changed documents."""
    if (held := transport.listing(BASE.removesuffix("/"))) is not None:
        for document in csaf_directory.held(transport, state, held, left_out=_LEFT_OUT):
            yield _whole(document) if document.name.endswith(csaf_directory.ARCHIVES) else document
        return
    reached = state.cursors.get("changed")
    pending = _VEX.changes(transport, reached)
    if reached is None or len(pending) > MOST_CHANGES or _aged(state, pending):
        newest = pending[-1][1] if pending else datetime.fromtimestamp(0, UTC).isoformat(timespec="seconds")
        archive = transport.get(ARCHIVE, state.of(ARCHIVE))
        if archive is not None:
            reached = _made(archive, newest)
            yield _whole(archive).remembering(archive=newest, changed=reached)
            pending = [(path, at) for path, at in pending if at > reached]
    yield from _VEX.changed(transport, pending[:MOST_CHANGES])


def _whole(archive: Document) -> Document:
    return replace(archive, whole=True)


def _aged(state: FeedState, pending: list[tuple[str, str]]) -> bool:
    """Say whether the lists went on for a month since the archive was read."""
    last = state.cursors.get("archive")
    if last is None or not pending:
        return False
    return datetime.fromisoformat(pending[-1][1]) - datetime.fromisoformat(last) > ARCHIVE_AGE


def _made(archive: Document, newest: str) -> str:
    """Give the time from which documents are asked for beside the archive: the day before it was made.

    Packing takes hours, in which documents change. A server that does not say when it was made leaves the lists' newest.
    """
    made = datetime.fromisoformat(newest)
    if archive.validators.last_modified:
        try:
            made = parsedate_to_datetime(archive.validators.last_modified).astimezone(UTC)
        except ValueError:
            made = datetime.fromisoformat(newest)
    day = made.replace(hour=0, minute=0, second=0, microsecond=0)
    return max(day - timedelta(days=1), datetime.fromtimestamp(0, UTC)).isoformat(timespec="seconds")


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per document of an archive, or of a single document."""
    yield from mostly_good(
        document, csaf_directory.records(document, lambda content: advisory(content, NAME))
    )
