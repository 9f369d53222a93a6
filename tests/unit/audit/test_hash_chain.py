from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.chain_walk import Break, Entry, Fault, Mark, walk
from sentrikat.domain.hash_chain import FORM, GENESIS, Link, content, link_hash

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


class Held:
    """Entries in a list, as a walk asks for them."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def with_hash(self, digest: bytes) -> int | None:
        return next((one.id for one in self.entries if one.hash == digest), None)

    def following(self, digest: bytes, *, but: int) -> int | None:
        return next((one.id for one in self.entries if one.previous == digest and one.id != but), None)


def chain_of(count: int, actor: str = "user:1") -> list[Entry]:
    """Entries 10, 20, 30 …: ids have gaps, for all chains draw from one sequence."""
    entries: list[Entry] = []
    previous = GENESIS
    for number in range(1, count + 1):
        at = NOON + timedelta(seconds=number)
        link = Link(7, at, actor, "asset.changed", f"asset:{number}", None, {})
        entries.append(Entry(number * 10, link, previous, link_hash(previous, link)))
        previous = entries[-1].hash
    return entries


def break_of(entries: Sequence[Entry], *marks: Mark) -> Break:
    broken = walk(entries, Held(entries), marks).broken
    assert broken is not None
    return broken


def mark_of(entries: Sequence[Entry], count: int) -> Mark:
    return Mark(count, entries[count - 1].id, entries[count - 1].hash, "the checkpoint of noon")


def numbered_as(entries: Sequence[Entry]) -> list[Entry]:
    """Give the entries ids in the order they stand in."""
    return [replace(one, id=(number + 1) * 10) for number, one in enumerate(entries)]


def test_an_untouched_chain_holds() -> None:
    chain = chain_of(5)
    walked = walk(chain, Held(chain), [mark_of(chain, 3), mark_of(chain, 5)])

    assert walked.holds
    assert (walked.entries, walked.head, walked.last_id) == (5, chain[-1].hash, 50)
    assert walk([], Held([])).holds


def test_a_walk_goes_on_where_an_earlier_one_ended() -> None:
    chain = chain_of(5)
    first = walk(chain[:3], Held(chain))

    assert walk(chain[3:], Held(chain), [mark_of(chain, 5)], first) == walk(chain, Held(chain))


def test_a_changed_entry_is_named() -> None:
    chain = chain_of(5)
    chain[2] = replace(chain[2], link=replace(chain[2].link, actor="user:2"))

    broken = break_of(chain)

    assert (broken.fault, broken.entry_id, broken.at, broken.action) == (
        Fault.CHANGED,
        30,
        NOON + timedelta(seconds=3),
        "asset.changed",
    )


@pytest.mark.parametrize("removed", [0, 2, 3])
def test_what_follows_a_removed_entry_is_named(removed: int) -> None:
    chain = chain_of(5)
    del chain[removed]

    broken = break_of(chain)

    assert (broken.fault, broken.entry_id) == (Fault.REMOVED, (removed + 2) * 10)


def test_an_entry_that_was_moved_is_named() -> None:
    chain = chain_of(5)
    chain[1], chain[2] = chain[2], chain[1]

    broken = break_of(numbered_as(chain))

    assert (broken.fault, broken.entry_id) == (Fault.MOVED, 20)
    assert "after entry 30" in broken.reason


def test_an_entry_added_without_a_fitting_hash_is_named() -> None:
    chain = chain_of(5)
    chain.insert(2, Entry(25, chain[0].link, bytes(31) + b"1", bytes(31) + b"2"))

    broken = break_of(chain)

    assert (broken.fault, broken.entry_id) == (Fault.ADDED, 25)
    assert "goes on from entry 20 to entry 30" in broken.reason


def test_an_entry_added_with_a_fitting_hash_is_named_by_the_one_it_displaces() -> None:
    chain = chain_of(5)
    link = replace(chain[0].link, object="asset:99")
    chain.insert(2, Entry(25, link, chain[1].hash, link_hash(chain[1].hash, link)))

    broken = break_of(chain)

    assert (broken.fault, broken.entry_id) == (Fault.ADDED, 30)
    assert "between entry 20 and it was added" in broken.reason


def test_a_changed_link_is_named() -> None:
    chain = chain_of(5)
    chain[2] = replace(chain[2], previous=bytes(31) + b"1")

    assert (break_of(chain).fault, break_of(chain).entry_id) == (Fault.CHANGED, 30)


def test_a_rewritten_entry_with_a_fitting_hash_breaks_the_next() -> None:
    chain = chain_of(3)
    forged = replace(chain[1].link, object="asset:99")
    chain[1] = replace(chain[1], link=forged, hash=link_hash(chain[1].previous, forged))

    assert break_of(chain).entry_id == 30


def test_without_a_checkpoint_a_cut_tail_cannot_be_seen_and_with_one_it_is() -> None:
    chain = chain_of(5)

    assert walk(chain[:3], Held(chain[:3])).holds
    broken = break_of(chain[:3], mark_of(chain, 2), mark_of(chain, 5))
    assert (broken.fault, broken.entry_id) == (Fault.TRUNCATED, 50)
    assert "2 entries are missing at the end" in broken.reason
    assert break_of([], mark_of(chain, 5)).fault is Fault.TRUNCATED


def test_a_chain_rewritten_from_its_beginning_is_found_by_the_first_checkpoint() -> None:
    chain, forged = chain_of(5), chain_of(5, "user:2")

    assert walk(forged, Held(forged)).holds
    broken = break_of(forged, mark_of(chain, 2), mark_of(chain, 5))
    assert (broken.fault, broken.entry_id) == (Fault.REWRITTEN, 20)


@given(count=st.integers(2, 8), data=st.data())
def test_any_changed_removed_or_swapped_entry_breaks_it(count: int, data: st.DataObject) -> None:
    entries = chain_of(count)
    position = data.draw(st.integers(0, count - 2))
    match data.draw(st.sampled_from(["change", "remove", "swap"])):
        case "change":
            forged = replace(entries[position].link, actor="user:2")
            entries[position] = replace(entries[position], link=forged)
        case "remove":
            del entries[position]
        case _:
            entries[position], entries[position + 1] = entries[position + 1], entries[position]
    entries = numbered_as(entries)

    assert break_of(entries).entry_id == entries[position].id


@pytest.mark.parametrize(
    "changed",
    [
        {"organization_id": 8},  # the same deed elsewhere
        {"address": ""},  # no address and an empty one differ
        {"detail": {"a": "1"}},
        {"at": NOON + timedelta(microseconds=1)},
    ],
)
def test_every_field_is_covered(changed: dict[str, object]) -> None:
    link = Link(7, NOON, "user:1", "sign_in", "user:1", None, {})

    assert link_hash(GENESIS, link) != link_hash(GENESIS, replace(link, **changed))  # type: ignore[arg-type]


def test_the_order_of_keys_does_not_matter() -> None:
    """JSONB returns keys in its own order."""
    one = Link(7, NOON, "user:1", "a", "b", None, {"x": 1, "y": [1, None]})
    other = replace(one, detail={"y": [1, None], "x": 1})

    assert link_hash(GENESIS, one) == link_hash(GENESIS, other)


def test_the_hash_is_the_documented_one() -> None:
    """The figure is written down: another form would break every chain there is."""
    link = Link(7, NOON, "user:1", "a", "Zürich\n", "192.0.2.1", {"n": 2**70, "l": ["✓", None, True]})

    assert content(link) == (
        b'{"action":"a","actor":"user:1","address":"192.0.2.1","at":"2026-06-02T12:00:00.000000+00:00",'
        b'"detail":{"l":["\xe2\x9c\x93",null,true],"n":1180591620717411303424},"object":"Z\xc3\xbcrich\\n",'
        b'"organization_id":7}'
    )
    assert link_hash(GENESIS, link) == hashlib.sha256(FORM + GENESIS + content(link)).digest()
    assert json.loads(content(link))["object"] == "Zürich\n"


def test_fractions_are_refused() -> None:
    link = Link(7, NOON, "user:1", "a", "b", None, {"deep": [{"score": 9.8}]})

    with pytest.raises(TypeError, match="fractions"):
        link_hash(GENESIS, link)
