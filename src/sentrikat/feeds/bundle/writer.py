"""Writing a bundle: a zip file with the manifest and each document packed with zstd.

The same documents and time give the same bytes, so two bundles can be compared by digest.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sentrikat.domain.signed_statement import signed
from sentrikat.feeds.adapter import Document, Feed
from sentrikat.feeds.bundle.manifest import (
    KIND,
    MANIFEST_NAME,
    ROOTS_NAME,
    SIGNATURE_NAME,
    Manifest,
    Place,
    attributions_of,
    entry_of,
)

_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day zip knows: the time of writing must not show


@dataclass(frozen=True, slots=True)
class Chosen:
    """A document to put into a bundle, and a sentence on what was left out where it is cut."""

    feed: Feed
    document: Document
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """What makes a bundle one that others may trust: its number, the key, and the roots that vouch for the key."""

    place: Place
    key: Ed25519PrivateKey
    roots: bytes


def write_bundle(
    path: Path, chosen: Iterable[Chosen], made_at: datetime, *, level: int = 9, signing: Signing | None = None
) -> Manifest:
    """Write the bundle at `path` and give its manifest; an older file there is replaced at the very end.

    `level` is zstd's; above 15 a window of 128 MiB is used, which finds repetitions far apart.
    """
    partial = path.with_name(path.name + ".part")
    entries, feeds = [], {}
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for number, one in enumerate(chosen):
                entry = entry_of(one.feed.name, one.document, f"documents/{number:05d}.zst", one.note)
                entries.append(entry)
                feeds[one.feed.name] = one.feed
                with archive.open(_member(entry.member), "w", force_zip64=True) as target:
                    _pack(one.document, target, level)
            manifest = Manifest(
                made_at,
                tuple(entries),
                attributions_of(feeds.values()),
                signing.place if signing else None,
            )
            archive.writestr(_member(MANIFEST_NAME), manifest.encoded())
            if signing is not None:
                envelope = signed(KIND, manifest.encoded(), [signing.key])
                archive.writestr(_member(SIGNATURE_NAME), envelope.encoded())
                archive.writestr(_member(ROOTS_NAME), signing.roots)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def _pack(document: Document, target: object, level: int) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        window_log=27 if level > 15 else 0,
        enable_ldm=level > 15,
        write_checksum=True,
        write_content_size=True,
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    with (
        document.open() as source,
        packer.stream_writer(target, size=document.size, closefd=False) as packed,  # type: ignore[arg-type]
    ):
        while chunk := source.read(_CHUNK):
            packed.write(chunk)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o644 << 16
    return info
