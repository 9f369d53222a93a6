"""Merge staged records into what is held, set-based, and say what changed.

What changed is left in temporary tables for the rest of the transaction, so that matching touches only that:

    changed_statement (product_id, vulnerability_id)   statements came, went or changed
    changed_enrichment (vulnerability_id)              exploited, likelihood, decision points or score moved
    changed_ecosystem (name)                           first statements about a release or language ecosystem
    changed_name (product_id)                          a product came into the catalogue, or is called otherwise
    newly_exploited (vulnerability_id)                 in a catalog of exploited flaws now, in none before
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.row_security import analyze
from sentrikat.vulnerabilities.aliases import file_aliases
from sentrikat.vulnerabilities.cycles import merge_cycles
from sentrikat.vulnerabilities.enrichments import merge_enrichments
from sentrikat.vulnerabilities.likelihoods import merge_likelihoods
from sentrikat.vulnerabilities.names import merge_names
from sentrikat.vulnerabilities.past import (
    KEEP_ADVISORIES,
    KEEP_NEW_ADVISORIES,
    KEEP_WITHDRAWN,
    KEEP_WORDS,
)
from sentrikat.vulnerabilities.staging import Staging
from sentrikat.vulnerabilities.updates import merge_updates

# Whose words describe a flaw: the lowest rank that has any.
SUMMARY_RANK = {"nvd": 0, "vulnrichment": 1, "osv": 2, "debian": 3, "kev": 4}
LAST_SUMMARY_RANK = 8

CHANGE_TABLES = (
    "create temporary table changed_statement (product_id bigint, vulnerability_id bigint) on commit drop",
    "create temporary table changed_enrichment (vulnerability_id bigint) on commit drop",
    "create temporary table changed_ecosystem (name text) on commit drop",
    "create temporary table changed_name (product_id bigint) on commit drop",
    "create temporary table newly_exploited (vulnerability_id bigint) on commit drop",
)

_WORKING_TABLES = (
    "create temporary table withdrawn_advisory (id bigint) on commit drop",
    "create temporary table touched_score (vulnerability_id bigint) on commit drop",
)

# In the order of their names, which is the one their index grows in.
_NEW_VULNERABILITIES = """
insert into vulnerability (name)
select named.name
from (select name from staged_vulnerability union select vulnerability from staged_enrichment) as named
where not exists (select from vulnerability v where v.name = named.name)
order by named.name
on conflict (name) do nothing
"""

_NEW_PRODUCTS = """
insert into product (ecosystem, name)
select distinct ecosystem, name from (
    select ecosystem, name from staged_statement
    union all select ecosystem, name from staged_term
    union all select ecosystem, name from staged_name
    union all select replacement_ecosystem, replacement from staged_name where replacement is not null
    union all select ecosystem, product from staged_update
) as named
where not exists (select from product p where p.ecosystem = named.ecosystem and p.name = named.name)
on conflict (ecosystem, name) do nothing
"""

_NEW_ECOSYSTEMS = """
with made as (
    insert into ecosystem (name) select distinct ecosystem from staged_statement on conflict do nothing returning name
)
insert into changed_ecosystem select name from made
"""

_NEW_TARGETS = """
insert into platform_target (digest, attributes)
select distinct on (digest) digest, attributes from staged_target on conflict (digest) do nothing
"""

_NEW_CONDITIONS = """
with made as (
    insert into platform_condition (digest, tree)
    select distinct on (digest) digest, tree from staged_condition
    on conflict (digest) do nothing returning id, digest
)
insert into condition_term (condition_id, group_number, negate, product_id, lo, hi)
select made.id, t.group_number, t.negate, p.id, t.lo, t.hi
from made join staged_term t on t.condition = made.digest
join product p on p.ecosystem = t.ecosystem and p.name = t.name
"""

_ADVISORIES = """
insert into advisory (source, external_id, digest, document, modified_at, received_at, withdrawn_at)
select :source, external_id, digest, document, modified_at, :now, case when withdrawn then :now end
from staged_advisory
on conflict (source, external_id) do update set digest = excluded.digest, document = excluded.document,
    modified_at = excluded.modified_at, received_at = excluded.received_at,
    withdrawn_at = excluded.withdrawn_at
