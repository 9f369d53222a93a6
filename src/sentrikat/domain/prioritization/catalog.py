"""BOD 22-01: the date that the KEV catalog prints is the deadline, for every asset alike."""

from __future__ import annotations

from sentrikat.domain.advisory import Exploitation
from sentrikat.domain.prioritization.outcome import Outcome
from sentrikat.domain.prioritization.tables import bod_22_01 as table


def decide(exploitation: Exploitation | None) -> Outcome | None:
    """Give the catalog's own date as an outcome; None where the catalog has no entry, or no date."""
    if exploitation is None or exploitation.due is None:
        return None
    reasons = (
        f"The flaw is in the KEV catalog since {exploitation.since.isoformat()}.",
        f"The catalog asks for a repair by {exploitation.due.isoformat()}.",
        f"{table.ID} is revoked since {table.REVOKED_ON.isoformat()} and shown for comparison.",
    )
    return Outcome(table.ID, table.OUTCOME, None, reasons, due_on=exploitation.due)
