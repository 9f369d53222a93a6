"""The figures of the overview: what is exploited here, what is due, what changed, what to do first.

Every figure counts a list that can be opened, and is bounded like it: by COUNT_CAP, or by the findings at the top
of the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.findings.queries import COUNT_CAP, EXPLOITED_PRIORITY


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to do: update a piece of software, and what that closes."""

    what: str
    kind: str
    version: str | None
    assets: int
    closes: int
    exploited: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures of the overview; those marked * count up to COUNT_CAP."""

    assets: int
    silent_assets: int
    exploited_open: int  # vulnerabilities known to be exploited
    exploited_assets: int
    exploited_findings: int
    due_this_week: int  # *
    overdue: int  # *
    findings_open: int  # *
    to_review: int  # *
    opened_since: int  # *
    closed_since: int  # *
    became_exploited_since: int
    fixes: tuple[Fix, ...]


SILENT_AFTER = timedelta(days=2)  # agents report daily; two missed reports are no accident
_FIXES_FROM = 20_000  # findings at the top of the order that are grouped into fixes

_FIGURES = """
select
  (select count(*) from asset where organization_id = :organization_id and retired_at is null) as assets,
  (select count(*) from asset where organization_id = :organization_id and retired_at is null
     and last_report_at < :silent_before) as silent_assets,
  (select count(distinct vulnerability_id) from finding
   where organization_id = :organization_id and closed_at is null and priority >= :exploited) as exploited_open,
  (select count(distinct asset_id) from finding
   where organization_id = :organization_id and closed_at is null and priority >= :exploited) as exploited_assets,
  (select count(*) from finding
   where organization_id = :organization_id and closed_at is null and priority >= :exploited)
     as exploited_findings,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     and due_at >= :now and due_at < :week_end limit :cap) t) as due_this_week,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     and due_at < :now limit :cap) t) as overdue,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     limit :cap) t) as findings_open,
  (select count(*) from (select from finding where organization_id = :organization_id and closed_at is null
     and verdict = 'unknown' limit :cap) t) as to_review,
  (select count(*) from (select from finding where organization_id = :organization_id
     and opened_at >= :since limit :cap) t) as opened_since,
  (select count(*) from (select from finding where organization_id = :organization_id
     and closed_at >= :since limit :cap) t) as closed_since,
  (select count(distinct vulnerability_id) from event where organization_id = :organization_id
     and kind = 'became_exploited' and at >= :since) as became_exploited_since
"""

_FIXES = """
with top as (
    select f.asset_id, f.component_id, f.match_id, f.priority, f.due_at from finding f
    where f.organization_id = :organization_id and f.closed_at is null and f.verdict = 'affected'
    order by f.priority desc, f.id desc limit :top
)
select c.name as what, c.kind, count(distinct t.asset_id) as assets, count(*) as closes,
    count(*) filter (where t.priority >= :exploited) as exploited, min(t.due_at) as due_at,
    (array_agg(r.fixed order by r.hi desc nulls last) filter (where r.fixed is not null))[1] as version
from top t
join component c on c.id = t.component_id
left join match m on m.id = t.match_id
left join affected_range r on r.id = m.range_id
group by c.name, c.kind, c.namespace
order by max(t.priority) desc, count(*) desc, c.name
limit :fixes
"""


def overview(
    session: Session, organization_id: int, now: datetime, since: datetime | None = None
) -> Overview:
    """Give the figures that answer: what is exploited here, what is due, what changed since `since`."""
    values = {
        "organization_id": organization_id,
        "now": now,
        "week_end": now + timedelta(days=7),
        "silent_before": now - SILENT_AFTER,
        "since": since or now - timedelta(days=7),
        "exploited": EXPLOITED_PRIORITY,
        "cap": COUNT_CAP + 1,
    }
    figures = session.execute(text(_FIGURES), values).one()
    fixes = session.execute(
        text(_FIXES),
        {
            "organization_id": organization_id,
            "exploited": EXPLOITED_PRIORITY,
            "top": _FIXES_FROM,
            "fixes": 8,
        },
    )
    return Overview(
        **figures._asdict(),
        fixes=tuple(
            Fix(row.what, row.kind, row.version, row.assets, row.closes, row.exploited, row.due_at)
            for row in fixes
        ),
    )
