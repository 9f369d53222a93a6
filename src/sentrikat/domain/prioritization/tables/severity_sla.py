"""Service levels by severity: SentriKat's own defaults, no directive behind them.

7, 30, 90 and 180 calendar days are common in contracts. An organization that wants other numbers
passes its own; the id then says so.
"""

from __future__ import annotations

from typing import Final

ID: Final = "sentrikat:SEVERITY_SLA:1.0.0"
SOURCE: Final = "SentriKat documentation, docs/develop/prioritization.md"
DAYS: Final[dict[str, int | None]] = {
    "critical": 7,
    "high": 30,
    "medium": 90,
    "low": 180,
    "none": None,
}
