"""What a bundle holds as lines for people and for `sha256sum --check`, to compare at both ends of a walk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sentrikat.feeds.bundle.manifest import Manifest


def listing(path: Path, manifest: Manifest) -> Iterator[str]:
    """Yield the lines: the file itself in the form sha256sum checks, each document as a comment."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    yield f"# SentriKat feed bundle, made {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, {size} bytes"
    if manifest.place is not None:
        base = f", continues number {manifest.place.base.sequence}" if manifest.place.base else ", full"
        yield f"# origin {manifest.place.origin}, number {manifest.place.sequence}{base}"
    yield f"# manifest {hashlib.sha256(manifest.encoded()).hexdigest()}"
    yield f"{digest}  {path.name}"
    for one in manifest.documents:
        yield f"# {one.sha256} {one.bytes:>12} {one.feed} {one.url}"
