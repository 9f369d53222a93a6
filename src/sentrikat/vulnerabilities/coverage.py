"""Which share of new flaws a source describes well enough to judge by: affected products with versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

WINDOW = timedelta(days=30)  # of publication; on the first of a month "this month" would be nothing
OVERALL = "all"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of the CVEs published in the window, how many `source` describes; OVERALL: any source."""

    source: str
    described: int
    published: int

    @property
    def share(self) -> float | None:
        """Give the share 0..1; None where nothing was published."""
        return self.described / self.published if self.published else None


_COVERAGE = text("""
with recent as (
    select id from vulnerability
    where published_at >= :since and published_at <= :now and rejected_at is null and name like 'CVE-%'
), described as (
    select distinct r.vulnerability_id, r.source
    from recent join affected_range r on r.vulnerability_id = recent.id and r.valid_to is null and r.described
)
select (select count(*) from recent) as published, source, count(distinct vulnerability_id) as described
from described group by grouping sets ((source), ())
""")


def coverage_of_new_flaws(session: Session, now: datetime) -> dict[str, Coverage]:
    """Give the coverage by source, and overall; a source that describes none is not named."""
    rows = session.execute(_COVERAGE, {"since": now - WINDOW, "now": now}).all()
    return {
        (row.source or OVERALL): Coverage(row.source or OVERALL, row.described, row.published) for row in rows
    }
