"""Compressed documents as plain streams, with an end to how much may come out of them.

A few kilobytes can unpack to terabytes; every stream here stops at a limit.
"""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import zstandard

from sentrikat.feeds.adapter import Document

GIBIBYTE = 1 << 30
LARGEST_DOCUMENT = 8 * GIBIBYTE  # all of NVD is 1.5 GiB, a full OSV archive 2 GiB
LARGEST_RECORD = 32 << 20  # the largest real OSV record has 6 MB
MOST_RECORDS = 5_000_000
DEEPEST_NESTING = 500
WIDEST_WINDOW = 1 << 27  # zstd --long=27: what our bundles use, and 128 MiB of memory at most


class Limited(io.RawIOBase):
    """A stream that raises ValueError once more than `limit` bytes came out of it."""

    def __init__(self, source: BinaryIO, limit: int, name: str) -> None:
        self._source = source
        self._left = limit
        self._name = name
        self._complaint = f"{name} unpacks to more than {limit:,} bytes"

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer`."""
        try:
            content = self._source.read(len(buffer))
        except OSError as trouble:
            if trouble.errno is None:  # how bz2 calls bytes it cannot unpack; a disk's trouble has a number
                raise ValueError(f"{self._name}: {trouble}") from trouble
            raise
        self._left -= len(content)
        if self._left < 0:
            raise ValueError(self._complaint)
        buffer[: len(content)] = content
        return len(content)


class Shallow(io.RawIOBase):
    """A stream of JSON that raises ValueError once more brackets are open than any real document opens.

    A streaming parser keeps the path to where it is, so memory grows with the square of the depth.
    Brackets inside texts are counted too: all of NVD's texts together leave 84 open.
    """

    def __init__(self, source: BinaryIO, name: str) -> None:
        self._source = source
        self._open = 0
        self._complaint = f"{name} is nested more than {DEEPEST_NESTING} levels deep"

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer`."""
        content = self._source.read(len(buffer))
        self._open += content.count(b"[") + content.count(b"{") - content.count(b"]") - content.count(b"}")
        if self._open > DEEPEST_NESTING:
            raise ValueError(self._complaint)
        buffer[: len(content)] = content
        return len(content)


def limited(source: BinaryIO, limit: int, name: str) -> BinaryIO:
    """Wrap `source` so that it gives at most `limit` bytes."""
    return cast(BinaryIO, io.BufferedReader(Limited(source, limit, name), 1 << 18))


@contextmanager
def unpacked(document: Document, limit: int = LARGEST_DOCUMENT) -> Iterator[BinaryIO]:
    """Open `document` as plain bytes, whether it is gzip, bzip2, zstd or none: its first bytes say which."""
    with document.open() as packed:
        magic = packed.read(4)
        packed.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(packed, "rb") as plain:
                yield limited(cast(BinaryIO, plain), limit, document.name)
        elif magic[:3] == b"BZh":
            with bz2.open(packed, "rb") as plain_bz2:
                yield limited(cast(BinaryIO, plain_bz2), limit, document.name)
        elif magic == zstandard.FRAME_HEADER:
            reader = zstandard.ZstdDecompressor(max_window_size=WIDEST_WINDOW).stream_reader(
                packed, read_across_frames=True
            )
            yield limited(cast(BinaryIO, reader), limit, document.name)
        else:
            yield limited(packed, limit, document.name)


@contextmanager
def unpacked_json(document: Document) -> Iterator[BinaryIO]:
    """Open a large JSON document for a streaming parser."""
    with unpacked(document) as plain:
        yield cast(BinaryIO, io.BufferedReader(Shallow(plain, document.name), 1 << 16))


def json_files(document: Document) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each `.json` file in a zip or tar archive, one at a time.

    Nothing is written to disk, so names that climb out of a folder do no harm.
    """
    with document.open() as packed:
        magic = packed.read(4)
        packed.seek(0)
        if magic[:2] == b"PK":
            yield from _zip_files(document, packed)
            return
    with unpacked(document) as plain:
        yield from _tar_files(document, plain)


def json_streams(document: Document) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the name and an open stream of each JSON document: of a tar archive's files, or the document itself.

    For archives of large files, which are read one after the other and never held whole.
    """
    if not is_archive(document):
        with unpacked_json(document) as plain:
            yield document.name, plain
        return
    with unpacked(document) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        for count, entry in enumerate(archive):
            if count >= MOST_RECORDS:
                raise ValueError(f"{document.name} holds more than {MOST_RECORDS:,} files")
            archive.members = []  # type: ignore[attr-defined]
            file = archive.extractfile(entry) if entry.isfile() and entry.name.endswith(".json") else None
            if file is not None:
                shallow = Shallow(cast(BinaryIO, file), entry.name)
                yield entry.name, cast(BinaryIO, io.BufferedReader(shallow, 1 << 16))


def archived_files(
    document: Document,
    wanted: Callable[[str], bool],
    *,
    largest: int = LARGEST_RECORD,
    limit: int = LARGEST_DOCUMENT,
) -> Iterator[tuple[str, bytes | None]]:
    """Yield the name and content of each wanted file of a tar archive; None for one larger than `largest` bytes."""
    with unpacked(document, limit) as plain:
        yield from _files_of_tar(document, plain, wanted, largest)


def is_archive(document: Document) -> bool:
    """Say whether the document is a zip or tar archive rather than a single JSON file."""
    with document.open() as packed:
        if packed.read(2) == b"PK":
            return True
    with unpacked(document) as plain:
        return plain.read(512)[257:262] == b"ustar"


def _zip_files(document: Document, packed: BinaryIO) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(packed) as archive:
        total = 0
        for count, entry in enumerate(archive.infolist()):
            if count >= MOST_RECORDS:
                raise ValueError(f"{document.name} holds more than {MOST_RECORDS:,} files")
            if not entry.filename.endswith(".json"):
                continue
            with archive.open(entry) as file:
                content = file.read(LARGEST_RECORD + 1)
            if len(content) > LARGEST_RECORD:
                raise ValueError(f"{entry.filename} is larger than {LARGEST_RECORD:,} bytes")
            total += len(content)
            if total > LARGEST_DOCUMENT:
                raise ValueError(f"{document.name} unpacks to more than {LARGEST_DOCUMENT:,} bytes")
            yield entry.filename, content


def _tar_files(document: Document, plain: BinaryIO) -> Iterator[tuple[str, bytes]]:
    for name, content in _files_of_tar(document, plain, lambda name: name.endswith(".json"), LARGEST_RECORD):
        if content is None:
            raise ValueError(f"{name} is larger than {LARGEST_RECORD:,} bytes")
        yield name, content


def _files_of_tar(
    document: Document, plain: BinaryIO, wanted: Callable[[str], bool], largest: int
) -> Iterator[tuple[str, bytes | None]]:
    with tarfile.open(fileobj=plain, mode="r|") as archive:
        for count, entry in enumerate(archive):
            if count >= MOST_RECORDS:
                raise ValueError(f"{document.name} holds more than {MOST_RECORDS:,} files")
            # tarfile keeps every header it saw; a stream of 300,000 files must not.
            archive.members = []  # type: ignore[attr-defined]
            if not entry.isfile() or not wanted(entry.name):
                continue
            if entry.size > largest:
                yield entry.name, None
                continue
            file = archive.extractfile(entry)
            if file is not None:
                yield entry.name, file.read()
