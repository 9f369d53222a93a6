"""What must hold for the versions of every scheme, whatever they are."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.versions import Scheme, compare, key
from sentrikat.domain.versions.encoding import MAX_LENGTH, compare_numbers, number
from tests.unit.versions.made_versions import PIECES, made_up_versions, real_versions, versions_of

PAIRS = st.sampled_from(Scheme).flatmap(
    lambda scheme: st.tuples(st.just(scheme), versions_of(scheme), versions_of(scheme))
)
TRIPLES = st.sampled_from(Scheme).flatmap(
    lambda scheme: st.tuples(st.just(scheme), versions_of(scheme), versions_of(scheme), versions_of(scheme))
)


def sign_of_keys(left: bytes, right: bytes) -> int:
    return (left > right) - (left < right)


@given(PAIRS)
def test_keys_sort_like_compare_says(drawn: tuple[Scheme, str, str]) -> None:
    scheme, left, right = drawn

    assert compare(scheme, left, right) == sign_of_keys(key(scheme, left), key(scheme, right))


@given(PAIRS)
def test_comparing_the_other_way_round_gives_the_opposite(drawn: tuple[Scheme, str, str]) -> None:
    scheme, left, right = drawn

    assert compare(scheme, left, right) == -compare(scheme, right, left)
    assert compare(scheme, left, left) == 0


@given(TRIPLES)
def test_an_order_has_no_circles(drawn: tuple[Scheme, str, str, str]) -> None:
    scheme, *versions = drawn
    first, second, third = sorted(versions, key=lambda version: key(scheme, version))

    assert compare(scheme, first, second) <= 0
    assert compare(scheme, second, third) <= 0
    assert compare(scheme, first, third) <= 0


@pytest.mark.parametrize("scheme", Scheme)
def test_no_key_begins_with_another_versions_key(scheme: Scheme) -> None:
    """In sorted order a prefix stands right before what it begins, so neighbors suffice."""
    keys = sorted(
        {key(scheme, version) for version in (*real_versions(scheme), *made_up_versions(scheme, 3_000))}
    )

    assert len(keys) > 100
    for shorter, longer in itertools.pairwise(keys):
        assert not longer.startswith(shorter)


@pytest.mark.parametrize("scheme", Scheme)
def test_real_and_made_up_versions_sort_the_same_by_key_and_by_compare(scheme: Scheme) -> None:
    versions = sorted(
        (*real_versions(scheme), *made_up_versions(scheme, 3_000)), key=lambda version: key(scheme, version)
    )

    for earlier, later in itertools.pairwise(versions):
        assert compare(scheme, earlier, later) == sign_of_keys(key(scheme, earlier), key(scheme, later))


@pytest.mark.parametrize("scheme", Scheme)
def test_every_recorded_version_has_a_key(scheme: Scheme) -> None:
    for version in real_versions(scheme):
        assert key(scheme, version)


@pytest.mark.parametrize("scheme", Scheme)
def test_zero_is_a_version_of_every_scheme(scheme: Scheme) -> None:
    """OSV writes `introduced: "0"` in all ecosystems."""
    assert compare(scheme, "0", "1.0.1") < 0
    assert key(scheme, "0") < key(scheme, "1.0.1")


@given(st.sampled_from(Scheme), st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_ordered_or_refused(scheme: Scheme, left: str, right: str) -> None:
    for version in (left, right):
        try:
            found = key(scheme, version)
        except InvalidVersion:
            with pytest.raises(InvalidVersion):
                compare(scheme, version, "1")
        else:
            assert found
            assert compare(scheme, version, version) == 0


@given(st.sampled_from(Scheme).flatmap(lambda s: st.tuples(st.just(s), st.lists(st.sampled_from(PIECES[s])))))
def test_text_that_looks_like_a_version_is_ordered_or_refused(drawn: tuple[Scheme, list[str]]) -> None:
    scheme, pieces = drawn
    version = "".join(pieces)
    try:
        key(scheme, version)
    except InvalidVersion:
        return

    assert compare(scheme, version, version) == 0
    assert compare(scheme, version, version.strip()) == 0


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("version", ["", "   ", "\t\n"])
def test_an_empty_version_is_refused(scheme: Scheme, version: str) -> None:
    with pytest.raises(InvalidVersion):
        key(scheme, version)


@pytest.mark.parametrize("scheme", Scheme)
def test_a_version_that_is_too_long_is_refused(scheme: Scheme) -> None:
    with pytest.raises(InvalidVersion, match=f"longer than {MAX_LENGTH} characters"):
        key(scheme, "1" * (MAX_LENGTH + 1))


@pytest.mark.parametrize("scheme", [scheme for scheme in Scheme if scheme is not Scheme.COMPOSER])
def test_numbers_of_any_length_are_ordered_by_value(scheme: Scheme) -> None:
    """Composer alone limits its first number, to five digits."""
    longest = "9" * MAX_LENGTH
    versions = ["9", "10", "239", "240", "255", "256", "65535", "65536", "9" * 19, "1" + "0" * 19, longest]

    assert sorted(versions, key=lambda version: key(scheme, version)) == versions
    for earlier, later in itertools.pairwise(versions):
        assert compare(scheme, earlier, later) == -1


@pytest.mark.parametrize("scheme", Scheme)
def test_the_longest_keys_fit_into_an_index(scheme: Scheme) -> None:
    """PostgreSQL refuses entries above 2,704 bytes in a B-tree."""
    for piece in (*PIECES[scheme], "1.", "a.", "1a", "-a", "-1", ".a1"):
        for head in ("", "1", "1.0-", "1.0.0-"):
            version = (head + piece * MAX_LENGTH)[:MAX_LENGTH]
            try:
                assert len(key(scheme, version)) <= 5 * MAX_LENGTH
            except InvalidVersion:
                continue


@pytest.mark.parametrize("scheme", Scheme)
def test_the_longest_versions_take_no_time_to_speak_of(scheme: Scheme) -> None:
    """A pattern that backtracks would need minutes for some of these; the bound only tells that apart."""
    started = time.perf_counter()
    for piece in PIECES[scheme]:
        for head in ("", "1", "1.0-", "1.0.0-beta"):
            for tail in ("", "!", "\u00fc", "--", "x y"):
                version = (head + piece * MAX_LENGTH)[: MAX_LENGTH - len(tail)] + tail
                try:
                    key(scheme, version)
                    compare(scheme, version, version)
                except InvalidVersion:
                    continue

    assert time.perf_counter() - started < 30


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_encoded_numbers_sort_by_value(left: int, right: int) -> None:
    a, b = str(left), str(right)

    assert sign_of_keys(number(a), number(b)) == (left > right) - (left < right) == compare_numbers(a, b)


@given(st.integers(min_value=0, max_value=9**400), st.integers(min_value=0, max_value=9**400))
def test_no_encoded_number_begins_with_another(left: int, right: int) -> None:
    if left != right:
        assert not number(str(left)).startswith(number(str(right)))


@given(st.text(alphabet="0123456789", min_size=1, max_size=50))
def test_leading_zeros_do_not_count(digits: str) -> None:
    assert number(digits) == number("000" + digits)
    assert compare_numbers(digits, "000" + digits) == 0
