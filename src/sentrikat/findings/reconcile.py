"""Findings follow facts: what is installed, what matches, and whether the asset fulfils the conditions.

Two entries, both set-based:

    reconcile_asset     an asset's components changed
    reconcile_matches   `changed_match` says which (component, flaw) pairs changed, on whatever assets

A finding is opened once per asset, component and flaw, with its deadline and place (findings.prioritize), and closed
with its reason; it is never deleted, and what comes back opens anew, so its history stays.

Both are the same steps, put together from the same pieces: `candidate`, the matches in scope on assets that have the
component; `wanted`, those whose conditions the asset fulfils; `held`, the open findings in scope. For an asset they are
one statement, because most of the time of small statements goes into planning them and into making their tables; for
any number of assets they are tables, so that their sizes are known before they are joined.
"""

# ruff: noqa: S608  # put together from the constants of this file

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from sentrikat.findings.prioritize import decided

_CANDIDATE = """
select i.organization_id, i.asset_id, i.component_id, m.vulnerability_id, m.id as match_id, m.verdict,
    m.condition_ids
"""
_OF_ASSET = """
from install i
join match m on m.component_id = i.component_id and m.valid_to is null
join asset a on a.id = i.asset_id and a.retired_at is null
where i.organization_id = :organization_id and i.asset_id = :asset_id and i.removed_at is null
"""
_HELD = """
select f.id, f.organization_id, f.asset_id, f.component_id, f.vulnerability_id, f.match_id, f.verdict
from finding f
"""
_HELD_BY_ASSET = (
    "where f.organization_id = :organization_id and f.asset_id = :asset_id and f.closed_at is null"
)

# Everything on the asset.
_WHOLE = (
    f"{_CANDIDATE} {_OF_ASSET}",
    f"{_HELD} {_HELD_BY_ASSET}",
)

# What changed on it, and what is subject to conditions, if what changed is a platform that any condition names.
_CHANGED = (
    f"""
{_CANDIDATE} {_OF_ASSET} and i.component_id = any(cast(:ids as bigint[]))
union all
{_CANDIDATE} {_OF_ASSET} and m.condition_ids is not null and i.component_id <> all(cast(:ids as bigint[]))
  and exists (
    select from component_product cp join condition_term t on t.product_id = cp.product_id
    where cp.component_id = any(cast(:ids as bigint[])))
""",
    f"""
{_HELD} {_HELD_BY_ASSET} and f.component_id = any(cast(:ids as bigint[]))
union all
{_HELD} join candidate w on w.organization_id = f.organization_id and w.asset_id = f.asset_id
    and w.component_id = f.component_id and w.vulnerability_id = f.vulnerability_id
where f.closed_at is null and w.condition_ids is not null and w.component_id <> all(cast(:ids as bigint[]))
""",
)

_OF_MATCHES = (
    f"""
{_CANDIDATE}
from (select distinct component_id, vulnerability_id from changed_match) s
join match m on m.component_id = s.component_id and m.vulnerability_id = s.vulnerability_id
    and m.valid_to is null
join install i on i.component_id = s.component_id and i.removed_at is null
join asset a on a.id = i.asset_id and a.retired_at is null
""",
    f"""
{_HELD}
join (select distinct component_id, vulnerability_id from changed_match) s
    on s.component_id = f.component_id and s.vulnerability_id = f.vulnerability_id
where f.closed_at is null
""",
)

# A condition fails when one of its groups does. A group holds when a platform of it is installed; where the
# inventory cannot tell (hardware, an operating system nobody named) it is assumed (domain.matching.conditions).
_FULFILLED = """
asked as (
    select distinct w.organization_id, w.asset_id, c.condition_id
    from candidate w cross join lateral unnest(w.condition_ids) as c(condition_id)
), terms as (
    select asked.organization_id, asked.asset_id, asked.condition_id, t.group_number, t.negate,
        case when p.ecosystem = 'update' then upper(p.name) = any(a.held_updates) else exists (
            select from install i
            join component_product cp on cp.component_id = i.component_id and cp.product_id = t.product_id
            where i.organization_id = asked.organization_id and i.asset_id = asked.asset_id
              and i.removed_at is null and cp.version_key >= t.lo and (t.hi is null or cp.version_key < t.hi)
        ) end as runs,
        p.ecosystem = 'cpe:h' or (p.ecosystem = 'cpe:o' and not exists (
            select from install i
            join component s on s.id = i.component_id and s.kind = 'os'
            join component_product cp on cp.component_id = s.id
            where i.organization_id = asked.organization_id and i.asset_id = asked.asset_id
              and i.removed_at is null)) as untold
    from asked
    join condition_term t on t.condition_id = asked.condition_id
    join product p on p.id = t.product_id
    join asset a on a.organization_id = asked.organization_id and a.id = asked.asset_id
), groups as (
    select organization_id, asset_id, condition_id, group_number,
        case when bool_or(runs) then not bool_or(negate)
            when bool_or(untold) then true
            else bool_or(negate) end as passes
    from terms group by organization_id, asset_id, condition_id, group_number
), fulfilled as materialized (
    select organization_id, asset_id, condition_id from groups
    group by organization_id, asset_id, condition_id having bool_and(passes)
)
"""

# In two parts: "unconditional, or there is one" would be looked up row by row, and this is one join.
_WANTED = """
select w.* from candidate w where w.condition_ids is null
union all
select w.* from candidate w where w.condition_ids is not null and exists (
    select from fulfilled f
    where f.organization_id = w.organization_id and f.asset_id = w.asset_id and f.condition_id = any(w.condition_ids))
"""

