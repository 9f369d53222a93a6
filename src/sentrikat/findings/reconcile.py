"""Findings follow facts: what is installed, what matches, and whether the asset fulfils the conditions.

Two entries, both set-based and both leaving `touched_finding` (id) for `prioritize`:

    reconcile_asset     an asset's components changed
    reconcile_matches   `changed_match` says which (component, flaw) pairs changed, on whatever assets

A finding is opened once per asset, component and flaw, and closed with its reason; it is never deleted, and what
comes back opens anew, so its history stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

# Matches in scope on the assets that have the component now.
_WANTED_OF_ASSET = """
create temporary table wanted on commit drop as
select i.organization_id, i.asset_id, i.component_id, m.vulnerability_id, m.id as match_id, m.verdict,
    m.condition_ids
from install i
join match m on m.component_id = i.component_id and m.valid_to is null
join asset a on a.id = i.asset_id and a.retired_at is null
where i.organization_id = :organization_id and i.asset_id = :asset_id and i.removed_at is null
"""

_WANTED_OF_MATCHES = """
create temporary table wanted on commit drop as
select i.organization_id, i.asset_id, i.component_id, m.vulnerability_id, m.id as match_id, m.verdict,
    m.condition_ids
from (select distinct component_id, vulnerability_id from changed_match) s
join match m on m.component_id = s.component_id and m.vulnerability_id = s.vulnerability_id
    and m.valid_to is null
join install i on i.component_id = s.component_id and i.removed_at is null
join asset a on a.id = i.asset_id and a.retired_at is null
"""

# A condition fails when one of its groups does. A group holds when a platform of it is installed; where the
# inventory cannot tell (hardware, an operating system nobody named) it is assumed (domain.matching.conditions).
_DROP_UNFULFILLED = """
with asked as (
    select distinct w.organization_id, w.asset_id, c.condition_id
    from wanted w cross join lateral unnest(w.condition_ids) as c(condition_id)
), terms as (
    select asked.organization_id, asked.asset_id, asked.condition_id, t.group_number, t.negate,
        exists (
            select from install i
            join component_product cp on cp.component_id = i.component_id and cp.product_id = t.product_id
            where i.organization_id = asked.organization_id and i.asset_id = asked.asset_id
              and i.removed_at is null and cp.version_key >= t.lo and (t.hi is null or cp.version_key < t.hi)
        ) as runs,
        p.ecosystem = 'cpe:h' or (p.ecosystem = 'cpe:o' and not exists (
            select from install i
            join component s on s.id = i.component_id and s.kind = 'os'
            join component_product cp on cp.component_id = s.id
            where i.organization_id = asked.organization_id and i.asset_id = asked.asset_id
              and i.removed_at is null)) as untold
    from asked
    join condition_term t on t.condition_id = asked.condition_id
    join product p on p.id = t.product_id
), groups as (
    select organization_id, asset_id, condition_id, group_number,
        case when bool_or(runs) then not bool_or(negate)
            when bool_or(untold) then true
            else bool_or(negate) end as passes
    from terms group by organization_id, asset_id, condition_id, group_number
), fulfilled as (
    select organization_id, asset_id, condition_id from groups
    group by organization_id, asset_id, condition_id having bool_and(passes)
)
delete from wanted w where w.condition_ids is not null and not exists (
    select from fulfilled f
    where f.organization_id = w.organization_id and f.asset_id = w.asset_id
      and f.condition_id = any(w.condition_ids))
