"""The product loads nothing from other hosts: no font, no script, no picture (air gap)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "src" / "sentrikat"
PAGES = sorted(p for suffix in ("html", "css", "js", "svg", "jinja") for p in PACKAGE.rglob(f"*.{suffix}"))

# A link that a person may follow is fine; what the browser fetches by itself is not.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed|object|use)\b[^>]*\b(?:src|href|data)\s*=\s*["'](?:https?:)?//
      | <link\b(?![^>]*rel=["'](?:canonical|license))[^>]*\bhref\s*=\s*["'](?:https?:)?//
      | url\(\s*["']?(?:https?:)?//
      | @import\s+["'](?:https?:)?//
      | \b(?:fetch|importScripts|import)\(\s*["'](?:https?:)?//
    """,
    re.VERBOSE | re.IGNORECASE,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PACKAGE)))
def test_a_page_fetches_nothing_from_elsewhere(page: Path) -> None:
    assert not FETCHED.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "fetched"),
    [
        ('<script src="https://cdn.example/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example/css">', True),
        ("body { background: url(http://x.example/a.png) }", True),
        ('<a href="https://nvd.nist.gov/vuln/detail/CVE-2024-1">NVD</a>', False),  # a person clicks it
        ('<svg xmlns="http://www.w3.org/2000/svg">', False),  # a name, not an address
        ('<script src="/static/htmx.js"></script>', False),
    ],
)
def test_the_pattern_tells_fetching_from_linking(text: str, fetched: bool) -> None:
    assert bool(FETCHED.search(text)) is fetched
