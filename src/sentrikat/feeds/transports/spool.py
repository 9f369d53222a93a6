"""Streams put into files, counted and digested on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 18


def spooled(source: BinaryIO, target: Path, limit: int) -> tuple[str, int]:
    """Write `source` to `target`; give SHA-256 and size. OSError beyond `limit` bytes."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise OSError(f"it unpacks to more than {limit:,} bytes")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest(), size