"""

_CLOSE = """
with gone as (
    update finding f set closed_at = :now, close_reason = case
        when exists (select from asset a where a.id = f.asset_id and a.retired_at is not null) then 'asset_retired'
        when exists (
            select from install i where i.organization_id = f.organization_id and i.asset_id = f.asset_id
              and i.component_id = f.component_id and i.removed_at is null)
        then case when exists (
                select from match m where m.component_id = f.component_id
                  and m.vulnerability_id = f.vulnerability_id and m.valid_to is null)
            then 'condition_gone' else 'statement_changed' end
        when exists (
            select from install i join component n on n.id = i.component_id
            join component o on o.id = f.component_id
            where i.organization_id = f.organization_id and i.asset_id = f.asset_id and i.removed_at is null
              and n.kind = o.kind and n.name = o.name and n.id <> o.id)
        then 'upgraded' else 'removed' end
    where f.closed_at is null and {in_scope}
      and not exists (
        select from wanted w
        where w.organization_id = f.organization_id and w.asset_id = f.asset_id
          and w.component_id = f.component_id and w.vulnerability_id = f.vulnerability_id)
    returning f.organization_id, f.asset_id, f.vulnerability_id, f.close_reason
), told as (
    insert into event (organization_id, at, kind, asset_id, count, detail)
    select organization_id, :now, 'closed', {event_asset}, count(*), jsonb_build_object('reason', close_reason)
    from gone group by organization_id, {event_group} close_reason
)
select count(*) from gone
"""

# The match behind a finding may be a newer one with another chosen statement, or another verdict.
_REFRESH = """
with moved as (
    update finding f set match_id = w.match_id, verdict = w.verdict
    from wanted w
    where w.organization_id = f.organization_id and w.asset_id = f.asset_id
      and w.component_id = f.component_id and w.vulnerability_id = f.vulnerability_id
      and f.closed_at is null and (f.match_id, f.verdict) is distinct from (w.match_id, w.verdict)
    returning f.id
)
insert into touched_finding select id from moved
"""

_OPEN = """
with made as (
    insert into finding (organization_id, asset_id, component_id, vulnerability_id, match_id, verdict, opened_at)
    select w.organization_id, w.asset_id, w.component_id, w.vulnerability_id, w.match_id, w.verdict, :now
    from wanted w
    where not exists (
        select from finding f
        where f.organization_id = w.organization_id and f.asset_id = w.asset_id
          and f.component_id = w.component_id and f.vulnerability_id = w.vulnerability_id
          and f.closed_at is null)
    returning id, organization_id, asset_id, vulnerability_id
), told as (
    insert into event (organization_id, at, kind, asset_id, vulnerability_id, count)
    select organization_id, :now, 'opened', {event_asset}, {event_flaw}, count(*)
    from made group by organization_id, {event_open_group}
), touched as (insert into touched_finding select id from made)
select count(*) from made
"""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many findings opened and closed."""

    opened: int
    closed: int


def begin_reconciling(session: Session) -> None:
    """Make the empty table of touched findings; once per transaction."""
    session.execute(text("create temporary table touched_finding (id bigint) on commit drop"))


def reconcile_asset(session: Session, organization_id: int, asset_id: int, *, now: datetime) -> Reconciled:
    """Bring the findings of one asset in line with what it has installed."""
    values = {"organization_id": organization_id, "asset_id": asset_id}
    session.execute(text(_WANTED_OF_ASSET), values)
    return _merge(
        session,
        "f.organization_id = :organization_id and f.asset_id = :asset_id",
        values,
        of_asset=True,
        now=now,
    )


def reconcile_matches(session: Session, *, now: datetime) -> Reconciled:
    """Bring findings in line with the matches named in `changed_match`, on every asset."""
    session.execute(text("analyze changed_match"))
    session.execute(text(_WANTED_OF_MATCHES))
    return _merge(
        session,
        "(f.component_id, f.vulnerability_id) in (select component_id, vulnerability_id from changed_match)",
        {},
        of_asset=False,
        now=now,
    )


def _merge(
    session: Session, in_scope: str, values: dict[str, Any], *, of_asset: bool, now: datetime
) -> Reconciled:
    # One event tells what happened to an asset, or, for a feed's change, what happened with a flaw everywhere.
    words = (
        {
            "event_asset": "asset_id",
            "event_flaw": "null::bigint",
            "event_group": "asset_id,",
            "event_open_group": "asset_id",
        }
        if of_asset
        else {
            "event_asset": "null::bigint",
            "event_flaw": "vulnerability_id",
            "event_group": "",
            "event_open_group": "vulnerability_id",
        }
    )
    session.execute(text("create index on wanted (asset_id, component_id, vulnerability_id)"))
    session.execute(text("analyze wanted"))
    if session.scalar(text("select exists (select from wanted where condition_ids is not null)")):
        session.execute(text(_DROP_UNFULFILLED))
    closed = session.scalar(text(_CLOSE.format(in_scope=in_scope, **words)), {**values, "now": now})
    session.execute(text(_REFRESH))
    opened = session.scalar(text(_OPEN.format(**words)), {"now": now})
    session.execute(text("drop table wanted"))
    return Reconciled(opened=opened or 0, closed=closed or 0)
