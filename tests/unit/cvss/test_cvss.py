"""CVSS vectors: published scores, refusals, and which of several scores is shown."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.advisory import Score
from sentrikat.domain.cvss import parse, preferred, severity
from sentrikat.domain.errors import InvalidInput

LOG4SHELL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"
FOUR = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("vector", "version", "score", "word"),
    [
        (LOG4SHELL, "3.1", 10.0, "critical"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "3.0", 6.1, "medium"),
        ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", "3.1", 0.0, "none"),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "2.0", 7.5, "high"),
        ("(AV:N/AC:M/Au:N/C:C/I:C/A:C)", "2.0", 9.3, "high"),  # version 2 knows no "critical"
        (FOUR, "4.0", 9.3, "critical"),
        (FOUR + "/E:U/CR:L", "4.0", 9.3, "critical"),  # other people's circumstances do not count
        (LOG4SHELL + "/E:U/RL:O", "3.1", 10.0, "critical"),
    ],
)
def test_a_vector_has_the_published_base_score(vector: str, version: str, score: float, word: str) -> None:
    found = parse(vector, "NVD", primary=True)

    assert (found.version, found.score, found.severity) == (version, score, word)
    assert found.vector == vector.strip("()")
    assert (found.provider, found.primary) == ("NVD", True)


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "9.8",
        "AV:N",  # mandatory metrics are missing
        "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",  # no such value
        LOG4SHELL + "/AV:N",  # twice
        LOG4SHELL.replace("3.1", "3.2"),
        LOG4SHELL.replace("3.1", "4.0"),
        LOG4SHELL + "/",
        LOG4SHELL + "/E:" + "U" * 500,
        "CVSS:3.1/" * 100,
        FOUR + "/ZZ:N",
    ],
)
def test_what_is_no_vector_is_refused(vector: str) -> None:
    with pytest.raises(InvalidInput):
        parse(vector, "NVD")


METRICS = [
    "AV:N",
    "AC:L",
    "Au:N",
    "C:P",
    "I:P",
    "A:P",
    "PR:N",
    "UI:N",
    "S:C",
    "C:H",
    "I:H",
    "A:H",
    "VC:H",
    "E:X",
]
ROWS = st.lists(st.sampled_from(METRICS)).map("/".join)
HEADS = st.sampled_from(["", "CVSS:3.0/", "CVSS:3.1/", "CVSS:4.0/"])


@given(st.text(max_size=40) | st.builds(str.__add__, HEADS, ROWS))
def test_any_text_is_a_score_or_refused(vector: str) -> None:
    try:
        score = parse(vector, "x")
    except InvalidInput:
        return
    assert 0.0 <= score.score <= 10.0


@pytest.mark.parametrize(
    ("score", "version", "word"),
    [
        (0.0, "3.1", "none"),
        (0.1, "3.1", "low"),
        (3.9, "3.1", "low"),
        (4.0, "3.1", "medium"),
        (6.9, "3.0", "medium"),
        (7.0, "3.1", "high"),
        (8.9, "4.0", "high"),
        (9.0, "4.0", "critical"),
        (10.0, "4.0", "critical"),
        (0.0, "2.0", "low"),
        (6.9, "2.0", "medium"),
        (10.0, "2.0", "high"),
    ],
)
def test_the_word_follows_the_bands_of_its_version(score: float, version: str, word: str) -> None:
    assert severity(score, version) == word


@pytest.mark.parametrize("score", [-0.1, 10.1, float("nan"), float("inf")])
def test_a_score_outside_the_scale_is_refused(score: float) -> None:
    with pytest.raises(InvalidInput):
        severity(score)


def score(version: str, provider: str, *, primary: bool = False, value: float = 5.0) -> Score:
    return Score(version, "v", value, "medium", provider, primary)


RANKED = [
    score("4.0", "CISA-ADP"),  # the version comes first
    score("3.1", "NVD", primary=True, value=9.0),
    score("3.1", "vendor", primary=True, value=3.0),  # two primaries: the higher score
    score("3.1", "vendor", value=10.0),
    score("3.1", "134c704f-9b21-4f2e-91b3-4a467353bcc0", primary=True),  # CISA-ADP, whatever it is marked as
    score("3.0", "NVD", primary=True),
    score("2.0", "NVD", primary=True, value=10.0),
]


def test_the_first_of_the_ranking_wins_in_any_order() -> None:
    for better, worse in itertools.combinations(RANKED, 2):
        assert preferred([better, worse]) is better
        assert preferred([worse, better]) is better


def test_nothing_is_preferred_of_nothing() -> None:
    assert preferred([]) is None