"""

# Without its digest, so that the same record counts as new should it come back.
_WITHDRAW_UNSEEN = """
with gone as (
    update advisory a set withdrawn_at = :now, digest = ''
    where a.source = :source and a.withdrawn_at is null
      and not exists (select from seen where seen.external_id = a.external_id)
    returning a.id
)
insert into withdrawn_advisory select id from gone
"""

# Statements of one staged advisory, with ids for names. A flaw that turned out to be another one's alias
# keeps its statements there.
_RESOLVED = """
create temporary table resolved_statement on commit drop as
select a.id as advisory_id, coalesce(v.same_as_id, v.id) as vulnerability_id, p.id as product_id, s.digest,
    pt.id as target_id, pc.id as condition_id, s.status, s.described, s.remedy, s.scheme, s.lo, s.hi,
    s.introduced, s.introduced_excluded, s.fixed, s.last_affected, s.rank, s.strength, s.module, s.note
from staged_statement s
join advisory a on a.source = :source and a.external_id = s.external_id
join vulnerability v on v.name = s.vulnerability
join product p on p.ecosystem = s.ecosystem and p.name = s.name
left join platform_target pt on pt.digest = s.target
left join platform_condition pc on pc.digest = s.condition
"""

_WITHDRAW_NAMED = """
with gone as (
    update advisory a set withdrawn_at = :now, digest = ''
    from withdraw_advisory w where a.id = w.id and a.digest <> ''
    returning a.id
)
insert into withdrawn_advisory select id from gone
"""

_CLOSE_STATEMENTS = """
with gone as (
    update affected_range r set valid_to = :now
    from staged_advisory sa join advisory a on a.source = :source and a.external_id = sa.external_id
    where r.advisory_id = a.id and r.valid_to is null
      and not exists (
        select from resolved_statement n
        where n.advisory_id = r.advisory_id and n.vulnerability_id = r.vulnerability_id
          and n.product_id = r.product_id and n.digest = r.digest)
    returning r.product_id, r.vulnerability_id
)
insert into changed_statement select distinct product_id, vulnerability_id from gone
"""

_CLOSE_WITHDRAWN = """
with gone as (
    update affected_range r set valid_to = :now
    from withdrawn_advisory a where r.advisory_id = a.id and r.valid_to is null
    returning r.product_id, r.vulnerability_id
)
insert into changed_statement select distinct product_id, vulnerability_id from gone
"""

_INSERT_STATEMENTS = """
with made as (
    insert into affected_range (product_id, vulnerability_id, advisory_id, source, status, described, remedy,
        scheme, lo, hi, introduced, introduced_excluded, fixed, last_affected, rank, strength, target_id,
        module, note, condition_id, digest, valid_from)
    select n.product_id, n.vulnerability_id, n.advisory_id, :source, n.status, n.described, n.remedy, n.scheme,
        n.lo, n.hi, n.introduced, n.introduced_excluded, n.fixed, n.last_affected, n.rank, n.strength,
        n.target_id, n.module, n.note, n.condition_id, n.digest, :now
    from resolved_statement n
    where not exists (
        select from affected_range r
        where r.advisory_id = n.advisory_id and r.vulnerability_id = n.vulnerability_id
          and r.product_id = n.product_id and r.digest = n.digest and r.valid_to is null)
    returning product_id, vulnerability_id
)
insert into changed_statement select distinct product_id, vulnerability_id from made
"""

_SUMMARIES = """
update vulnerability v set
    title = coalesce(s.title, v.title), description = coalesce(s.description, v.description),
    published_at = coalesce(s.published_at, v.published_at),
    modified_at = coalesce(s.modified_at, v.modified_at),
    rejected_at = case when s.rejected then coalesce(v.rejected_at, :now) end,
    weaknesses = case when s.weaknesses = '{}' then v.weaknesses else s.weaknesses end,
    links = case when s.links = '{}' then v.links else s.links end,
    -- Who gives dates only does not stand in the way of a later source that has words.
    summary_source = case when s.worded then :source else v.summary_source end,
    summary_rank = case when s.worded then :summary_rank else v.summary_rank end
