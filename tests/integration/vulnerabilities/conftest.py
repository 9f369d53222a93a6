"""The upstreams' mirror, for runs against real documents and real trouble."""

from __future__ import annotations

from tests.integration.feeds.conftest import mirror, running_mirror

__all__ = ["mirror", "running_mirror"]
