"""Reading a bundle: nothing is given out before every digest agrees.

A member's name is never used as a path, what it unpacks to is bounded by the manifest, and a
member the manifest does not name refuses the whole bundle.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import zstandard

from sentrikat.feeds.adapter import Document
from sentrikat.feeds.bundle.manifest import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    Entry,
    Manifest,
    decoded,
    refused,
)
from sentrikat.feeds.unpacking import WIDEST_WINDOW

LARGEST_MANIFEST = 32 << 20
LARGEST_BUNDLE = 64 << 30  # bytes unpacked, all documents together
_CHUNK = 1 << 18
_BROKEN = (
    zipfile.BadZipFile,
    zstandard.ZstdError,
    zlib.error,
    EOFError,
    KeyError,
    ValueError,
    OverflowError,
    struct.error,
    RuntimeError,  # zipfile, for an encrypted member or a compression it does not know
)


@dataclass
class BundleReader:
    """An open, verified bundle. Documents are unpacked to a folder that goes with the reader."""

    path: Path
    folder: Path | None = None
    manifest: Manifest = field(init=False)
    manifest_bytes: bytes = field(init=False)  # what a signature is over
    _archive: zipfile.ZipFile = field(init=False)
    _spool: Path | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        with self._refusing():
            if not self.path.is_file():
                raise ValueError(f"{self.path.name} is not there")
            self._archive = zipfile.ZipFile(self.path)
        try:
            with self._refusing():
                self._verify()
            self._spool = Path(tempfile.mkdtemp(prefix="sentrikat-bundle-", dir=self.folder))
        except BaseException:
            self._archive.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
        if self._spool is not None:
            shutil.rmtree(self._spool, ignore_errors=True)
            self._spool = None

    def document(self, entry: Entry) -> Document:
        """Give the document of `entry`, unpacked and checked once more."""
        if self._spool is None:
            raise RuntimeError("BundleReader is used as a context manager")
        target = self._spool / entry.member.rsplit("/", 1)[-1].removesuffix(".zst")
        if not target.exists():
            with self._refusing(), target.open("wb") as file:
                for chunk in self._checked(entry):
                    file.write(chunk)
        return Document(
            name=entry.name,
            url=entry.url,
            fetched_at=entry.fetched_at,
            sha256=entry.sha256,
            size=entry.bytes,
            opener=lambda: target.open("rb"),
            validators=entry.validators,
            cursors=entry.cursors,
            cut=entry.cut,
        )

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as trouble:
            raise refused(f"{self.path.name}: {trouble}") from trouble
        except OSError as trouble:
            raise refused(f"{self.path.name} cannot be read: {trouble.strerror or trouble}") from trouble

    def _verify(self) -> None:
        names = self._archive.namelist()
        if len(set(names)) != len(names):
            raise ValueError("it holds one file twice")
        if MANIFEST_NAME not in names:
            raise ValueError("it has no manifest, so it is cut or not a bundle")
        with self._archive.open(MANIFEST_NAME) as file:
            self.manifest_bytes = file.read(LARGEST_MANIFEST + 1)
        if len(self.manifest_bytes) > LARGEST_MANIFEST:
            raise ValueError("its manifest is too large")
        self.manifest = decoded(self.manifest_bytes)
        named = {one.member for one in self.manifest.documents}
        if strangers := set(names) - named - {MANIFEST_NAME, SIGNATURE_NAME}:
            raise ValueError(f"it holds {min(strangers)[:80]!r}, which its manifest does not name")
        if missing := named - set(names):
            raise ValueError(f"{min(missing)} is missing")
        if sum(one.bytes for one in self.manifest.documents) > LARGEST_BUNDLE:
            raise ValueError(f"it unpacks to more than {LARGEST_BUNDLE:,} bytes")
        for entry in self.manifest.documents:
            for _ in self._checked(entry):
                pass

    def _checked(self, entry: Entry) -> Iterator[bytes]:
        """Yield the unpacked bytes of a document; ValueError at the end unless size and digest agree."""
        digest, size = hashlib.sha256(), 0
        unpacker = zstandard.ZstdDecompressor(max_window_size=WIDEST_WINDOW)
        with self._archive.open(entry.member) as packed:
            plain = unpacker.stream_reader(cast(BinaryIO, packed), read_across_frames=False)
            while chunk := plain.read(_CHUNK):
                size += len(chunk)
                if size > entry.bytes:
                    raise ValueError(f"{entry.name} is larger than the manifest says")
                digest.update(chunk)
                yield chunk
        if size != entry.bytes or digest.hexdigest() != entry.sha256:
            raise ValueError(f"{entry.name} is not the document the manifest names")
