"""Spans of versions, and whether a version lies inside one."""

from __future__ import annotations

from dataclasses import dataclass

from sentrikat.domain.versions import Scheme, compare, generic, key

EXACT = b"\x00"  # appended to a key: the least key above it, so `[k, k + EXACT)` holds k alone


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Versions from `introduced` up to an end; no end means "still affected".

    A single version is written as introduced == last_affected.
    """

    scheme: Scheme
    introduced: str | None = None  # None: since the first release
    fixed: str | None = None  # first good version, outside the range
    last_affected: str | None = None  # last bad version, inside the range
    introduced_excluded: bool = False  # NVD's versionStartExcluding
    from_candidates: bool = False  # `introduced` begins at its first pre-release; of generic versions only

    @property
    def unbounded(self) -> bool:
        """True when the range names no version at all."""
        return self.introduced is None and self.fixed is None and self.last_affected is None


def contains(affected: VersionRange, version: str) -> bool:
    """Say whether `version` falls inside `affected`; InvalidVersion when a version cannot be ordered.

    When a source gives both ends, `fixed` wins: a vendor that names the
    repaired release knows more than one that names the last broken one.
    """

    def against(bound: str) -> int:
        return compare(affected.scheme, version, bound)

    if affected.introduced is not None and affected.from_candidates:
        if key(affected.scheme, version) < bounds(affected)[0]:
            return False
    elif affected.introduced is not None:
        order = against(affected.introduced)
        if order < 0 or (order == 0 and affected.introduced_excluded):
            return False
    if affected.fixed is not None:
        return against(affected.fixed) < 0
    if affected.last_affected is not None:
        return against(affected.last_affected) <= 0
    return True


def bounds(affected: VersionRange) -> tuple[bytes, bytes | None]:
    """Give the range as half-open key bounds `[lo, hi)`; `hi` None: no upper end.

    `lo <= key(v) and (hi is None or key(v) < hi)` says the same as `contains`.
    """
    low = b""
    if affected.introduced is not None:
        low = key(affected.scheme, affected.introduced)
        if affected.from_candidates:
            low = generic.with_candidates(low)
        elif affected.introduced_excluded:
            low += EXACT
    if affected.fixed is not None:
        return low, key(affected.scheme, affected.fixed)
    if affected.last_affected is not None:
        return low, key(affected.scheme, affected.last_affected) + EXACT
    return low, None
