"""The feed bundle that ships with SentriKat, so that the first start has something to match against.

It is a cut of the sources' documents (docs/develop/snapshot.md) and is replaced by the first
fetch or the first imported bundle. tools/build_snapshot.py makes it.
"""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).with_name("feeds.bundle")
FEEDS = frozenset({"kev", "nvd", "vulnrichment", "overrides", "debian", "osv"})  # that it holds documents of
# No key signs it: it is trusted by being in the product, and this is what the product was built with.
SHA256 = "ea3e641aae358699cdae0c3cfd42d7a4f91ca9986eccf1cc0c55e6817f6472d9"
