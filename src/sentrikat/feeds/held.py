"""Refusing a document that is older than what is already held."""

from __future__ import annotations

from sentrikat.domain.errors import Conflict
from sentrikat.feeds.adapter import Document, FeedState


def refuse_older(document: Document, state: FeedState, **offered: str) -> None:
    """Raise Conflict when the one named cursor of `state` is later than the one offered.

    Cursors compare as text, so they must be ISO times of one form. A cut document may be
    older: it is the first fill, and whoever imports it decides.
    """
    ((name, made),) = offered.items()
    held = state.cursors.get(name)
    if held is not None and made < held and not document.cut:
        raise Conflict(
            f"{document.name} was not imported: it was made on {made}, and this server already holds "
            f"data of {held}.",
            hint=f"{document.url} gave an old copy, as a stale mirror does. Nothing was changed.",
        )
