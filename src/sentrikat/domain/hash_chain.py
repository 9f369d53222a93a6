"""A chain of hashes over journal entries: a changed, removed or inserted entry breaks it.

Every entry's hash covers its own content and the hash before it. Somebody who rewrites one entry must
rewrite all that follow; somebody who keeps one later hash (a checkpoint) notices even that.

    hash = SHA-256( "sentrikat audit entry 1" NUL · hash of the entry before · content )

The content is JSON: the seven fields of `Link`, keys sorted, no spaces, UTF-8, the time in UTC with six digits of
microseconds, whole numbers only. docs/admin/audit.md gives the recipe to people without this program.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = bytes(32)
# Says what the digest is of, so that no other digest of the product can stand in for one.
FORM = b"sentrikat audit entry 1\x00"

# Neither PostgreSQL's text nor UTF-8 can hold these; what somebody typed is kept with a mark in their place.
_UNSTORABLE = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}

_LARGEST = 2**53 - 1  # beyond, readers of JSON give a fraction: such a number is kept as text


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

    def cleaned(self) -> Link:
        """Give the entry as it can be stored: nothing in it that would be refused or come back as another value."""
        return Link(
            self.organization_id,
            self.at,
            self.actor.translate(_UNSTORABLE),
            self.action.translate(_UNSTORABLE),
            self.object.translate(_UNSTORABLE),
            None if self.address is None else self.address.translate(_UNSTORABLE),
            {str(name).translate(_UNSTORABLE): _cleaned(value) for name, value in self.detail.items()},
        )


def moment_text(at: datetime) -> str:
    """Give a moment as it is hashed and exported: 2026-06-02T12:00:00.000000+00:00."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def content(link: Link) -> bytes:
    """Give the bytes of an entry that its hash covers, beside the hash before it.

    What a database returns for an entry is byte for byte what went in: hence no fractions.
    """
    _refuse_fractions(link.detail)
    fields = {
        "organization_id": link.organization_id,
        "at": moment_text(link.at),
        "actor": link.actor,
        "action": link.action,
        "object": link.object,
        "address": link.address,
        "detail": link.detail,
    }
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def link_hash(previous: bytes, link: Link) -> bytes:
    """Give the hash of `link` after `previous`."""
    return hashlib.sha256(FORM + previous + content(link)).digest()


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return value.translate(_UNSTORABLE)
    if isinstance(value, int) and abs(value) > _LARGEST:
        return str(value)
    if isinstance(value, Mapping):
        return {str(name).translate(_UNSTORABLE): _cleaned(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(part) for part in value]
    return value


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
