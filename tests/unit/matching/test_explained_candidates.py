"""The words about a candidate of a version that a source names with any update."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Product, Status
from sentrikat.domain.matching.claim import Claim, Identity
from sentrikat.domain.matching.conditions import Platform
from sentrikat.domain.matching.verdict import judge
from sentrikat.domain.ranges import VersionRange, bounds
from sentrikat.domain.versions import Scheme, key
from sentrikat.findings.claims import KnownComponent
from sentrikat.findings.reasoning import verdict_steps

PRODUCT = Product("cpe:a", "acme:shell")
LOW, HIGH = bounds(VersionRange(Scheme.GENERIC, "7.5.0", last_affected="7.5.0", from_candidates=True))
NAMED = Claim(
    1, "CVE-2099-1", "nvd", "CVE-2099-1", 1, PRODUCT, Status.AFFECTED, True, None, Scheme.GENERIC, LOW, HIGH,
    introduced="7.5.0", last_affected="7.5.0",
)  # fmt: skip


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("7.5.0-rc.1", "7.5.0-rc.1 is a pre-release of 7.5.0, which is named with any update of it."),
        ("7.5.0", "7.5.0 lies inside the range in generic order."),
        ("7.4.9", "7.4.9 < 7.5.0 in generic order: the version is before the range."),
    ],
)
def test_the_comparison_says_why_a_candidate_is_meant(version: str, words: str) -> None:
    identity = Identity(PRODUCT, Scheme.GENERIC, version, key(Scheme.GENERIC, version), "likeness", 1.0)
    component = KnownComponent(1, "cpe", "shell", version, None, "certain", (), (identity,))

    steps = verdict_steps(component, judge([identity], [NAMED]), Platform({}, system_known=False))

    assert {step.title: step.text for step in steps}["Comparison"] == words
