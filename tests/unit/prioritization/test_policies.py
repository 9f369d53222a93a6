"""The policies: every row of BOD 26-04, every missing input, BOD 22-01 and the severity levels."""

from __future__ import annotations

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.advisory import Exploitation
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization import catalog, severity
from sentrikat.domain.prioritization.ssvc import Inputs, decide
from sentrikat.domain.prioritization.tables import bod_22_01, bod_26_04, severity_sla

N, Y = False, True


@pytest.mark.parametrize(
    ("kev", "exposed", "automatable", "impact", "outcome", "days"),
    [
        # the sixteen rows, in the order CERT/CC publishes them
        (N, N, N, "partial", "next_upgrade", None),
        (Y, N, N, "partial", "14_days", 14),
        (N, Y, N, "partial", "60_days", 60),
        (N, N, Y, "partial", "60_days", 60),
        (N, N, N, "total", "next_upgrade", None),
        (Y, Y, N, "partial", "14_days", 14),
        (Y, N, Y, "partial", "14_days", 14),
        (N, Y, Y, "partial", "14_days", 14),
        (Y, N, N, "total", "14_days", 14),
        (N, Y, N, "total", "14_days", 14),
        (N, N, Y, "total", "60_days", 60),
        (Y, Y, Y, "partial", "3_days", 3),
        (Y, Y, N, "total", "3_days_forensic", 3),
        (Y, N, Y, "total", "3_days_forensic", 3),
        (N, Y, Y, "total", "3_days", 3),
        (Y, Y, Y, "total", "3_days_forensic", 3),
        # unknown exposure counts as exposed
        (N, None, N, "partial", "60_days", 60),
        (N, None, Y, "total", "3_days", 3),
        (Y, None, N, "total", "3_days_forensic", 3),
        # missing SSVC: the 60-day default
        (N, N, None, None, "60_days", 60),
        (N, Y, None, None, "60_days", 60),
        (N, None, None, None, "60_days", 60),
        (N, N, N, None, "60_days", 60),  # every row says next upgrade, but nobody has looked
        (N, N, None, "total", "60_days", 60),
        (N, Y, N, None, "60_days", 60),
        # but never later than whatever the missing values could make it
        (N, Y, Y, None, "14_days", 14),
        (N, Y, None, "total", "14_days", 14),
        (Y, N, None, None, "14_days", 14),
        (Y, Y, None, None, "14_days", 14),
        (Y, Y, None, "total", "3_days_forensic", 3),  # forensic with either answer
        (Y, Y, Y, None, "3_days", 3),
        # SSVC is published in mixed case
        (N, Y, Y, " Total", "3_days", 3),
    ],
)
def test_bod_26_04_answers(
    kev: bool,
    exposed: bool | None,
    automatable: bool | None,
    impact: str | None,
    outcome: str,
    days: int | None,
) -> None:
    found = decide(Inputs(kev, exposed, automatable, impact))

    assert (found.policy, found.outcome, found.days) == ("cisa:DT_BOD2604:1.0.0", outcome, days)
    assert found.forensic is (outcome == "3_days_forensic")


def test_the_table_has_every_row_once() -> None:
    every = set(itertools.product((N, Y), (N, Y), (N, Y), ("partial", "total")))

    assert set(bod_26_04.ROWS) == every
    assert set(bod_26_04.ROWS.values()) == set(bod_26_04.OUTCOMES)


def test_the_reasons_name_what_was_missing() -> None:
    reasons = decide(Inputs(kev=True)).reasons

    assert reasons == (
        "The flaw is in the KEV catalog.",
        "Whether the asset is exposed is not known, and counts as exposed.",
        "CISA has not stated whether the attack can be automated.",
        "CISA has not stated the technical impact.",
        "Without these values the default is 60 days, but whatever they are, a flaw in KEV has less.",
        "cisa:DT_BOD2604:1.0.0: repair within 14 days.",
    )


def test_nothing_is_called_missing_when_all_is_known() -> None:
    reasons = " ".join(decide(Inputs(N, Y, N, "total")).reasons)

    assert "default" not in reasons
    assert "not known" not in reasons
    assert "The technical impact is total." in reasons


KNOWN = st.none() | st.booleans()


@given(st.booleans(), KNOWN, st.sampled_from([None, "partial", "total"]))
def test_unknown_exposure_is_exposure_and_an_internal_asset_never_has_less_time(
    kev: bool, automatable: bool | None, impact: str | None
) -> None:
    def urgency(exposed: bool | None) -> int:
        return list(bod_26_04.OUTCOMES).index(decide(Inputs(kev, exposed, automatable, impact)).outcome)

    assert urgency(None) == urgency(True) <= urgency(False)


def test_an_impact_that_is_neither_partial_nor_total_is_refused() -> None:
    with pytest.raises(InvalidInput):
        decide(Inputs(N, technical_impact="some"))


def entry(due: date | None) -> Exploitation:
    return Exploitation(date(2026, 2, 2), due, ransomware=False, action="Apply the update.")


def test_bod_22_01_takes_the_date_as_published() -> None:
    found = catalog.decide(entry(date(2026, 2, 23)))

    assert found is not None
    assert (found.policy, found.due_on, found.days) == (bod_22_01.ID, date(2026, 2, 23), None)
    assert "revoked" in found.reasons[-1]


@pytest.mark.parametrize("exploitation", [None, entry(None)])
def test_bod_22_01_says_nothing_without_a_date(exploitation: Exploitation | None) -> None:
    assert catalog.decide(exploitation) is None


@pytest.mark.parametrize(
    ("word", "days"), [("critical", 7), ("High", 30), ("medium", 90), ("low", 180), ("none", None)]
)
def test_a_severity_has_its_default_days(word: str, days: int | None) -> None:
    found = severity.decide(word)

    assert found is not None
    assert (found.policy, found.days) == (severity_sla.ID, days)


def test_an_organizations_own_days_replace_the_default_and_show_in_the_policy() -> None:
    found = severity.decide("high", {"high": 10})

    assert found is not None
    assert (found.policy, found.outcome, found.days) == (f"{severity_sla.ID}+own", "10_days", 10)
    untouched = severity.decide("low", {"high": 10})
    assert untouched is not None
    assert untouched.policy == severity_sla.ID


def test_an_unscored_flaw_has_no_severity_level() -> None:
    assert severity.decide(None) is None


@given(
    st.text(max_size=10), st.dictionaries(st.sampled_from(list(severity_sla.DAYS)), st.none() | st.integers())
)
def test_any_word_is_answered_or_refused(word: str, own: dict[str, int | None]) -> None:
    for each in (word, "critical"):
        try:
            severity.decide(each, own)
        except InvalidInput as refused:
            assert refused.fields  # noqa: PT017 - any other error fails the test
