"""A chain of hashes over journal entries: a changed, removed or inserted entry breaks it.

Every entry's hash covers its own content and the hash before it. Somebody who rewrites one entry must
rewrite all that follow; somebody who keeps one later hash (a checkpoint) notices even that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = bytes(32)
# Says what the digest is of, so that no other digest of the product can stand in for one.
_FORM = b"sentrikat audit entry 1\x00"


@dataclass(frozen=True, slots=True)
class Link:
    """One entry as it is hashed."""

    organization_id: int
    at: datetime
    actor: str
    action: str
    object: str
    address: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold. `position` counts entries from 0."""

    position: int
    reason: str


def link_hash(previous: bytes, link: Link) -> bytes:
    """Give the hash of `link` after `previous`.

    The content is hashed as JSON with sorted keys, UTC times in microseconds and no fractions: what a
    database returns for it is byte for byte what went in.
    """
    _refuse_fractions(link.detail)
    content = {
        "organization_id": link.organization_id,
        "at": link.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": link.actor,
        "action": link.action,
        "object": link.object,
        "address": link.address,
        "detail": link.detail,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(_FORM + previous + text.encode()).digest()


def first_break(entries: Iterable[tuple[Link, bytes, bytes]]) -> Break | None:
    """Walk (entry, previous hash, hash) in order; None when the chain holds."""
    expected = GENESIS
    for position, (link, previous, stored) in enumerate(entries):
        if previous != expected:
            return Break(position, "an entry before it is missing, added or out of order")
        if link_hash(previous, link) != stored:
            return Break(position, "its content is not what was written")
        expected = stored
    return None


def _refuse_fractions(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(
            "a journal entry holds no fractions: their text form is not one and the same everywhere"
        )
    if isinstance(value, Mapping):
        for part in value.values():
            _refuse_fractions(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _refuse_fractions(part)
