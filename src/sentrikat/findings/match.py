"""Matching: one indexed range join from components to statements, restricted to what changed.

The statement below repeats `domain.matching.verdict.judge` for every pair of component and flaw in scope; a
property test holds the two together. Three scopes:

    everything          `match_all`
    some components     `match_components`: identified anew; `match_new`: an inventory brought them, nobody had them
    some statements     `match_statements`: a feed changed `changed_statement` (product, vulnerability)

Current matches in scope that no longer hold are closed, new ones opened; what stays the same is not touched.
`changed_match` (component_id, vulnerability_id) is left for the reconciliation of findings. `match_new` leaves nothing:
what nobody had before is installed on the one asset that reported it. It is one statement without temporary tables,
because making those costs a report more than the matching does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from sentrikat.domain.cpe.target import target_holds
from sentrikat.domain.matching.claim import PARENT_DISTANCE, PARENT_METHODS
from sentrikat.domain.matching.context import read_context

# ruff: noqa: S608  # put together from the constants of this file
# As `Identity.distance` and `module_stream`: an identity by the parent release is heard later, and no stream is ''.
_DISTANCE = f"case when cp.method in {PARENT_METHODS!r} then {PARENT_DISTANCE} else 0 end"
_STREAM = "coalesce(array_to_string((string_to_array(c.module, ':'))[1:2], ':'), '')"

# The covering claims in scope. `judged` leaves out identities that only serve platform conditions.
_COVERING = f"""
select cp.component_id, r.vulnerability_id, r.rank + {_DISTANCE} as rank, r.id as range_id, r.strength, r.described,
    r.condition_id, r.fixed is null as without_fix, cp.context, r.target_id
from {{scope}}
join affected_range r on r.product_id = cp.product_id and r.valid_to is null
    and cp.version_key >= r.lo and (r.hi is null or cp.version_key < r.hi) {{pair}}
join component c on c.id = cp.component_id
where cp.judged
  and (r.module is null or r.module = {_STREAM})
"""

# Afterwards, for inside the join the planner probes the exclusions once for every range.
_EXCLUDED = "x.context = c.context and x.target_id = c.target_id"

# The best-ranked described claims that cover the version, the strongest of their rank; pairs without one fall back
# on claims that name no versions ("review"). One sort over the claims: every row of the first place is one of them.
_DECIDED = """
with placed as (
    select component_id, vulnerability_id, rank, described, strength, range_id, condition_id, without_fix,
        rank() over (partition by component_id, vulnerability_id order by described desc, rank, strength desc)
            as place
    from covering
)
select component_id, vulnerability_id,
    (array_agg(range_id order by without_fix, (condition_id is not null), range_id))[1] as range_id,
    case when min(strength) > 0 then 'affected' else 'unknown' end as verdict,
    case when bool_or(condition_id is null) then null
        else array_agg(distinct condition_id order by condition_id) end as condition_ids,
    min(rank) as rank, bool_and(described) as described
from placed
where place = 1 and strength in (0, 1, 3)
group by component_id, vulnerability_id
"""

# A source heard earlier that describes this product and does not name this version has the last word; for a
# claim without versions, so has any source that describes it.
_SILENCED = f"""
component_product cp, component c, affected_range r
where (k.rank > 0 or not k.described)
  and cp.component_id = k.component_id and cp.judged and c.id = cp.component_id
  and r.product_id = cp.product_id and r.vulnerability_id = k.vulnerability_id and r.valid_to is null
  and r.described and (not k.described or r.rank + {_DISTANCE} < k.rank)
  and (r.module is null or r.module = {_STREAM})
  and (r.target_id is null or not exists (
        select from target_exclusion x where x.context = cp.context and x.target_id = r.target_id))
"""

# The same by tables that stand by themselves: their sizes are counted between the steps, for scopes of any size.
_STEPS = (
    f"delete from covering c using target_exclusion x where {_EXCLUDED}",
    "analyze covering",
    f"create temporary table decided on commit drop as {_DECIDED}",
    "analyze decided",
    f"delete from decided k using {_SILENCED}",
)

# The same as one statement, for components without matches.
_NEW = text(
    f"""
