"""Documents from a dictionary: the in-memory twin for tests."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from sentrikat.domain.errors import Unavailable
from sentrikat.feeds.adapter import NO_VALIDATORS, Document, Validators

_MADE = datetime(2026, 1, 1, tzinfo=UTC)


def document(
    content: bytes, url: str = "https://feeds.example/document.json", *, fetched_at: datetime = _MADE
) -> Document:
    """Give `content` as a document."""
    digest = hashlib.sha256(content).hexdigest()
    return Document(
        name=url.split("?", maxsplit=1)[0].rsplit("/", 1)[-1],
        url=url,
        fetched_at=fetched_at,
        sha256=digest,
        size=len(content),
        opener=lambda: io.BytesIO(content),
        validators=Validators(etag=f'"{digest[:16]}"'),
    )


@dataclass
class DictTransport:
    """Gives what `documents` holds, by full URL; `asked` is the log.

    With `live` it acts like a server, which cannot list what it has.
    """

    documents: dict[str, bytes]
    live: bool = True
    fetched_at: datetime = _MADE
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def listing(self, prefix: str) -> list[str] | None:
        """Give the URLs that start with `prefix`, or None when live."""
        return None if self.live else [url for url in self.documents if url.startswith(prefix)]

    def get(
        self,
        url: str,
        validators: Validators = NO_VALIDATORS,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document | None:
        """Give the document, or None when `validators` name it."""
        full = f"{url}?{urlencode(params)}" if params else url
        self.asked.append(full)
        self.headers.append(dict(headers or {}))
        if full not in self.documents:
            if not self.live:
                return None
            raise Unavailable(f"{full} was not fetched: it is not there.", code="feed_missing")
        found = document(self.documents[full], full, fetched_at=self.fetched_at)
        return None if validators and validators == found.validators else found
