"""Facts about flaws over time: known exploitation, decision points, public exploits; and their projection.

Likelihoods, of which there are more than of all these together, are beside this (`likelihoods`).

Who says that a flaw is exploited is kept apart: CISA's catalog (source `kev`) sets `exploited_since`, which BOD 26-04
asks for, ENISA's (`euvd`) sets `enisa_exploited_since`.

Leaves `newly_exploited` (vulnerability_id) for those who tell people of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.row_security import analyze

_ANALYZED_ABOVE = 20_000  # facts: a load of this size changes what the planner should know

_ENRICHMENTS = """
create temporary table resolved_enrichment on commit drop as
select distinct on (v.id, s.kind) v.id as vulnerability_id, s.kind, s.fact
from staged_enrichment s join vulnerability v on v.name = s.vulnerability
order by v.id, s.kind, s.fact::text
"""

_CLOSE_ENRICHMENTS = """
with gone as (
    update enrichment e set valid_to = :now
    from resolved_enrichment n
    where e.vulnerability_id = n.vulnerability_id and e.kind = n.kind and e.source = :source
      and e.valid_to is null and e.fact <> n.fact
    returning e.vulnerability_id
)
insert into changed_enrichment select vulnerability_id from gone
"""

_CLOSE_MISSING_ENRICHMENTS = """
with gone as (
    update enrichment e set valid_to = :now
    where e.source = :source and e.valid_to is null
      and not exists (
        select from resolved_enrichment n where n.vulnerability_id = e.vulnerability_id and n.kind = e.kind)
      and not exists (
        select from seen join vulnerability v on v.name = seen.external_id where v.id = e.vulnerability_id)
    returning e.vulnerability_id
)
insert into changed_enrichment select vulnerability_id from gone
"""

_INSERT_ENRICHMENTS = """
with made as (
    insert into enrichment (vulnerability_id, kind, source, fact, valid_from)
    select n.vulnerability_id, n.kind, :source, n.fact, :now from resolved_enrichment n
    where not exists (
        select from enrichment e
        where e.vulnerability_id = n.vulnerability_id and e.kind = n.kind and e.source = :source
          and e.valid_to is null)
    returning vulnerability_id
)
insert into changed_enrichment select vulnerability_id from made
"""

_KINDS = """
select distinct kind from resolved_enrichment
union select kind from enrichment where source = :source and valid_to = :now
"""

_NEWLY_EXPLOITED = """
insert into newly_exploited
select n.vulnerability_id from resolved_enrichment n join vulnerability v on v.id = n.vulnerability_id
where n.kind = 'kev' and v.exploited_since is null and v.enisa_exploited_since is null
"""

_PROJECT_KEV = """
update vulnerability v set
    exploited_since = (k.fact->>'since')::date, exploited_due = (k.fact->>'due')::date,
    ransomware = coalesce((k.fact->>'ransomware')::boolean, false)
from (
    select c.vulnerability_id, e.fact
    from (select distinct vulnerability_id from changed_enrichment) c
    left join enrichment e on e.vulnerability_id = c.vulnerability_id and e.kind = 'kev' and e.source = 'kev'
        and e.valid_to is null
) as k
where v.id = k.vulnerability_id
  and (v.exploited_since, v.exploited_due, v.ransomware) is distinct from ((k.fact->>'since')::date,
    (k.fact->>'due')::date, coalesce((k.fact->>'ransomware')::boolean, false))
