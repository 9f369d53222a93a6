"""How likely flaws are to be exploited, over time: EPSS, as plain columns of its own.

EPSS scores every flaw there is anew each day, so its facts are the most numerous of all. They are only ever added:
what was said first ends where the next row of the flaw begins, so a day is one insert into one index beside the
projection in `vulnerability`. One source speaks here; a second one would need a column to tell them apart.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.row_security import analyze

SOURCE = "epss"
_ANALYZED_ABOVE = 20_000  # rows: a load of this size changes what the planner should know

# A flaw nobody named before gets its id here, so that its row is written once, with its likelihood. Every percentile
# moves every day; only a moved probability or model is history. Merges run one at a time (`run`): no name comes
# between.
_RESOLVED = """
create temporary table resolved_likelihood on commit drop as
select coalesce(v.id, nextval(pg_get_serial_sequence('vulnerability', 'id'))) as vulnerability_id, v.id is null as fresh,
    v.id is null or (v.epss, v.epss_model) is distinct from (s.probability, s.model_version) as moved,
    s.vulnerability as name, s.probability, s.percentile, s.model_version, s.scored_on
from (
    select distinct on (vulnerability) * from staged_likelihood
    order by vulnerability, probability, percentile, model_version, scored_on
) as s left join vulnerability v on v.name = s.vulnerability
"""

_NEW_VULNERABILITIES = """
insert into vulnerability (id, name, epss, epss_percentile, epss_model)
select vulnerability_id, name, probability, percentile, model_version from resolved_likelihood where fresh
order by name
"""

# In one statement with the history: a set-aside row (`seen`) keeps what is held of it.
_NO_LONGER_GIVEN = """
with gone as (
    update vulnerability v set epss = null, epss_percentile = null, epss_model = null
    where v.epss is not null
      and not exists (select from resolved_likelihood n where n.vulnerability_id = v.id)
      and not exists (select from seen where seen.external_id = v.name)
    returning v.id
), ended as (
    insert into likelihood (vulnerability_id, valid_from) select id, :now from gone
)
insert into changed_enrichment select id from gone
"""

_HISTORY = """
with made as (
    insert into likelihood (vulnerability_id, valid_from, probability, percentile, model_version, scored_on)
    select vulnerability_id, :now, probability, percentile, model_version, scored_on
    from resolved_likelihood where moved order by vulnerability_id
    returning vulnerability_id
)
insert into changed_enrichment select vulnerability_id from made
"""

_PROJECT = """
update vulnerability v
set epss = n.probability, epss_percentile = n.percentile, epss_model = n.model_version
from resolved_likelihood n
where v.id = n.vulnerability_id and not n.fresh
  and (v.epss, v.epss_percentile, v.epss_model) is distinct from (n.probability, n.percentile, n.model_version)
"""

# What was said at a moment, of the flaws of which something else was said since; nothing: no row of then.
_OF_THEN = """
create temporary table resolved_likelihood on commit drop as
select v.id as vulnerability_id, false as fresh,
    (v.epss, v.epss_model) is distinct from (t.probability, t.model_version) as moved,
    t.probability, t.percentile, t.model_version, t.scored_on
from (select distinct vulnerability_id as id from likelihood where valid_from > :since) as since
join vulnerability v on v.id = since.id
left join lateral (
    select probability, percentile, model_version, scored_on from likelihood l
    where l.vulnerability_id = v.id and l.valid_from <= :since order by l.valid_from desc limit 1
) as t on true
"""


def merge_likelihoods(session: Session, *, complete: bool, now: datetime) -> int:
    """Merge `staged_likelihood`; `complete`: a flaw left out has no likelihood any more; give how many."""
    session.execute(text("analyze staged_likelihood"))
    session.execute(text(_RESOLVED))
    session.execute(text("analyze resolved_likelihood"))
    made = _run(session, _NEW_VULNERABILITIES)
    withdrawn = _run(session, _NO_LONGER_GIVEN, now) if complete else 0
    _write(session, now, made)
    return withdrawn


def restore_likelihoods(session: Session, *, since: datetime, now: datetime) -> None:
    """Say again what was said at `since`, of what changed after it."""
    session.execute(text(_OF_THEN), {"since": since})
    session.execute(text("analyze resolved_likelihood"))
    _write(session, now, 0)


def _write(session: Session, now: datetime, made: int) -> None:
    moved = _run(session, _HISTORY, now)
    projected = _run(session, _PROJECT)
    if moved > _ANALYZED_ABOVE:
        analyze(session, "likelihood")
    if made + projected > _ANALYZED_ABOVE:
        analyze(session, "vulnerability")


def _run(session: Session, statement: str, now: datetime | None = None) -> int:
    result: Any = session.execute(text(statement), {"now": now} if now is not None else {})
    return int(result.rowcount)
