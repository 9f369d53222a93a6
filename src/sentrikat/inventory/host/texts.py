"""Text from machines, made fit for a report."""

from __future__ import annotations

from sentrikat.inventory.readers.document import CONTROL, MAX_STRING


def clean(text: object) -> str | None:
    """Give a string without control characters and within the contract's length; None when nothing is left."""
    if not isinstance(text, str):
        return None
    return CONTROL.sub(" ", text).strip()[:MAX_STRING] or None
