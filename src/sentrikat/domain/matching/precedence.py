"""Whose word counts first, as data: one ordered list of sources per lane.

Two sources on one rank are heard together. A source that is not named is heard last.
"""

from __future__ import annotations

from functools import lru_cache

from sentrikat.domain.matching.lanes import Lane

PRECEDENCE_VERSION = "2026-11-5"

PRECEDENCE: dict[Lane, tuple[tuple[str, ...], ...]] = {
    # The distribution's own word: its tracker knows "not affected" and "postponed", its errata the module stream.
    # Their OSV forms have lost all three, SUSE's also what is not repaired. Red Hat's VEX is kept up to date; its Security Data tells the same, later.
    Lane.DISTRIBUTION: (
        ("debian", "ubuntu", "redhat", "suse", "alpine", "almalinux", "amazon", "msrc"),
        ("redhat_data",),
        ("osv",),
    ),
    # The ecosystem's own database, GitHub's reviewed advisories among it; a CVE record's words come after.
    Lane.LANGUAGE: (("osv",), ("vulnrichment",), ("nvd", "overrides")),
    # Overrides exist only where somebody looked at NVD's configuration and found it missing or wrong. A CVE
    # record's own `affected` is the assigner's first word, often coarser than what NVD analyzed later, so it
    # decides only where neither has spoken.
    # Before all of them stands a maker's own word on its products, with the builds and updates that repair them;
    # WES-NG repeats it, and reaches further back.
    Lane.APPLICATION: (("msrc",), ("wesng",), ("overrides",), ("nvd",), ("vulnrichment",), ("osv",)),
}

LAST_RANK = 9


@lru_cache(maxsize=4096)
def rank(lane: Lane, source: str) -> int:
    """Give the place of `source` in its lane: 0 is heard first, LAST_RANK last."""
    for place, sources in enumerate(PRECEDENCE[lane]):
        if source in sources:
            return place
    return LAST_RANK