"""

_PROJECT_ENISA = """
update vulnerability v set enisa_exploited_since = (k.fact->>'since')::date
from (
    select c.vulnerability_id, e.fact
    from (select distinct vulnerability_id from changed_enrichment) c
    left join enrichment e on e.vulnerability_id = c.vulnerability_id and e.kind = 'kev' and e.source = 'euvd'
        and e.valid_to is null
) as k
where v.id = k.vulnerability_id and v.enisa_exploited_since is distinct from (k.fact->>'since')::date
"""

_PROJECT_EXPLOIT = """
update vulnerability v set exploit_public = k.public
from (
    select c.vulnerability_id, exists (
        select from enrichment e where e.vulnerability_id = c.vulnerability_id and e.kind = 'exploit'
          and e.valid_to is null) as public
    from (select distinct vulnerability_id from changed_enrichment) c
) as k
where v.id = k.vulnerability_id and v.exploit_public <> k.public
"""

_CLEAR_SSVC = """
update vulnerability v set ssvc_exploitation = null, ssvc_automatable = null, ssvc_technical_impact = null
from (select distinct vulnerability_id from changed_enrichment) c
where v.id = c.vulnerability_id and num_nonnulls(ssvc_exploitation, ssvc_automatable, ssvc_technical_impact) > 0
  and not exists (select from enrichment e where e.vulnerability_id = v.id and e.kind = 'ssvc' and e.valid_to is null)
"""

_PROJECT_SSVC = """
update vulnerability v set ssvc_exploitation = n.fact->>'exploitation',
    ssvc_automatable = (n.fact->>'automatable')::boolean,
    ssvc_technical_impact = n.fact->>'technical_impact'
from resolved_enrichment n where n.kind = 'ssvc' and v.id = n.vulnerability_id
"""


def merge_enrichments(session: Session, source: str, *, complete: bool, now: datetime) -> int:
    """Merge the staged facts of `source`; `complete`: what was not mentioned is no longer said; give how many."""
    session.execute(text(_ENRICHMENTS))
    return merge_facts(session, source, complete=complete, now=now)


def merge_facts(session: Session, source: str, *, complete: bool, now: datetime) -> int:
    """Merge `resolved_enrichment`, as `merge_enrichments` does."""

    def run(statement: str) -> int:
        values = {"source": source, "now": now}
        result: Any = session.execute(
            text(statement), {name: value for name, value in values.items() if f":{name}" in statement}
        )
        return int(result.rowcount)

    session.execute(text("create index on resolved_enrichment (vulnerability_id, kind)"))
    session.execute(text("analyze resolved_enrichment"))
    run(_CLOSE_ENRICHMENTS)
    withdrawn = run(_CLOSE_MISSING_ENRICHMENTS) if complete else 0
    run(_INSERT_ENRICHMENTS)
    session.execute(text("analyze changed_enrichment"))
    changed = session.scalar(text("select count(*) from changed_enrichment")) or 0
    if changed > _ANALYZED_ABOVE:
        analyze(session, "enrichment")
    # Only what this source tells is laid out anew: a list of exploits has nothing to say of likelihoods.
    kinds = set(session.scalars(text(_KINDS), {"source": source, "now": now}))
    if "kev" in kinds:
        run(_NEWLY_EXPLOITED)
        run(_PROJECT_KEV)
        run(_PROJECT_ENISA)
    if "exploit" in kinds:
        run(_PROJECT_EXPLOIT)
    if "ssvc" in kinds:
        run(_CLEAR_SSVC)
        run(_PROJECT_SSVC)
    if changed > _ANALYZED_ABOVE:
        analyze(session, "vulnerability")
    return withdrawn


_FORGET_FACTS = """
with gone as (
    update enrichment set valid_to = :now
    where source = :source and valid_from > :since and valid_to is null returning vulnerability_id
)
insert into changed_enrichment select vulnerability_id from gone
"""

_FACTS_OF_THEN = """
create temporary table resolved_enrichment on commit drop as
select distinct on (vulnerability_id, kind) vulnerability_id, kind, fact from enrichment
where source = :source and valid_from <= :since and valid_to > :since
order by vulnerability_id, kind, valid_from desc
"""


def restore_facts(session: Session, source: str, *, since: datetime, now: datetime) -> None:
    """Say again what `source` said at `since`, and nothing of what it said after."""
    values = {"source": source, "since": since}
    session.execute(text(_FACTS_OF_THEN), values)
    session.execute(text(_FORGET_FACTS), {**values, "now": now})
    merge_facts(session, source, complete=False, now=now)
