"""The feed bundle that ships with SentriKat, so that the first start has something to match against.

It is a cut of the sources' documents (docs/develop/snapshot.md) and is replaced by the first
fetch or the first imported bundle. tools/build_snapshot.py makes it.
"""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).with_name("feeds.bundle")
