"""The seed of a second factor as people see it: a picture for the phone, and letters to type."""

from __future__ import annotations

from urllib.parse import urlsplit

import segno
from fastapi import Request
from markupsafe import Markup

from sentrikat.identity.second_factor import address_of
from sentrikat.web.context import settings_of


def picture_of(request: Request, seed: str, login: str) -> Markup:
    """Draw the QR code as an inline picture, dark on light in every theme: cameras expect it so."""
    # The name of the host comes from the settings alone: a forged Host header must not name our entry.
    public = settings_of(request).public_url
    address = address_of(seed, login, urlsplit(public).hostname or "" if public is not None else "")
    drawn = segno.make(address, error="m", micro=False)
    picture = drawn.svg_inline(scale=4, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    return Markup(picture)  # noqa: S704 - drawn by segno from squares; the address is not in it as text


def spaced(seed: str) -> str:
    """Write the seed in groups of four, as apps show it."""
    return " ".join(seed[i : i + 4] for i in range(0, len(seed), 4))
