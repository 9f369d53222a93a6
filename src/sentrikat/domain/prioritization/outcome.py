"""What a policy answers for one flaw on one asset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Outcome:
    """A policy's word on how soon to repair.

    `policy`   public id of the decision table with its version; stored with every deadline
    `outcome`  the table's word: 3_days_forensic, 14_days, next_upgrade, by_date ...
    `days`     calendar days from the start; None: no fixed number of days
    `due_on`   the date, where the source prints one instead of counting days
    `reasons`  plain sentences: the inputs, which were missing and what stood in for them
    """

    policy: str
    outcome: str
    days: int | None
    reasons: tuple[str, ...]
    due_on: date | None = None

    @property
    def forensic(self) -> bool:
        """Say whether a forensic triage is owed before the repair."""
        return self.outcome.endswith("_forensic")