from (
    select distinct on (name) *, (description is not null or title is not null or rejected) as worded
    from staged_vulnerability order by name, rejected desc, (description is null), external_id
) as s
where v.name = s.name and v.summary_rank >= :summary_rank
  and (s.worded or v.summary_rank = 99)
"""

_CLEAR_SCORES = """
with gone as (
    delete from severity_score s using (
        select a.id from staged_advisory sa
        join advisory a on a.source = :source and a.external_id = sa.external_id
        union all select id from withdrawn_advisory
    ) as a
    where s.advisory_id = a.id returning s.vulnerability_id
)
insert into touched_score select distinct vulnerability_id from gone
"""

_INSERT_SCORES = """
with made as (
insert into severity_score (vulnerability_id, advisory_id, version, vector, score, severity, provider, is_primary)
select distinct coalesce(v.same_as_id, v.id), a.id, s.version, s.vector, s.score, s.severity, s.provider, s.is_primary
from staged_score s
join vulnerability v on v.name = s.vulnerability
join advisory a on a.source = :source and a.external_id = s.external_id
returning vulnerability_id
)
insert into touched_score select distinct vulnerability_id from made
"""

# The order of domain.cvss.preferred: newest version of CVSS, then the primary score, CISA-ADP's last, then the
# higher one. A flaw whose last score was taken back has none.
PREFERRED_SCORES = """
with preferred as (
    select distinct on (t.vulnerability_id) t.vulnerability_id, s.score, s.version, s.vector, s.provider, s.severity
    from (select distinct vulnerability_id from touched_score) t
    left join severity_score s on s.vulnerability_id = t.vulnerability_id
    order by t.vulnerability_id, s.version desc nulls last,
        case when lower(s.provider) in ('cisa-adp', '134c704f-9b21-4f2e-91b3-4a467353bcc0') then 2
            when s.is_primary then 0 else 1 end,
        s.score desc, s.provider collate "C", s.vector collate "C", s.id
), moved as (
    update vulnerability v set cvss_score = p.score, cvss_version = p.version, cvss_vector = p.vector,
        cvss_provider = p.provider, severity = p.severity
    from preferred p
    where v.id = p.vulnerability_id
      and (v.cvss_score, v.cvss_vector, v.cvss_provider) is distinct from (p.score, p.vector, p.provider)
    returning v.id
)
insert into changed_enrichment select id from moved
"""

# What a host reported of its own packages stands, and so does what was learned first.
_BUILT_FROM = """
insert into package_source (namespace, binary_name, source_name, learned_from)
select distinct on (s.release, s.binary_name) s.release, s.binary_name, s.package, cast(:source as text)
from staged_built_from s
order by s.release, s.binary_name, s.package
on conflict (namespace, binary_name) do nothing
"""

_STAGED_KEYS = {
    "staged_vulnerability": "name",
    "staged_statement": "external_id",
    "staged_advisory": "external_id",
    "staged_enrichment": "vulnerability",
    "seen": "external_id",
}

_ANALYZED_ABOVE = 20_000  # statements: a load of this size changes what the planner should know


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did. `changed_statements` and `changed_enrichments` say whether matching has anything to do.

    `at` is the moment its facts bear: what follows from them must not be older. `since` is set by a rollback: what
    followed from statements after that moment was wrong.
    """

    added: int
    changed: int
    withdrawn: int
    statements: int
    changed_statements: int
    changed_enrichments: int
    statements_closed: int = 0
    facts_withdrawn: int = 0
    at: datetime | None = None
    since: datetime | None = None
    changed_names: int = 0
    changed_updates: int = 0
    changed_cycles: int = 0


def create_change_tables(session: Session) -> None:
    """Make the empty tables that say what changed; every scope of matching starts from them."""
    for statement in CHANGE_TABLES:
        session.execute(text(statement))


