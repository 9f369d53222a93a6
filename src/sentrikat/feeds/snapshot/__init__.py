"""The feed bundle that ships with SentriKat, so that the first start has something to match against.

It is a cut of the sources' documents (docs/develop/snapshot.md) and is replaced by the first
fetch or the first imported bundle. tools/build_snapshot.py makes it.
"""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).with_name("feeds.bundle")
FEEDS = frozenset(  # that it holds documents of
    {"kev", "nvd", "vulnrichment", "overrides", "debian", "osv", "redhat_data", "nvd_cpe", "endoflife"}
)
# No key signs it: it is trusted by being in the product, and this is what the product was built with.
SHA256 = "6aa600afd7370006dad8afc563ad82b5e74103eb5ec5a4c198aa4c4959b4bfc9"
