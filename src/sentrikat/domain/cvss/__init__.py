"""CVSS: a vector of any version becomes a Score, and of several scores one is preferred.

Source  https://www.first.org/cvss/ (2.0, 3.0, 3.1, 4.0); the arithmetic is the `cvss` library's
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped, unused-ignore]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped, unused-ignore]

from sentrikat.domain.advisory import Score
from sentrikat.domain.errors import InvalidInput

VERSIONS = ("4.0", "3.1", "3.0", "2.0")  # best first

_BASE = {
    "2.0": frozenset({"AV", "AC", "Au", "C", "I", "A"}),
    "3.0": frozenset({"AV", "AC", "PR", "UI", "S", "C", "I", "A"}),
    "3.1": frozenset({"AV", "AC", "PR", "UI", "S", "C", "I", "A"}),
    "4.0": frozenset({"AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"}),
}
_CALCULATORS = {"2.0": CVSS2, "3.0": CVSS3, "3.1": CVSS3, "4.0": CVSS4}
_PREFIX = re.compile(r"CVSS:(3\.0|3\.1|4\.0)/")
_METRIC = re.compile(r"[A-Za-z]{1,3}:[A-Za-z]{1,7}")
_LENGTH_MAX = 400  # the longest real vector, 4.0 with everything, has about 180

# The lowest score of each word, highest first. Version 2 has neither "critical" nor "none": NVD's own bands.
_BANDS = {
    "2.0": ((7.0, "high"), (4.0, "medium"), (0.0, "low")),
    "3": ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"), (0.0, "none")),
}
# CISA-ADP by name and by the id that NVD gives as its source.
_ADP = frozenset({"cisa-adp", "134c704f-9b21-4f2e-91b3-4a467353bcc0"})


def parse(vector: str, provider: str, primary: bool = False) -> Score:
    """Read a vector; InvalidInput when it is none. The score is the base score.

    Threat and environmental metrics stay in the vector as published and do not count: they are
    somebody else's environment. `primary` is how the source marks it.
    """
    text = vector.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]  # version 2 is often published in parentheses
    version, score = _calculate(text)
    return Score(version, text, score, severity(score, version), provider, primary)


def severity(score: float, version: str = "3.1") -> str:
    """Give the word for a score 0.0..10.0: none, low, medium, high or critical."""
    if not 0.0 <= score <= 10.0:
        raise InvalidInput(
            f"{score} is not a CVSS score: it must lie between 0 and 10.", fields={"score": "0..10"}
        )
    bands = _BANDS["2.0" if version == "2.0" else "3"]
    return next(word for lowest, word in bands if score >= lowest)


def preferred(scores: Iterable[Score]) -> Score | None:
    """Give the score to show: the newest version; among equals the primary, then secondary, then CISA-ADP.

    What is still equal is settled by the higher score and then by name, never by the order given.
    """
    return min(scores, key=_preference, default=None)


def _preference(score: Score) -> tuple[int, int, float, str, str]:
    version = VERSIONS.index(score.version) if score.version in VERSIONS else len(VERSIONS)
    whose = 2 if score.provider.lower() in _ADP else 0 if score.primary else 1
    return version, whose, -score.score, score.provider, score.vector


@lru_cache(maxsize=4096)  # 340,000 records carry some 10,000 different vectors
def _calculate(text: str) -> tuple[str, float]:
    prefix = _PREFIX.match(text)
    version = prefix[1] if prefix else "2.0"
    metrics = text[prefix.end() :].split("/") if prefix else text.split("/")
    if len(text) > _LENGTH_MAX or not all(_METRIC.fullmatch(metric) for metric in metrics):
        raise _invalid(text, "it is not a row of metrics")
    base = "/".join(metric for metric in metrics if metric.split(":")[0] in _BASE[version])
    head = prefix[0] if prefix else ""
    try:
        _CALCULATORS[version](text)  # the whole must be good, though only the base counts
        score = float(_CALCULATORS[version](head + base).base_score)
    except CVSSError as reason:
        raise _invalid(text, str(reason)) from reason
    return version, score


def _invalid(text: str, why: str) -> InvalidInput:
    shown = text if len(text) <= 120 else f"{text[:117]}..."
    return InvalidInput(f"“{shown}” is not a CVSS vector: {why}.", fields={"vector": why})