def merge(
    session: Session,
    staging: Staging,
    *,
    complete: bool,
    now: datetime,
    run_id: int | None = None,
    undoable: bool = False,
    withdraw: Sequence[int] = (),
) -> Merged:
    """Merge a run's staged records; `complete`: what the run did not mention was withdrawn.

    `undoable` keeps what is replaced, for a rollback of the run `run_id`; `withdraw` are advisories taken back.
    """
    staging.finish()
    values: dict[str, Any] = {
        "source": staging.source,
        "now": now,
        "run": run_id,
        "summary_rank": SUMMARY_RANK.get(staging.source, LAST_SUMMARY_RANK),
    }

    def run(statement: str) -> int:
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        result: Any = session.execute(text(statement), wanted)
        return int(result.rowcount)

    create_change_tables(session)
    for table in _WORKING_TABLES:
        session.execute(text(table))
    # Fresh rows have no statistics, neither here nor in the stored tables, and a nested loop over two unindexed
    # sides is quadratic: with indexes every plan the planner may choose is bearable.
    for table, column in _STAGED_KEYS.items():
        session.execute(text(f"create index on {table} ({column})"))
        session.execute(text(f"analyze {table}"))
    run(_NEW_VULNERABILITIES)
    run(_NEW_PRODUCTS)
    run(_NEW_ECOSYSTEMS)
    run(_NEW_TARGETS)
    run(_NEW_CONDITIONS)
    before = (
        session.scalar(
            text(
                "select count(*) from advisory a join staged_advisory s on s.external_id = a.external_id"
                " where a.source = :source"
            ),
            {"source": staging.source},
        )
        or 0
    )
    if undoable:
        run(KEEP_ADVISORIES)
    staged = run(_ADVISORIES)
    if undoable:
        run(KEEP_NEW_ADVISORIES)
    withdrawn = run(_WITHDRAW_UNSEEN) if complete and staging.has_advisory else 0
    if withdraw:
        session.execute(
            text(
                "create temporary table withdraw_advisory on commit drop as"
                " select unnest(cast(:ids as bigint[])) as id"
            ),
            {"ids": list(withdraw)},
        )
        withdrawn += run(_WITHDRAW_NAMED)
    if withdrawn and undoable:
        run(KEEP_WITHDRAWN)
    file_aliases(session, staging.source, run_id)
    run(_RESOLVED)
    session.execute(text("create index on resolved_statement (advisory_id, vulnerability_id, product_id)"))
    session.execute(text("analyze resolved_statement"))
    closed = run(_CLOSE_STATEMENTS)
    if withdrawn:
        closed += run(_CLOSE_WITHDRAWN)
    statements = run(_INSERT_STATEMENTS)
    if undoable:
        run(KEEP_WORDS)
    run(_SUMMARIES)
    run(_CLEAR_SCORES)
    run(_INSERT_SCORES)
    run(PREFERRED_SCORES)
    facts_withdrawn = 0
    if staging.has_enrichment:
        facts_withdrawn = merge_enrichments(session, staging.source, complete=complete, now=now)
    if staging.has_likelihood:
        facts_withdrawn += merge_likelihoods(session, complete=complete, now=now)
    changed_updates = merge_updates(session, staging, now=now)
    changed_names = merge_names(session, staging.source) if staging.has_names else 0
    run(_BUILT_FROM)
    changed_cycles = merge_cycles(session, staging.source, now=now) if staging.has_cycles else 0
    if statements > _ANALYZED_ABOVE:
        for table in ("affected_range", "vulnerability", "product", "advisory", "condition_term"):
            analyze(session, table)
    session.execute(text("analyze changed_statement"))
    session.execute(text("analyze changed_enrichment"))
    return Merged(
        added=staged - before,
        changed=before,
        withdrawn=withdrawn,
        statements=statements,
        changed_statements=session.scalar(text("select count(*) from changed_statement")) or 0,
        changed_enrichments=session.scalar(
            text("select count(distinct vulnerability_id) from changed_enrichment")
        )
        or 0,
        statements_closed=closed,
        facts_withdrawn=facts_withdrawn,
        at=now,
        changed_names=changed_names,
        changed_updates=changed_updates,
        changed_cycles=changed_cycles,
    )
