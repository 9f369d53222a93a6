"""What a run did, in one line of words."""

from __future__ import annotations

import pytest

from sentrikat.vulnerabilities.canary import Effect, FindingsChange


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        # a catalog fetched anew that says what it said before
        (Effect(records=1_607), "changed no finding and no statement"),
        (
            Effect(statements_opened=3, flaws=2),
            "+0 / -0 findings, 0 exploited; on assets +0 / -0; 0 records withdrawn, +3 / -0 statements about 2 flaws",
        ),
        (
            Effect(findings=FindingsChange(pairs_opened=412, pairs_closed=77, exploited=3, opened=1_200)),
            "+412 / -77 findings, 3 exploited; on assets +1,200 / -0; 0 records withdrawn, +0 / -0 statements about 0 flaws",
        ),
    ],
)
def test_an_effect_is_said_in_one_line(effect: Effect, words: str) -> None:
    assert effect.words() == words
