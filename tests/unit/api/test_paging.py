from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.api.paging import decode_cursor, encode_cursor
from sentrikat.domain.errors import InvalidInput

NOON = datetime(2026, 6, 2, 12, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("position", "shape"),
    [
        ((5,), "i"),
        (("web-03 ✓", 7), "si"),
        ((NOON, 7), "ti"),
        ((None, 7), "Ti"),  # findings without a deadline come last
        ((date(2026, 6, 2), 0.5), "df"),
    ],
)
def test_a_position_comes_back_as_it_was(position: tuple[object, ...], shape: str) -> None:
    text = encode_cursor("list", position)  # type: ignore[arg-type]  # a table of shapes

    assert decode_cursor("list", text, shape) == position


def test_there_is_no_cursor_after_the_last_page() -> None:
    assert encode_cursor("list", None) is None
    assert decode_cursor("list", None, "i") is None


@pytest.mark.parametrize(
    ("position", "shape"),
    [
        (("5",), "i"),  # text for a number
        ((2**63,), "i"),  # more than a bigint
        ((True,), "i"),
        ((None,), "i"),
        (("a\x00b",), "s"),  # what PostgreSQL refuses
        ((datetime(2026, 6, 2),), "t"),  # noqa: DTZ001 - a moment without a zone is the case
        ((1, 2), "i"),
    ],
)
def test_a_changed_cursor_is_refused_and_not_sent_to_the_database(
    position: tuple[object, ...], shape: str
) -> None:
    text = encode_cursor("list", position)  # type: ignore[arg-type]

    with pytest.raises(InvalidInput):
        decode_cursor("list", text, shape)


@given(st.text(max_size=80))
def test_noise_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor("list", text, "i")
