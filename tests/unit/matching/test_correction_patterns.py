"""Patterns of corrections: what a star stands for, and how long it takes to find out."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.correction import Pattern


def fits(pattern: str, title: str) -> bool:
    return Pattern(title=pattern).matches(Component("windows", "", title))


@pytest.mark.parametrize(
    ("pattern", "title", "fit"),
    [
        ("Acme Reader", "ACME reader", True),
        ("Acme Reader", "Acme Reader 9", False),
        ("Acme*", "Acme", True),  # a star stands for nothing as well
        ("*Reader*", "Acme Reader 9", True),
        ("Acme*9", "Acme Reader 9\n9", True),
        ("a*b*b", "ab", False),  # no letter is counted twice
        ("a*bc*c", "abc", False),
        ("**", "anything", True),
        ("a.c*", "abc", False),  # a dot is a dot
    ],
)
def test_a_star_stands_for_any_text(pattern: str, title: str, fit: bool) -> None:
    assert fits(pattern, title) is fit


@given(st.text("ab*", min_size=1, max_size=8), st.text("abAB", max_size=8))
def test_every_pattern_says_what_trying_every_way_says(pattern: str, title: str) -> None:
    every_way = ".*".join(map(re.escape, pattern.split("*")))

    assert fits(pattern, title) is (re.fullmatch(every_way, title, re.IGNORECASE) is not None)


def test_many_stars_take_no_longer_than_the_name_is_long() -> None:
    began = time.process_time()

    assert not fits("*a" * 200 + "*b", "a" * 2_000)
    assert time.process_time() - began < 1
