"""CISA BOD 26-04, Prioritizing Security Updates Based on Risk, of 10 June 2026: all sixteen rows.

Source  CERT/CC SSVC, namespace cisa, decision table DT_BOD2604 version 1.0.0
        https://github.com/CERTCC/SSVC/blob/main/data/csv/cisa/cisa_bod_26_04_1_0_0.csv
"""

from __future__ import annotations

from typing import Final

ID: Final = "cisa:DT_BOD2604:1.0.0"
SOURCE: Final = "https://github.com/CERTCC/SSVC/blob/main/data/csv/cisa/cisa_bod_26_04_1_0_0.csv"
INPUTS: Final = ("kev", "exposed", "automatable", "technical_impact")

# Most urgent first; days are calendar days, None is "when the system is next upgraded".
OUTCOMES: Final[dict[str, int | None]] = {
    "3_days_forensic": 3,
    "3_days": 3,
    "14_days": 14,
    "60_days": 60,
    "next_upgrade": None,
}

# What stands in where SSVC values are missing.
DEFAULT: Final = "60_days"

ROWS: Final[dict[tuple[bool, bool, bool, str], str]] = {
    # kev, exposed, automatable, technical impact
    (False, False, False, "partial"): "next_upgrade",
    (True, False, False, "partial"): "14_days",
    (False, True, False, "partial"): "60_days",
    (False, False, True, "partial"): "60_days",
    (False, False, False, "total"): "next_upgrade",
    (True, True, False, "partial"): "14_days",
    (True, False, True, "partial"): "14_days",
    (False, True, True, "partial"): "14_days",
    (True, False, False, "total"): "14_days",
    (False, True, False, "total"): "14_days",
    (False, False, True, "total"): "60_days",
    (True, True, True, "partial"): "3_days",
    (True, True, False, "total"): "3_days_forensic",
    (True, False, True, "total"): "3_days_forensic",
    (False, True, True, "total"): "3_days",
    (True, True, True, "total"): "3_days_forensic",
}
