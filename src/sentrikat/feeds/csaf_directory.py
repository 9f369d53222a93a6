"""A directory of CSAF documents: an archive of all, a list of what changed when, and single documents.

Red Hat and SUSE publish theirs so. An adapter says where the directory is and how its documents are called; what it does
about the archive and about documents that were taken away is its own business.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.domain.errors import Unavailable
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import Document, FeedState, Quarantined, Transport, attempt, reading
from sentrikat.feeds.unpacking import archived_files, is_archive, unpacked

LARGEST_ARCHIVE = 64 << 30  # bytes unpacked: the archives of 2025 have some 20 GiB
LARGEST_DOCUMENT = 64 << 20  # bytes: the largest real one, a kernel flaw, has some 25 MB

CHANGES = "changes.csv"
ARCHIVES = (".tar.zst", ".tar.bz2", ".tar")


@dataclass(frozen=True, slots=True)
class Directory:
    """`base` ends in a slash; `path` matches what its lists name, with the flaw's name as its first group."""

    base: str
    path: re.Pattern[str]

    def changes(self, transport: Transport, reached: str | None) -> list[tuple[str, str]]:
        """Give (path, time of change) of the documents that changed after `reached`, oldest first."""
        document = transport.get(self.base + CHANGES)
        if document is None:
            return []
        with reading(document):
            found = [(path, at) for path, at in self.listed(document) if reached is None or at > reached]
        return sorted(found, key=lambda one: (one[1], one[0]))

    def changed(self, transport: Transport, pending: Iterable[tuple[str, str]]) -> Iterator[Document]:
        """Yield the documents of a list of changes, each remembering its time."""
        for path, at in pending:
            try:
                document = transport.get(self.base + path)
            except Unavailable as trouble:
                if trouble.code == "feed_missing":
                    continue  # taken away since the list was made
                raise
            if document is not None:
                yield document.remembering(changed=at)

    def listed(self, document: Document) -> Iterator[tuple[str, str]]:
        """Yield (path, time) of each line of a list; times in one form, so that they order as text."""
        with document.open() as packed, io.TextIOWrapper(packed, encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                if not row:
                    continue
                if len(row) != 2 or not self.path.fullmatch(row[0]):
                    raise ValueError(f"the line {','.join(row)[:120]!r} is not a path and a time")
                yield row[0], fields.instant(row[1]).isoformat(timespec="seconds")

    def flaw(self, path: str) -> str:
        """Give the name of the flaw a path stands for."""
        found = self.path.fullmatch(path)
        if found is None:
            raise ValueError(f"{path!r} is no document's path")
        return found[1].upper()


def held(
    transport: Transport, state: FeedState, urls: Iterable[str], *, last: str = "", left_out: tuple[str, ...]
) -> Iterator[Document]:
    """Yield what a file or a bundle holds in the order that matters: archives, documents, what `last` names."""

    def order(url: str) -> tuple[bool, bool, str]:
        return bool(last) and url.endswith(last), not url.endswith(ARCHIVES), url

    for url in sorted(urls, key=order):
        if not url.endswith(left_out) and (document := transport.get(url, state.of(url))):
            yield document


def records(
    document: Document, read: Callable[[Mapping[str, Any]], Advisory]
) -> Iterator[Record | Quarantined]:
    """Yield what `read` makes of each document of an archive, or of the single document."""
    with reading(document):
        if not is_archive(document):
            with unpacked(document, LARGEST_DOCUMENT) as plain:
                content = plain.read()
            yield _attempt(document.name, content, read)
            return
        count = 0
        files = archived_files(
            document, lambda name: name.endswith(".json"), largest=LARGEST_DOCUMENT, limit=LARGEST_ARCHIVE
        )
        for name, content_or_none in files:
            count += 1
            yield _attempt(name, content_or_none, read)
        if not count:
            raise ValueError("it holds no document at all")


def _attempt(
    name: str, content: bytes | None, read: Callable[[Mapping[str, Any]], Advisory]
) -> Record | Quarantined:
    identifier = name.rsplit("/", 1)[-1].removesuffix(".json").upper()
    if content is None:
        return Quarantined(identifier, f"it is larger than {LARGEST_DOCUMENT:,} bytes", "")
    return attempt(content, lambda: identifier, lambda: read(fields.mapping(orjson.loads(content))))
