"""How the records of advisories are kept small: some two thirds are saved, and packing must not be what a load waits for."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import zstandard

_MAGIC = zstandard.FRAME_HEADER


def packer() -> Callable[[bytes], bytes]:
    """Give what packs a record; one for each run, for it keeps its working memory and is not for two threads.

    Zstandard, because zlib's fastest level took a twentieth of a load, and records are not larger.
    """
    return zstandard.ZstdCompressor(level=1).compress


def unpacked(content: bytes) -> bytes:
    """Give back what `packer` took; records of earlier releases are zlib's."""
    if content.startswith(_MAGIC):
        return zstandard.ZstdDecompressor().decompress(content)
    return zlib.decompress(content)
