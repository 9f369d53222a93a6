"""CISA BOD 22-01, Reducing the Significant Risk of Known Exploited Vulnerabilities: revoked, kept for history.

It has one rule: repair by the date the KEV catalog prints. BOD 26-04 revoked it on 10 June 2026; who still
reports by it, or looks at a day before, needs it.

Source  https://www.cisa.gov/news-events/directives/bod-22-01-reducing-significant-risk-known-exploited-vulnerabilities
"""

from __future__ import annotations

from datetime import date
from typing import Final

ID: Final = "cisa:BOD2201:1.0.0"
SOURCE: Final = (
    "https://www.cisa.gov/news-events/directives/"
    "bod-22-01-reducing-significant-risk-known-exploited-vulnerabilities"
)
OUTCOME: Final = "by_date"
REVOKED_ON: Final = date(2026, 6, 10)
