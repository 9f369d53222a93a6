"""Sources in several files of which only the whole says what was withdrawn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from sentrikat.domain.errors import Unavailable
from sentrikat.feeds.adapter import NO_VALIDATORS, Document, FeedState, Transport, Validators

MISSING = "feed_missing"  # the code of Unavailable for an address where nothing is


def get_if_there(
    transport: Transport, url: str, validators: Validators = NO_VALIDATORS, *, needed: bool = False
) -> tuple[Document | None, bool]:
    """Give the document, None when unchanged, and whether there is one; Unavailable when a `needed` one is gone."""
    try:
        return transport.get(url, validators), True
    except Unavailable as trouble:
        if trouble.code != MISSING or needed:
            raise
        return None, False


def all_or_none(
    transport: Transport, state: FeedState, urls: Iterable[str], needed: Collection[str]
) -> Iterator[Document]:
    """Yield every document of `urls` as soon as one of them is new; nothing when none is.

    An address where nothing is is passed over, unless it is `needed` or had something before: a source that
    lost a part of itself must not look like one that withdrew it.
    """
    found: dict[str, Document | None] = {}
    for url in urls:
        validators = state.of(url)
        document, there = get_if_there(transport, url, validators, needed=bool(validators) or url in needed)
        if there:
            found[url] = document
    if all(document is None for document in found.values()):
        return
    for url, document in found.items():
        if whole := document or transport.get(url):
            yield whole


def held_parts(transport: Transport, held: Collection[str], needed: Collection[str]) -> Iterator[Document]:
    """Yield the documents a bundle or file holds, marked as cut where a needed part of the source is not among them."""
    whole = set(needed) <= set(held)
    for url in held:
        if document := transport.get(url):
            yield document if whole else replace(document, cut=True)
