"""Findings that a feed's run closed wrongly, taken up again when the run is undone.

They are the same findings with the same age: whoever fixes things keeps the deadline they had.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_REOPEN = """
with last as (
    select distinct on (f.organization_id, f.asset_id, f.component_id, f.vulnerability_id) f.id
    from (select distinct component_id, vulnerability_id from changed_match) s
    join match m on m.component_id = s.component_id and m.vulnerability_id = s.vulnerability_id and m.valid_to is null
    join finding f on f.component_id = s.component_id and f.vulnerability_id = s.vulnerability_id
    where f.closed_at > :since and f.close_reason in ('statement_changed', 'condition_gone')
      and exists (
        select from install i where i.organization_id = f.organization_id and i.asset_id = f.asset_id
          and i.component_id = f.component_id and i.removed_at is null)
      and not exists (
        select from finding o where o.organization_id = f.organization_id and o.asset_id = f.asset_id
          and o.component_id = f.component_id and o.vulnerability_id = f.vulnerability_id and o.closed_at is null)
    order by f.organization_id, f.asset_id, f.component_id, f.vulnerability_id, f.closed_at desc, f.id desc
), back as (
    update finding f set closed_at = null, close_reason = null from last where f.id = last.id
    returning f.organization_id, f.vulnerability_id
), told as (
    insert into event (organization_id, at, kind, vulnerability_id, count, detail)
    select organization_id, :now, 'opened', vulnerability_id, count(*), jsonb_build_object('reason', 'rolled_back')
    from back group by organization_id, vulnerability_id
), to_price as (
    -- What is known of the flaw may have moved while they were closed.
    insert into changed_enrichment select distinct vulnerability_id from back
)
select count(*) from back
"""


def reopen_findings(session: Session, *, since: datetime, now: datetime) -> int:
    """Open again what statements closed after `since` and `changed_match` says holds again; reconcile afterwards."""
    return session.scalar(text(_REOPEN), {"since": since, "now": now}) or 0