_CLOSED = """
gone as (
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
        then case when exists (
            -- the same software, of which people have since said what it is
            select from install i join component n on n.id = i.component_id
            join component o on o.id = f.component_id
            where i.organization_id = f.organization_id and i.asset_id = f.asset_id and i.removed_at is null
              and n.kind = o.kind and n.name = o.name and n.version is not distinct from o.version
              and n.corrected is distinct from o.corrected)
            then 'statement_changed' else 'upgraded' end
        else 'removed' end
    from held h
    where f.id = h.id and f.closed_at is null and not exists (
        select from wanted w
        where w.organization_id = h.organization_id and w.asset_id = h.asset_id
          and w.component_id = h.component_id and w.vulnerability_id = h.vulnerability_id)
    returning f.organization_id, f.asset_id, f.vulnerability_id, f.close_reason
), told_closed as (
    insert into event (organization_id, at, kind, asset_id, count, detail)
    select organization_id, :now, 'closed', {event_asset}, count(*), jsonb_build_object('reason', close_reason)
    from gone group by organization_id, {event_group} close_reason
)
"""

# The match behind a finding may be a newer one with another chosen statement, or another verdict. Neither has a part
# in its price.
_MOVE = """
    update finding f set match_id = w.match_id, verdict = w.verdict
    from held h join wanted w on w.organization_id = h.organization_id and w.asset_id = h.asset_id
      and w.component_id = h.component_id and w.vulnerability_id = h.vulnerability_id
    where f.id = h.id and f.closed_at is null and (h.match_id, h.verdict) is distinct from (w.match_id, w.verdict)
"""

# With its price from the beginning: priced afterwards, every row would be written twice, with all its index entries.
_OPENED = """
scope as (
    select w.*, cast(:now as timestamptz) as opened_at from wanted w
    where not exists (
        select from held h
        where h.organization_id = w.organization_id and h.asset_id = w.asset_id
          and h.component_id = w.component_id and h.vulnerability_id = w.vulnerability_id)
), {decided}, made as (
    insert into finding (organization_id, asset_id, component_id, vulnerability_id, match_id, verdict, opened_at,
        policy, outcome, due_at, tier, priority)
    select organization_id, asset_id, component_id, vulnerability_id, match_id, verdict, opened_at,
        new_policy, new_outcome, new_due_at, new_tier, new_priority
    from packed
    returning organization_id, asset_id, vulnerability_id
), told_opened as (
    insert into event (organization_id, at, kind, asset_id, vulnerability_id, count)
    select organization_id, :now, 'opened', {event_asset}, {event_flaw}, count(*)
    from made group by organization_id, {event_open_group}
)
"""

# One event tells what happened to an asset, or, for a feed's change, what happened with a flaw everywhere.
_EVENTS_OF_ASSET = {
    "event_asset": "asset_id",
    "event_flaw": "null::bigint",
    "event_group": "asset_id,",
    "event_open_group": "asset_id",
}
_EVENTS_OF_FLAW = {
    "event_asset": "null::bigint",
    "event_flaw": "vulnerability_id",
    "event_group": "",
    "event_open_group": "vulnerability_id",
}


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many findings opened and closed."""

    opened: int
    closed: int


def reconcile_asset(
    session: Session,
    organization_id: int,
    asset_id: int,
    *,
    now: datetime,
    component_ids: Collection[int] | None = None,
) -> Reconciled:
    """Bring the findings of one asset in line with what it has installed.

    `component_ids` are those it got or lost, where nothing else about it changed. None: look at everything.
    """
    values: dict[str, Any] = {"organization_id": organization_id, "asset_id": asset_id, "now": now}
    if component_ids is not None:
        values["ids"] = list(component_ids)
    row = session.execute(_asset_statement(whole=component_ids is None), values).one()
    return Reconciled(opened=row.opened, closed=row.closed)


@lru_cache(maxsize=2)
def _asset_statement(*, whole: bool) -> TextClause:
    candidate, held = _WHOLE if whole else _CHANGED
    return text(
        f"with candidate as materialized ({candidate}), {_FULFILLED}, wanted as materialized ({_WANTED}),"
        f" held as materialized ({held}), {_CLOSED.format(**_EVENTS_OF_ASSET)}, moved as ({_MOVE}),"
        f" {_OPENED.format(decided=decided(), **_EVENTS_OF_ASSET)}"
        " select (select count(*) from made) as opened, (select count(*) from gone) as closed"
    )


def reconcile_matches(session: Session, *, now: datetime) -> Reconciled:
    """Bring findings in line with the matches named in `changed_match`, on every asset."""
    candidate, held = _OF_MATCHES
    for step in (
        "analyze changed_match",
        f"create temporary table candidate on commit drop as {candidate}",
        f"create temporary table held on commit drop as {held}",
        "create index on held (asset_id, component_id, vulnerability_id)",
        "analyze candidate",
        "analyze held",
        f"create temporary table wanted on commit drop as with {_FULFILLED} {_WANTED}",
        "create index on wanted (asset_id, component_id, vulnerability_id)",
        "analyze wanted",
    ):
        session.execute(text(step))
    closed = 0
    # New flaws have no findings yet: nothing to close, nothing to move.
    if session.scalar(text("select exists (select from held)")):
        closed = session.scalar(
            text(f"with {_CLOSED.format(**_EVENTS_OF_FLAW)} select count(*) from gone"), {"now": now}
        )
        session.execute(text(_MOVE))
    opened = session.scalar(
        text(f"with {_OPENED.format(decided=decided(), **_EVENTS_OF_FLAW)} select count(*) from made"),
        {"now": now},
    )
    session.execute(text("drop table candidate, held, wanted"))
    return Reconciled(opened=opened or 0, closed=closed or 0)