with claim as materialized ({
        _COVERING.format(
            scope="unnest(cast(:ids as bigint[])) s(id) join component_product cp on cp.component_id = s.id",
            pair="",
        )
    }),
covering as (select c.* from claim c where not exists (select from target_exclusion x where {_EXCLUDED})),
decided as materialized ({_DECIDED}),
made as (
    insert into match (component_id, vulnerability_id, verdict, range_id, condition_ids, valid_from)
    select component_id, vulnerability_id, verdict, range_id, condition_ids, :now
    from decided k where not exists (select from {_SILENCED})
    on conflict (component_id, vulnerability_id) where valid_to is null do nothing
    returning id
)
select count(*) from made
"""  # put together from the constants above
)

_CONTEXTS = (
    "select c.context, coalesce(t.newest_target_id, 0) as since, n.newest"
    " from (select distinct context from component_product {scope}) c"
    " left join target_context t on t.context = c.context"
    " cross join (select coalesce(max(id), 0) as newest from platform_target) n"
    " where coalesce(t.newest_target_id, -1) < n.newest"
)
_UNDECIDED = text(_CONTEXTS.format(scope=""))
_UNDECIDED_OF_COMPONENTS = text(_CONTEXTS.format(scope="where component_id = any(cast(:ids as bigint[]))"))

_CLOSE = """
with gone as (
    update match m set valid_to = :now
    where m.valid_to is null and {in_scope}
      and not exists (
        select from decided d
        where d.component_id = m.component_id and d.vulnerability_id = m.vulnerability_id
          and d.verdict = m.verdict and d.range_id = m.range_id
          and d.condition_ids is not distinct from m.condition_ids)
    returning m.component_id, m.vulnerability_id
)
insert into changed_match select component_id, vulnerability_id from gone
"""

_OPEN = """
with made as (
    insert into match (component_id, vulnerability_id, verdict, range_id, condition_ids, valid_from)
    select d.component_id, d.vulnerability_id, d.verdict, d.range_id, d.condition_ids, :now
    from decided d
    where not exists (
        select from match m where m.component_id = d.component_id and m.vulnerability_id = d.vulnerability_id
          and m.valid_to is null)
    returning component_id, vulnerability_id
)
insert into changed_match select component_id, vulnerability_id from made
"""

_RECHECK = text(
    """
