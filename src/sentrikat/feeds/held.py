"""Refusing a document that is older than what is already held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from sentrikat.domain.errors import Conflict
from sentrikat.feeds.adapter import Document, FeedState

SERVERS_APART = timedelta(
    days=1
)  # one source's servers need not agree to the hour on when a document changed


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


def none_older(documents: Iterable[Document], state: FeedState) -> Iterator[Document]:
    """Pass documents on; Conflict at one that its server says is older than the one `state` remembers.

    Few documents say themselves when they were made. A mirror that stands still would else make data look fresh that
    is a month old, and take back what came since.
    """
    for document in documents:
        made, held = (_changed_at(one.last_modified) for one in (document.validators, state.of(document.url)))
        if made is not None and held is not None and made < held - SERVERS_APART and not document.cut:
            raise Conflict(
                f"{document.name} was not imported: its server says that it last changed on {made:%d %B %Y %H:%M} UTC,"
                f" and this server already holds what changed on {held:%d %B %Y %H:%M} UTC.",
                hint=f"{document.url} gave an old copy, as a stale mirror does. Nothing was changed. If its maker"
                " really went back to it: sentrikat feeds refresh --accept NAME.",
            )
        yield document


def _changed_at(said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        return parsedate_to_datetime(said)
    except ValueError:
        return None  # no date as HTTP writes it: nothing to compare
