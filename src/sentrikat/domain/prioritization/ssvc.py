"""BOD 26-04: in KEV? exposed? automatable? partial or total impact? Four answers give the days.

Missing answers

* Exposure is the organization's to know. Unknown counts as exposed.
* Automatable and technical impact come from CISA's SSVC. Missing, the default is 60 days, but never
  later than every row that is still possible: with any SSVC values a flaw in KEV has at most 14 days,
  so it does not get 60 because a feed is late.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization.outcome import Outcome
from sentrikat.domain.prioritization.tables import bod_26_04 as table

_URGENCY = {outcome: rank for rank, outcome in enumerate(table.OUTCOMES)}
_WORDS = {
    "3_days_forensic": "repair within 3 days, after a forensic triage",
    "3_days": "repair within 3 days",
    "14_days": "repair within 14 days",
    "60_days": "repair within 60 days",
    "next_upgrade": "repair when the system is next upgraded",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the table asks. None: not known. `technical_impact` is "partial" or "total", in any case."""

    kev: bool
    exposed: bool | None = None
    automatable: bool | None = None
    technical_impact: str | None = None


def decide(inputs: Inputs) -> Outcome:
    """Give the outcome of BOD 26-04; InvalidInput for an impact that is neither partial nor total."""
    impact = inputs.technical_impact.strip().lower() if inputs.technical_impact is not None else None
    if impact not in (None, "partial", "total"):
        raise InvalidInput(
            f"Technical impact is partial or total, not “{impact}”.",
            fields={"technical_impact": "must be partial or total"},
        )
    exposed = inputs.exposed is not False
    possible = {
        outcome
        for (kev, open_, automatable, harm), outcome in table.ROWS.items()
        if kev == inputs.kev
        and open_ == exposed
        and inputs.automatable in (None, automatable)
        and impact in (None, harm)
    }
    mildest = max(possible, key=_URGENCY.__getitem__)
    missing = inputs.automatable is None or impact is None
    outcome = min(mildest, table.DEFAULT, key=_URGENCY.__getitem__) if missing else mildest
    reasons = (
        "The flaw is in the KEV catalog." if inputs.kev else "The flaw is not in the KEV catalog.",
        _exposure(inputs.exposed),
        _automatable(inputs.automatable),
        "CISA has not stated the technical impact."
        if impact is None
        else f"The technical impact is {impact}.",
        *(_default(outcome, inputs.kev) if missing else ()),
        f"{table.ID}: {_WORDS[outcome]}.",
    )
    return Outcome(table.ID, outcome, table.OUTCOMES[outcome], reasons)


def _exposure(exposed: bool | None) -> str:
    if exposed is None:
        return "Whether the asset is exposed is not known, and counts as exposed."
    return "The asset is publicly exposed." if exposed else "The asset is not publicly exposed."


def _automatable(automatable: bool | None) -> str:
    if automatable is None:
        return "CISA has not stated whether the attack can be automated."
    return "The attack can be automated." if automatable else "The attack cannot be automated."


def _default(outcome: str, kev: bool) -> tuple[str]:
    if outcome == table.DEFAULT:
        return ("Without these values the default is 60 days.",)
    subject = "a flaw in KEV" if kev else "this flaw"
    return (f"Without these values the default is 60 days, but whatever they are, {subject} has less.",)