with asked as (
    select distinct t.condition_id from condition_term t join product p on p.id = t.product_id
    where t.product_id = any(cast(:products as bigint[])) or (:systems and p.ecosystem = 'cpe:o')
)
insert into changed_match
select distinct m.component_id, m.vulnerability_id
from match m cross join lateral unnest(m.condition_ids) as c(id) join asked on asked.condition_id = c.id
where m.valid_to is null and m.condition_ids is not null
"""
)

_PAIRS_OF_STATEMENTS = """
create temporary table scope_pair on commit drop as
select distinct cp.component_id, s.vulnerability_id
from (select distinct product_id, vulnerability_id from changed_statement) s
join component_product cp on cp.product_id = s.product_id and cp.judged
"""


def begin_matching(session: Session) -> None:
    """Make the empty table of changed matches; once per transaction."""
    session.execute(
        text(
            "create temporary table changed_match (component_id bigint, vulnerability_id bigint) on commit drop"
        )
    )


def match_all(session: Session, *, now: datetime) -> int:
    """Judge every component by every statement; return how many matches came or went."""
    refresh_exclusions(session)
    session.execute(_covering("component_product cp"))
    return _merge(session, "true", now=now)


def match_components(session: Session, component_ids: Sequence[int], *, now: datetime) -> int:
    """Judge these components by every statement."""
    if not component_ids:
        return 0
    refresh_exclusions(session, component_ids)
    session.execute(
        text(
            "create temporary table scope_component on commit drop as select unnest(cast(:ids as bigint[])) as id"
        ),
        {"ids": list(component_ids)},
    )
    session.execute(text("analyze scope_component"))
    session.execute(_covering("scope_component s join component_product cp on cp.component_id = s.id"))
    changed = _merge(session, "m.component_id in (select id from scope_component)", now=now)
    session.execute(text("drop table scope_component"))
    return changed


def match_new(session: Session, component_ids: Sequence[int], *, now: datetime) -> int:
    """Judge components that have just been identified for the first time; give how many matches that made."""
    if not component_ids:
        return 0
    ids = list(component_ids)
    refresh_exclusions(session, ids)
    made: int = session.execute(_NEW, {"ids": ids, "now": now}).scalar_one()
    return made


def match_statements(session: Session, *, now: datetime) -> int:
    """Judge what `changed_statement` touches: these flaws, in components of these products."""
    refresh_exclusions(session)
    session.execute(text(_PAIRS_OF_STATEMENTS))
    session.execute(text("analyze scope_pair"))
    # Another product of the same component may also have a statement about the flaw, so the pair is judged whole.
    session.execute(
        _covering(
            "scope_pair s join component_product cp on cp.component_id = s.component_id",
            "and r.vulnerability_id = s.vulnerability_id",
        )
    )
    changed = _merge(
        session,
        "(m.component_id, m.vulnerability_id) in (select component_id, vulnerability_id from scope_pair)",
        now=now,
    )
    session.execute(text("drop table scope_pair"))
    return changed


def recheck_conditions(session: Session, product_ids: Collection[int], *, systems: bool) -> None:
    """Add to `changed_match` what is subject to conditions that name these products: components came or ceased to be them.

    `systems`: an operating system was among those components, so whether one is known at all may have changed too.
    """
    if product_ids or systems:
        session.execute(_RECHECK, {"products": list(product_ids), "systems": systems})


def decide_everything(session: Session) -> None:
    """Leave `decided`: what holds for every component of the tables in the search path (see findings.scan)."""
    session.execute(_covering("component_product cp"))
    _decide(session)


def _covering(scope: str, pair: str = "") -> TextClause:
    return text(
        "create temporary table covering on commit drop as " + _COVERING.format(scope=scope, pair=pair)
    )


def _decide(session: Session) -> None:
    for step in _STEPS:
        session.execute(text(step))


def _merge(session: Session, in_scope: str, *, now: datetime) -> int:
    _decide(session)
    closed: Any = session.execute(text(_CLOSE.format(in_scope=in_scope)), {"now": now})
    opened: Any = session.execute(text(_OPEN), {"now": now})
    session.execute(text("drop table covering, decided"))
    return int(closed.rowcount + opened.rowcount)


def refresh_exclusions(session: Session, component_ids: Sequence[int] | None = None) -> None:
    """Decide the pairs of component context and statement target that have not been decided yet.

    There are few distinct contexts and targets, so each pair is judged once by the domain and the join only
    looks it up. None: the contexts of every component.
    """
    undecided = (
        session.execute(_UNDECIDED).all()
        if component_ids is None
        else session.execute(_UNDECIDED_OF_COMPONENTS, {"ids": list(component_ids)}).all()
    )
    if not undecided:
        return
    targets = session.execute(
        text("select id, attributes from platform_target where id > :after order by id"),
        {"after": min(row.since for row in undecided)},
    ).all()
    for row in undecided:
        name, family = read_context(row.context)
        excluded = [
            target.id
            for target in targets
            if target.id > row.since
            and target_holds(tuple((key, value) for key, value in target.attributes), name, family) is False
        ]
        session.execute(
            text(
                "insert into target_exclusion (context, target_id)"
                " select :context, unnest(cast(:targets as bigint[])) on conflict do nothing"
            ),
            {"context": row.context, "targets": excluded},
        )
        session.execute(
            text(
                "insert into target_context (context, newest_target_id) values (:context, :newest)"
                " on conflict (context) do update set newest_target_id ="
                " greatest(target_context.newest_target_id, excluded.newest_target_id)"
            ),
            {"context": row.context, "newest": row.newest},
        )
