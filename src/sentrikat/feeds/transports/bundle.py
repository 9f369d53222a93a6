"""Documents from a bundle: the same runs as online, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sentrikat.feeds.adapter import NO_VALIDATORS, Document, Validators
from sentrikat.feeds.bundle.reader import BundleReader


@dataclass(frozen=True)
class BundleTransport:
    """Gives the documents of an open bundle that belong to `feed`.

    The caller compares `reader.manifest.made_at` with what it holds before it runs any feed.
    """

    reader: BundleReader
    feed: str

    def listing(self, prefix: str) -> list[str] | None:
        """Give the URLs the bundle holds for the feed, in the order they were recorded."""
        return [
            one.url
            for one in self.reader.manifest.documents
            if one.feed == self.feed and one.url.startswith(prefix)
        ]

    def get(
        self,
        url: str,
        validators: Validators = NO_VALIDATORS,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Document | None:
        """Give the document, or None when it is not in the bundle or `validators` name it."""
        full = f"{url}?{urlencode(params)}" if params else url
        for one in self.reader.manifest.documents:
            if one.feed == self.feed and one.url == full:
                if validators and validators == one.validators and not one.cut:
                    return None
                return self.reader.document(one)
        return None
