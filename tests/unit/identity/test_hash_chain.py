from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.hash_chain import GENESIS, Link, first_break, link_hash

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
Entries = list[tuple[Link, bytes, bytes]]


def chain_of(count: int) -> Entries:
    entries: Entries = []
    previous = GENESIS
    for number in range(count):
        link = Link(
            7, NOON + timedelta(seconds=number), "user:1", "asset.changed", f"asset:{number}", None, {}
        )
        entries.append((link, previous, link_hash(previous, link)))
        previous = entries[-1][2]
    return entries


def test_an_untouched_chain_holds() -> None:
    assert first_break(chain_of(5)) is None
    assert first_break([]) is None


@given(count=st.integers(2, 8), data=st.data())
def test_any_changed_removed_or_swapped_entry_breaks_it(count: int, data: st.DataObject) -> None:
    entries = chain_of(count)
    position = data.draw(st.integers(0, count - 2))
    match data.draw(st.sampled_from(["change", "remove", "swap"])):
        case "change":
            link, previous, digest = entries[position]
            entries[position] = (replace(link, actor="user:2"), previous, digest)
        case "remove":
            del entries[position]
        case _:
            entries[position], entries[position + 1] = entries[position + 1], entries[position]

    broken = first_break(entries)

    assert broken is not None
    assert broken.position == position


def test_a_rewritten_entry_with_a_fitting_hash_breaks_the_next() -> None:
    entries = chain_of(3)
    forged = replace(entries[1][0], object="asset:99")
    entries[1] = (forged, entries[1][1], link_hash(entries[1][1], forged))

    broken = first_break(entries)

    assert broken is not None
    assert broken.position == 2


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


def test_fractions_are_refused() -> None:
    link = Link(7, NOON, "user:1", "a", "b", None, {"deep": [{"score": 9.8}]})

    with pytest.raises(TypeError, match="fractions"):
        link_hash(GENESIS, link)
