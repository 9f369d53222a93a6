"""Walk a chain of journal entries and say where it breaks first, and how.

The walk itself needs one pass and no memory. At a break it asks two questions of whoever holds the entries, to tell
an entry that was changed from one that was removed, added or moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentrikat.domain.hash_chain import GENESIS, Link, link_hash


class Fault(StrEnum):
    """How a chain is broken."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    MOVED = "moved"
    TRUNCATED = "truncated"  # what a checkpoint counted is no longer there
    REWRITTEN = "rewritten"  # the hashes agree with each other and not with a checkpoint
    CHECKPOINT = "checkpoint"  # a checkpoint is not what it says
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored."""

    id: int
    link: Link
    previous: bytes
    hash: bytes

    def intact(self) -> bool:
        """Say whether the content gives the hash."""
        try:
            return link_hash(self.previous, self.link) == self.hash
        except (TypeError, ValueError):  # fractions or texts that no entry of ours ever had
            return False


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold: which entry, and what is wrong with it."""

    fault: Fault
    reason: str
    entry_id: int | None = None
    at: datetime | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody noted of the chain, outside it: after so many entries it ended with this one."""

    entries: int
    entry_id: int
    head: bytes
    words: str  # where it is noted, for people: "the checkpoint of 2 Jun 2026 12:00 UTC"


class Holder(Protocol):
    """Whoever holds the entries; asked at a break only."""

    def with_hash(self, digest: bytes) -> int | None:
        """Give the entry of that hash."""
        ...

    def following(self, digest: bytes, *, but: int) -> int | None:
        """Give an entry, other than `but`, that names `digest` as the hash before it."""
        ...


@dataclass(frozen=True, slots=True)
class Walked:
    """How far the chain was walked, its last hash, and where it broke, if it did."""

    entries: int
    head: bytes
    last_id: int | None
    broken: Break | None = None

    @property
    def holds(self) -> bool:
        """Say whether every entry is as written."""
        return self.broken is None


UNWALKED = Walked(0, GENESIS, None)


def walk(
    entries: Iterable[Entry], holder: Holder, marks: Sequence[Mark] = (), start: Walked = UNWALKED
) -> Walked:
    """Walk `entries` in their order after `start`; every mark must lie on the way."""
    ahead = _Marks(marks)
    count, head, last = start.entries, start.head, start.last_id
    for entry in entries:
        broken = _break_at(entry, head, last, holder)
        if broken is not None:
            return Walked(count, head, last, broken)
        count, head, last = count + 1, entry.hash, entry.id
        for mark in ahead.at(count):
            if mark.head != head:
                reason = (
                    f"{mark.words} signed another chain: its entry number {count} was entry {mark.entry_id} with the"
                    f" hash {mark.head.hex()[:16]}…, and now is entry {entry.id} with {head.hex()[:16]}…. The entries up"
                    " to here were written anew"
                )
                return Walked(count, head, last, _told(entry, Fault.REWRITTEN, reason))
    if (beyond := ahead.furthest()) is not None:
        reason = (
            f"{beyond.entries - count} entries are missing at the end: {beyond.words} signed {beyond.entries} entries up"
            f" to entry {beyond.entry_id}, and the chain ends after {count}"
            + (f" with entry {last}" if last is not None else "")
        )
        return Walked(count, head, last, Break(Fault.TRUNCATED, reason, beyond.entry_id))
    return Walked(count, head, last)


def _break_at(entry: Entry, head: bytes, last: int | None, holder: Holder) -> Break | None:
    """Say what is wrong with `entry`, which stands after entry `last` with the hash `head`."""
    behind = f"entry {last}" if last is not None else "the beginning"
    if entry.previous == head:
        if entry.intact():
            return None
        other = holder.following(head, but=entry.id)
        if other is not None:
            return _told(entry, Fault.ADDED, f"it was added: entry {other} follows {behind} as well")
        reason = (
            f"its content is not what was written: the hash {entry.hash.hex()[:16]}… was stored with it, and the content"
            " gives another one"
        )
        return _told(entry, Fault.CHANGED, reason)
    named = holder.with_hash(entry.previous)
    if named is not None and named > entry.id:
        return _told(entry, Fault.MOVED, f"it is out of order: it was written after entry {named}")
    follower = holder.following(head, but=entry.id)
    if follower is not None:
        return _told(entry, Fault.ADDED, f"it was added: the chain goes on from {behind} to entry {follower}")
    if named is not None or entry.previous == GENESIS:
        place = f"entry {named}" if named is not None else "the beginning"
        return _told(entry, Fault.ADDED, f"what stands between {place} and it was added: it follows {place}")
    if not entry.intact() and link_hash_or_none(head, entry.link) == entry.hash:
        return _told(entry, Fault.CHANGED, "the hash that it names as the one before it was changed")
    reason = (
        f"one or more entries between {behind} and it were removed: no entry has the hash"
        f" {entry.previous.hex()[:16]}… that it names as the one before it"
    )
    return _told(entry, Fault.REMOVED, reason)


def link_hash_or_none(previous: bytes, link: Link) -> bytes | None:
    """Give the hash, or None for a content that can have none."""
    try:
        return link_hash(previous, link)
    except (TypeError, ValueError):
        return None


def _told(entry: Entry, fault: Fault, reason: str) -> Break:
    return Break(fault, reason, entry.id, entry.link.at, entry.link.action)


class _Marks:
    """Marks by the number of entries they were made after."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._ahead = sorted(marks, key=lambda mark: mark.entries, reverse=True)

    def at(self, count: int) -> Iterator[Mark]:
        """Give, and forget, those made after `count` entries."""
        while self._ahead and self._ahead[-1].entries <= count:
            yield self._ahead.pop()

    def furthest(self) -> Mark | None:
        """Give the last one that was not reached."""
        return self._ahead[0] if self._ahead else None
