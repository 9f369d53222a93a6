"""Reading a bundle: nothing is given out before its signature holds and every digest agrees.

A member's name is never used as a path, what it unpacks to is bounded by the manifest, and a
member the manifest does not name refuses the whole bundle.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import zstandard

from sentrikat.feeds.adapter import Document
from sentrikat.feeds.bundle.manifest import (
    MANIFEST_NAME,
    MOST_DOCUMENTS,
    ROOTS_NAME,
    SIGNATURE_NAME,
    Entry,
    Manifest,
    decoded,
    refused,
)
from sentrikat.feeds.unpacking import WIDEST_WINDOW

LARGEST_MANIFEST = 32 << 20
LARGEST_BUNDLE = 64 << 30  # bytes unpacked, all documents together
LARGEST_SIGNATURE = 64 << 20  # the envelope repeats the manifest as base64
_OURS = {MANIFEST_NAME: LARGEST_MANIFEST, SIGNATURE_NAME: LARGEST_SIGNATURE, ROOTS_NAME: 4 << 20}
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


@dataclass(frozen=True, slots=True)
class Seal:
    """What vouches for a bundle, still unread: its manifest's bytes, the envelope over them, the chain of roots."""

    manifest: bytes
    signature: bytes | None
    roots: bytes | None


@dataclass
class BundleReader:
    """An open, verified bundle. Documents are unpacked to a folder that goes with the reader.

    `gate` is asked before the manifest is read, and raises where nobody it trusts has signed. Without one only the
    digests are checked: for a bundle that is trusted for another reason, as the shipped snapshot is.
    """

    path: Path
    folder: Path | None = None
    gate: Callable[[Seal], None] | None = None
    manifest: Manifest = field(init=False)
    manifest_bytes: bytes = field(init=False)  # what a signature is over
    size: int = field(init=False, default=0)  # bytes of the file
    _archive: zipfile.ZipFile = field(init=False)
    _spool: Path | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        with self._refusing():
            if not self.path.is_file():
                raise ValueError("there is no such file")
            self.size = self.path.stat().st_size
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
        if len(names) > MOST_DOCUMENTS + len(_OURS):
            raise ValueError(f"it holds {len(names):,} files, and {MOST_DOCUMENTS:,} may be")
        if len(set(names)) != len(names):
            raise ValueError("it holds one file twice")
        for info in self._archive.infolist():
            self._ordinary(info)
        if MANIFEST_NAME not in names:
            raise ValueError("it has no manifest, so it is cut or not a bundle")
        self.manifest_bytes = self._ours(MANIFEST_NAME)
        if self.gate is not None:
            self.gate(
                Seal(
                    self.manifest_bytes,
                    self._ours(SIGNATURE_NAME) if SIGNATURE_NAME in names else None,
                    self._ours(ROOTS_NAME) if ROOTS_NAME in names else None,
                )
            )
        self.manifest = decoded(self.manifest_bytes)
        named = {one.member for one in self.manifest.documents}
        if strangers := set(names) - named - set(_OURS):
            raise ValueError(f"it holds {min(strangers)[:80]!r}, which its manifest does not name")
        if missing := named - set(names):
            raise ValueError(f"{min(missing)} is missing")
        claimed = sum(one.bytes for one in self.manifest.documents)
        if claimed > LARGEST_BUNDLE:
            raise ValueError(f"it unpacks to {claimed:,} bytes, and {LARGEST_BUNDLE:,} may be")
        place = self.folder or Path(tempfile.gettempdir())
        if claimed > (free := shutil.disk_usage(place).free):
            raise ValueError(f"it unpacks to {claimed:,} bytes, and {place} has {free:,} free")
        for entry in self.manifest.documents:
            for _ in self._checked(entry):
                pass

    def _ordinary(self, info: zipfile.ZipInfo) -> None:
        """Refuse what a bundle's writer never makes: links, packed members, claims beyond the file's own size."""
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise ValueError(f"{info.filename[:80]!r} is a link or a folder, not a file")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename[:80]!r} is packed in a way no bundle uses")
        if info.file_size > self.size:
            raise ValueError(
                f"{info.filename[:80]!r} claims {info.file_size:,} bytes, and the whole file has {self.size:,}"
            )

    def _ours(self, name: str) -> bytes:
        limit = _OURS[name]
        with self._archive.open(name) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"its {name} is larger than {limit:,} bytes")
        return content

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
