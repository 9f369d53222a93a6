"""The table of NISTIR 7696, and what must hold for any two names."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.cpe.name import CpeName
from sentrikat.domain.cpe.relation import Relation, attribute_relation, relation

R = Relation


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # NISTIR 7696 table 6-2, row by row
        ("*", "*", R.EQUAL),
        ("*", "-", R.SUPERSET),
        ("*", "word", R.SUPERSET),
        ("*", "wo*", R.UNDEFINED),
        ("-", "*", R.SUBSET),
        ("-", "-", R.EQUAL),
        ("-", "word", R.DISJOINT),
        ("-", "wo*", R.UNDEFINED),
        ("word", "word", R.EQUAL),
        ("word", "other", R.DISJOINT),
        ("word", "wo*", R.UNDEFINED),
        ("word", "-", R.DISJOINT),
        ("word", "*", R.SUBSET),
        ("wo*", "word", R.SUPERSET),
        ("wo*", "other", R.DISJOINT),
        ("wo*", "*", R.SUBSET),
        ("wo*", "-", R.DISJOINT),
        ("wo*", "wo*", R.UNDEFINED),
        # wildcards
        ("*1", "11", R.SUPERSET),
        ("1?", "1", R.SUPERSET),  # a question mark may stand for nothing
        ("1?", "12", R.SUPERSET),
        ("1?", "123", R.DISJOINT),
        ("1??", "123", R.SUPERSET),
        ("?a?", "a", R.SUPERSET),
        ("?a?", "aa", R.SUPERSET),
        ("?a?", "baab", R.DISJOINT),
        ("*a*", "xaxx", R.SUPERSET),
        (r"8.*", "8.0.1", R.SUPERSET),
        (r"8.*", "80.1", R.DISJOINT),  # the dot is a dot
        (r"c\+*", r"c\+\+", R.SUPERSET),
        (r"\**", r"\*x", R.SUPERSET),  # a quoted star is a star
        (r"\**", "x", R.DISJOINT),
    ],
)
def test_two_values_relate_as_the_specification_says(source: str, target: str, expected: Relation) -> None:
    assert attribute_relation(source, target) is expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (CpeName("a", "v", "p"), CpeName("a", "v", "p"), R.EQUAL),
        (CpeName("a", "v", "p"), CpeName("a", "v", "p", "1.0", target_sw="windows"), R.SUPERSET),
        (CpeName("a", "v", "p", "1.0"), CpeName("a", "v", "p"), R.SUBSET),
        (
            CpeName("a", "v", "p", "1.0"),
            CpeName("a", "v", "p", "*", "sp1"),
            R.UNDEFINED,
        ),  # wider and narrower
        (CpeName("a", "v", "p", "1.0"), CpeName("a", "v", "q"), R.DISJOINT),
        (CpeName("a", "v", "p", "1.*"), CpeName("a", "v", "p", "1.2"), R.SUPERSET),
        (CpeName("a", "v", "p", "1.2"), CpeName("o", "v", "p", "1.*"), R.DISJOINT),  # one disjoint decides
    ],
)
def test_two_names_relate_by_all_their_attributes(
    source: CpeName, target: CpeName, expected: Relation
) -> None:
    assert relation(source, target) is expected


@given(*[st.tuples(*[st.sampled_from(["*", "-", "a", "b"])] * 3)] * 2)
def test_superset_and_subset_are_mirror_images(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    mirror = {R.SUPERSET: R.SUBSET, R.SUBSET: R.SUPERSET}
    one = relation(CpeName("a", *left), CpeName("a", *right))

    assert relation(CpeName("a", *right), CpeName("a", *left)) is mirror.get(one, one)


@given(
    st.text("ab", min_size=1, max_size=3), st.booleans(), st.booleans(), st.text("ab", min_size=1, max_size=7)
)
def test_stars_match_as_a_shell_would(body: str, before: bool, after: bool, text: str) -> None:
    pattern = "*" * before + body + "*" * after
    expected = fnmatch.fnmatchcase(text, pattern)

    assert (attribute_relation(pattern, text) in (R.SUPERSET, R.EQUAL)) is expected
