"""Names that people type, as others will read them."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Give a text on one line, without what cannot be seen and without needless space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
