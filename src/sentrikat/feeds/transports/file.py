"""One source document from disk, for sites that carry feeds in by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sentrikat.domain.errors import NotFound
from sentrikat.feeds.adapter import NO_VALIDATORS, Document, Feed, Validators


def url_for(feed: Feed, path: Path) -> str:
    """Give the address a file stands for: the feed's first source, with the file's name if that is a folder."""
    source = feed.sources[0]
    return source + path.name if source.endswith("/") else source


@dataclass(frozen=True)
class FileTransport:
    """Gives the file at `path` for `url`, and nothing else."""

    path: Path
    url: str
    now: datetime

    def listing(self, prefix: str) -> list[str] | None:
        """Give the one URL held, if it starts with `prefix`."""
        return [self.url] if self.url.startswith(prefix) else []

    def get(
        self,
        url: str,
        validators: Validators = NO_VALIDATORS,  # noqa: ARG002
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Document | None:
        """Give the file; validators play no part, whoever brings a file wants it read."""
        if url != self.url or params:
            return None
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = self.path.stat().st_size
        except OSError as trouble:
            raise NotFound(
                f"{self.path} was not imported: {trouble.strerror or trouble}.", hint="Nothing was changed."
            ) from trouble
        return Document(
            name=self.path.name,
            url=url,
            fetched_at=self.now,
            sha256=digest,
            size=size,
            opener=lambda: self.path.open("rb"),
        )
