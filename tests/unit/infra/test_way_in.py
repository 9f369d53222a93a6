"""A server that others reach without TLS says so."""

from __future__ import annotations

import pytest

from sentrikat.infra.settings import load
from sentrikat.infra.way_in import doubt_about

HTTPS = "https://sentrikat.example.org"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),  # for oneself, on loopback: `make run`
        ({"public_url": "http://localhost:8420"}, None),
        ({"public_url": HTTPS}, None),  # behind a proxy of the same machine
        ({"public_url": HTTPS, "host": "192.0.2.7"}, None),  # behind one of another
        ({"host": "192.0.2.7"}, "SENTRIKAT_PUBLIC_URL is not set"),
        ({"host": "::"}, "SENTRIKAT_PUBLIC_URL is not set"),
        (
            {"host": "192.0.2.7", "cookie_secure": False},
            "unencrypted, because SENTRIKAT_COOKIE_SECURE is off",
        ),
        (
            {"public_url": HTTPS, "cookie_secure": False},
            "unencrypted, because SENTRIKAT_COOKIE_SECURE is off",
        ),
        (
            {"public_url": "http://sentrikat.example.org"},
            "unencrypted, because SENTRIKAT_PUBLIC_URL is http:",
        ),
    ],
)
def test_what_is_doubtful_about_the_way_in(given: dict[str, object], said: str | None) -> None:
    doubt = doubt_about(load(**given))

    if said is None:
        assert doubt is None
    else:
        assert doubt is not None
        assert said in doubt.what
        assert "docs/admin/reverse-proxy.md" in doubt.remedy
