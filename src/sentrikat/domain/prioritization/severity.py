"""Service levels by severity word: SentriKat's defaults, or an organization's own days."""

from __future__ import annotations

from collections.abc import Mapping

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization.outcome import Outcome
from sentrikat.domain.prioritization.tables import severity_sla as table


def decide(severity: str | None, own_days: Mapping[str, int | None] | None = None) -> Outcome | None:
    """Give the days for a severity: critical, high, medium, low or none. None where nobody scored the flaw.

    `own_days` replaces the defaults word by word; None as its value means no deadline for that word.
    """
    if severity is None:
        return None
    word = severity.lower()
    if word not in table.DAYS:
        raise InvalidInput(
            f"“{severity[:40]}” is not a severity: use {', '.join(table.DAYS)}.",
            fields={"severity": "unknown word"},
        )
    own = own_days is not None and word in own_days
    days = own_days[word] if own_days is not None and own else table.DAYS[word]
    if days is not None and days < 0:
        raise InvalidInput(f"{days} days for {word} is not possible.", fields={word: "must be 0 or more"})
    policy = f"{table.ID}+own" if own else table.ID
    within = f"repair within {days} days" if days is not None else "no deadline"
    whose = "The organization's own service level" if own else "The default service level"
    reasons = (f"The severity is {word}.", f"{whose}: {within}.")
    return Outcome(policy, f"{days}_days" if days is not None else "no_deadline", days, reasons)
