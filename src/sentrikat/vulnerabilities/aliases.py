"""Names that stand for the same flaw: what sources assert, and statements filed under the CVE they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.row_security import analyze

_ALIASES = """
insert into alias (source, name, alias, feed_run_id)
select distinct :source, name, alias, cast(:run as bigint) from staged_alias on conflict do nothing
"""

# A name without a CVE of its own that some record calls another name of a CVE. One hop through a record that
# knows both (PYSEC says GHSA, GHSA says CVE) is enough: longer chains do not occur in the sources.
# Step by step, with statistics of each: a list of names brings 400,000 pairs, and a planner that guesses at such
# tables joins them row by row.
_STEPS = {
    "staged_name": "select name from staged_alias union select alias from staged_alias",
    # What was called the same before counts too: the link that was missing may have come only now.
    "near_name": "select name from staged_name"
    " union select a.alias from staged_name s join alias a on a.name = s.name"
    " union select a.name from staged_name s join alias a on a.alias = s.name",
    "open_name": "select v.id, v.name from near_name n join vulnerability v on v.name = n.name"
    " where v.name not like 'CVE-%' and v.same_as_id is null",
    "open_pair": "select o.id, a.alias as other from open_name o join alias a on a.name = o.name"
    " union select o.id, a.name from open_name o join alias a on a.alias = o.name",
    "open_cve": "select id, other as cve, 0 as hops from open_pair where other like 'CVE-%'"
    " union select p.id, a.alias, 1 from open_pair p join alias a on a.name = p.other where a.alias like 'CVE-%'"
    " union select p.id, a.name, 1 from open_pair p join alias a on a.alias = p.other where a.name like 'CVE-%'",
}

_SAME_AS = """
update vulnerability v set same_as_id = c.id, same_as_run_id = cast(:run as bigint)
from (select distinct on (id) id, cve from open_cve order by id, hops, cve) as found
join vulnerability c on c.name = found.cve
where v.id = found.id and c.same_as_id is null
returning v.id, c.id
"""

_ANALYZED_ABOVE = 20_000  # pairs


def file_aliases(session: Session, source: str, run_id: int | None) -> int:
    """Keep the staged assertions of `source`; give how many names moved to a CVE because of them."""
    session.execute(text("analyze staged_alias"))
    added: Any = session.execute(text(_ALIASES), {"source": source, "run": run_id})
    if added.rowcount > _ANALYZED_ABOVE:
        analyze(session, "alias")
    return _file_under_the_cve(session, run_id) if added.rowcount else 0


def _file_under_the_cve(session: Session, run_id: int | None) -> int:
    """Move statements and scores of names that turned out to be a CVE's alias to that CVE."""
    for table, query in _STEPS.items():
        session.execute(text(f"drop table if exists pg_temp.{table}"))
        session.execute(text(f"create temporary table {table} on commit drop as {query}"))
        session.execute(text(f"analyze {table}"))
    moved = session.execute(text(_SAME_AS), {"run": run_id}).all()
    if not moved:
        return 0
    pairs = {"old": [row[0] for row in moved], "new": [row[1] for row in moved]}
    session.execute(
        text(
            "with pairs as (select unnest(cast(:old as bigint[])) as old, unnest(cast(:new as bigint[])) as new),"
            " gone as (update affected_range r set vulnerability_id = pairs.new from pairs"
            " where r.vulnerability_id = pairs.old and r.valid_to is null"
            " returning r.product_id, pairs.old, pairs.new)"
            " insert into changed_statement select product_id, old from gone"
            " union select product_id, new from gone"
        ),
        pairs,
    )
    session.execute(
        text(
            "update severity_score s set vulnerability_id = pairs.new from (select"
            " unnest(cast(:old as bigint[])) as old, unnest(cast(:new as bigint[])) as new) pairs"
            " where s.vulnerability_id = pairs.old"
        ),
        pairs,
    )
    session.execute(
        text("insert into touched_score select unnest(cast(:new as bigint[]))"), {"new": pairs["new"]}
    )
    return len(moved)


_UNFILE = """
with pairs as (
    select name as one, alias as other from alias union select alias, name from alias
)
update vulnerability v set same_as_id = null, same_as_run_id = null
from vulnerability c
where c.id = v.same_as_id and v.same_as_run_id = any(cast(:runs as bigint[]))
  and not exists (select from pairs p where p.one = v.name and p.other = c.name)
  and not exists (
    select from pairs p join pairs q on q.one = p.other where p.one = v.name and q.other = c.name)
returning v.id, v.name, c.id
"""


def forget_aliases(session: Session, source: str, run_ids: Sequence[int]) -> None:
    """Drop what `source` first asserted in these runs."""
    session.execute(
        text("delete from alias where source = :source and feed_run_id = any(cast(:runs as bigint[]))"),
        {"source": source, "runs": list(run_ids)},
    )


def unfile(session: Session, run_ids: Sequence[int]) -> int:
    """Move what these runs filed under a CVE back to its own name, where nobody links the two any more.

    Records that call themselves by that name move; what others said under it before cannot be told apart.
    """
    moved = session.execute(text(_UNFILE), {"runs": list(run_ids)}).all()
    if not moved:
        return 0
    values = {
        "own": [row[0] for row in moved],
        "names": [row[1] for row in moved],
        "cve": [row[2] for row in moved],
    }
    lists = (
        "(select unnest(cast(:own as bigint[])) as own, unnest(cast(:names as text[])) as name,"
        " unnest(cast(:cve as bigint[])) as cve)"
    )
    session.execute(
        text(
            f"with gone as (update affected_range r set vulnerability_id = l.own from {lists} l"  # noqa: S608
            " join advisory a on a.external_id = l.name"
            " where r.advisory_id = a.id and r.vulnerability_id = l.cve and r.valid_to is null"
            " returning r.product_id, l.own, l.cve)"
            " insert into changed_statement select product_id, own from gone union select product_id, cve from gone"
        ),
        values,
    )
    session.execute(
        text(
            f"update severity_score s set vulnerability_id = l.own from {lists} l"  # noqa: S608
            " join advisory a on a.external_id = l.name where s.advisory_id = a.id and s.vulnerability_id = l.cve"
        ),
        values,
    )
    session.execute(
        text(
            "insert into touched_score select unnest(cast(:own as bigint[]))"
            " union select unnest(cast(:cve as bigint[]))"
        ),
        {"own": values["own"], "cve": values["cve"]},
    )
    return len(moved)
