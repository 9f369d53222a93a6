"""Deadlines and priority of open findings, set-based: at their opening, and again when a fact moves.

The decision tables of `domain.prioritization` are small, so they are laid out whole as rows and joined: one
statement prices a million findings by exactly what the domain decides for one. `packed` repeats the bits of
`domain.prioritization.order.priority_rank`; a test holds the two together.

The policies in force are BOD 26-04 and the service level by severity; the earlier date binds, and BOD 26-04 on a
draw. BOD 22-01 is revoked and only shown for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.prioritization import severity, ssvc
from sentrikat.domain.prioritization.order import tier_of
from sentrikat.domain.prioritization.tables import severity_sla

# From `scope` (asset_id, organization_id, vulnerability_id, opened_at and whatever else is carried along) to `packed`:
# the same rows with their new_policy, new_outcome, new_due_at, new_tier and new_priority.
_DECIDED = """
policy (kev, exposed, automatable, impact, id, outcome, days, tier) as (values {bod}),
sla (severity, id, outcome, days, tier) as (values {sla}),
facts as (
    select s.*, o.time_zone, a.exposure, a.criticality, v.exploited_since, v.ransomware, v.epss, v.cvss_score,
        coalesce(v.exploited_since, v.enisa_exploited_since) as listed_since,
        coalesce(v.exploited_since, (s.opened_at at time zone o.time_zone)::date) as started_on,
        p.id as bod, p.outcome as bod_outcome, p.days as bod_days, p.tier as bod_tier,
        l.id as sla, l.outcome as sla_outcome, l.days as sla_days, l.tier as sla_tier
    from scope s
    join organization o on o.id = s.organization_id
    join asset a on a.id = s.asset_id
    join vulnerability v on v.id = s.vulnerability_id
    join policy p on p.kev = (v.exploited_since is not null) and p.exposed = (a.exposure <> 'internal')
        and p.automatable = coalesce(v.ssvc_automatable::text, '')
        and p.impact = coalesce(v.ssvc_technical_impact, '')
    left join sla l on l.severity = v.severity
), bound as (
    select *, started_on + bod_days as bod_on, started_on + sla_days as sla_on,
        sla_days is not null and (bod_days is null or sla_days < bod_days) as by_sla
    from facts
), priced as (
    select *,
        case when by_sla then sla else bod end as new_policy,
        case when by_sla then sla_outcome else bod_outcome end as new_outcome,
        case when by_sla then sla_tier else bod_tier end as new_tier,
        case when by_sla then sla_on else bod_on end as due_on
    from bound
), timed as (
    select *, (due_on + 1)::timestamp at time zone time_zone as midnight from priced
), packed as (
    -- Where clocks fall back over midnight there are two, and PostgreSQL takes the second: the day ends at the first.
    select *, case when (midnight - interval '1 hour') at time zone time_zone = (due_on + 1)::timestamp
            then midnight - interval '1 hour' else midnight end - interval '1 microsecond' as new_due_at,
        (((listed_since is not null)::int::bigint) << 48)
        | ((coalesce(ransomware, false)::int::bigint) << 47)
        | ((new_tier::bigint) << 44)
        | ((case exposure when 'public' then 2 when 'unknown' then 1 else 0 end::bigint) << 42)
        | ((round(coalesce(epss, 0)::numeric * 100000)::bigint) << 25)
        | ((round(coalesce(cvss_score, 5)::numeric * 10)::bigint) << 18)
        | ((criticality::bigint) << 15)
        -- Without the case, greatest() would take no due date for the latest one: it ignores nulls.
        | (case when due_on is null then 0
            else least(greatest(32767 - (due_on - date '2010-01-01'), 1), 32767) end)::bigint as new_priority
    from timed
)
"""

_PRICE_AGAIN = """
with scope as (
    select f.id, f.organization_id, f.asset_id, f.vulnerability_id, f.opened_at, f.policy as old_policy,
        f.outcome as old_outcome, f.due_at as old_due_at, f.tier as old_tier, f.priority as old_priority
    from {scope} where f.closed_at is null
), {decided}, moved as (
    update finding f set policy = p.new_policy, outcome = p.new_outcome, due_at = p.new_due_at,
        tier = p.new_tier, priority = p.new_priority
    from packed p
    where f.id = p.id and (p.old_policy, p.old_outcome, p.old_due_at, p.old_tier, p.old_priority)
        is distinct from (p.new_policy, p.new_outcome, p.new_due_at, p.new_tier, p.new_priority)
    returning f.id, f.organization_id, p.old_policy, p.new_policy, p.new_outcome, p.old_outcome, p.old_due_at,
        p.new_due_at
), told as (
    insert into deadline_change (organization_id, finding_id, changed_at, policy, outcome, due_at, cause)
    select organization_id, id, :now, new_policy, new_outcome, new_due_at, :cause
    from moved
    where old_policy is not null
      and (old_policy, old_outcome, old_due_at) is distinct from (new_policy, new_outcome, new_due_at)
)
select count(*) from moved
"""

_BECAME_EXPLOITED = """
insert into event (organization_id, at, kind, vulnerability_id, count)
select f.organization_id, :now, 'became_exploited', f.vulnerability_id, count(*)
from finding f
where f.closed_at is null and f.vulnerability_id in (select vulnerability_id from newly_exploited)
group by f.organization_id, f.vulnerability_id
"""


@lru_cache(maxsize=1)
def decided() -> str:
    """Give the SQL that prices: names to follow `scope` in a WITH, the last of them `packed`.

    Findings are opened with their price (findings.reconcile) and priced again by the functions below, so both ask here.
    """
    bod, sla = _tables()
    return _DECIDED.format(bod=bod, sla=sla).strip()


def prioritize_flaws(session: Session, *, now: datetime, cause: str) -> int:
    """Price the findings of flaws named in `changed_enrichment`: facts moved, nothing is matched again."""
    moved = _price(
        session,
        "(select distinct vulnerability_id from changed_enrichment) t"
        " join finding f on f.vulnerability_id = t.vulnerability_id",
        {},
        cause,
        now,
    )
    session.execute(text(_BECAME_EXPLOITED), {"now": now})
    return moved


def prioritize_assets(
    session: Session, organization_id: int, asset_ids: Sequence[int], *, now: datetime, cause: str
) -> int:
    """Price the findings of assets whose exposure or criticality changed."""
    return _price(
        session,
        "(select cast(:organization_id as bigint) as organization_id, unnest(cast(:ids as bigint[])) as asset_id) t"
        " join finding f on f.organization_id = t.organization_id and f.asset_id = t.asset_id",
        {"organization_id": organization_id, "ids": list(asset_ids)},
        cause,
        now,
    )


def prioritize_organization(session: Session, organization_id: int, *, now: datetime, cause: str) -> int:
    """Price every open finding of an organization: its days end at another hour."""
    return _price(
        session,
        "(select cast(:organization_id as bigint) as organization_id) t"
        " join finding f on f.organization_id = t.organization_id",
        {"organization_id": organization_id},
        cause,
        now,
    )


def prioritize_all(session: Session, *, now: datetime, cause: str) -> int:
    """Price every open finding: the tables themselves changed."""
    return _price(session, "finding f", {}, cause, now)


def _price(session: Session, scope: str, values: dict[str, Any], cause: str, now: datetime) -> int:
    statement = _PRICE_AGAIN.format(decided=decided(), scope=scope)
    moved: int = session.execute(text(statement), {**values, "cause": cause, "now": now}).scalar_one()
    return moved


def _tables() -> tuple[str, str]:
    """Give the decision tables as rows of SQL; every value is a constant of the program."""
    bod = []
    for kev in (False, True):
        for exposed in (False, True):
            for automatable in (None, False, True):
                for impact in (None, "partial", "total"):
                    outcome = ssvc.decide(ssvc.Inputs(kev, exposed, automatable, impact))
                    answer = (outcome.policy, outcome.outcome, outcome.days, int(tier_of(outcome)))
                    known = "" if automatable is None else str(automatable).lower()
                    bod.append(_row(kev, exposed, known, impact or "", *answer))
    sla = []
    for word in severity_sla.DAYS:
        level = severity.decide(word)
        if level is not None:
            sla.append(_row(word, level.policy, level.outcome, level.days, int(tier_of(level))))
    return ", ".join(bod), ", ".join(sla)


def _row(*values: bool | int | str | None) -> str:
    return "(" + ", ".join(_literal(value) for value in values) + ")"


def _literal(value: bool | int | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()
