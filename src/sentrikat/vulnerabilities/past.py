"""What a run replaces, kept so that the run can be undone: documents of advisories, and the words of flaws.

Statements and facts need no such copy, their own rows keep what was said before. Kept as long as the setting says;
without it a run can no longer be undone.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# What was withdrawn by being left out is not there: no document.
KEEP_ADVISORIES = """
insert into advisory_past (feed_run_id, advisory_id, document)
select :run, a.id, case when a.digest <> '' then a.document end
from staged_advisory s join advisory a on a.source = :source and a.external_id = s.external_id
"""

KEEP_NEW_ADVISORIES = """
insert into advisory_past (feed_run_id, advisory_id, document)
select :run, a.id, null
from staged_advisory s join advisory a on a.source = :source and a.external_id = s.external_id
where not exists (select from advisory_past p where p.feed_run_id = :run and p.advisory_id = a.id)
"""

KEEP_WITHDRAWN = """
insert into advisory_past (feed_run_id, advisory_id, document)
select :run, a.id, a.document from withdrawn_advisory w join advisory a on a.id = w.id
"""

KEEP_WORDS = """
insert into words_past (feed_run_id, vulnerability_id, words)
select :run, v.id, jsonb_build_object('title', v.title, 'description', v.description,
    'summary_source', v.summary_source, 'summary_rank', v.summary_rank, 'published_at', v.published_at,
    'modified_at', v.modified_at, 'rejected_at', v.rejected_at, 'weaknesses', to_jsonb(v.weaknesses),
    'links', to_jsonb(v.links))
from vulnerability v
where v.name in (select name from staged_vulnerability) and v.summary_rank >= :summary_rank
"""

# The first words kept since are those of before the first of the runs.
RESTORE_WORDS = """
update vulnerability v set
    title = w.words->>'title', description = w.words->>'description',
    summary_source = w.words->>'summary_source', summary_rank = (w.words->>'summary_rank')::smallint,
    published_at = (w.words->>'published_at')::timestamptz, modified_at = (w.words->>'modified_at')::timestamptz,
    rejected_at = (w.words->>'rejected_at')::timestamptz,
    weaknesses = array(select jsonb_array_elements_text(w.words->'weaknesses')),
    links = array(select jsonb_array_elements_text(w.words->'links'))
from (
    select distinct on (vulnerability_id) vulnerability_id, words from words_past
    where feed_run_id = any(cast(:undone as bigint[])) order by vulnerability_id, feed_run_id, id
) as w
where v.id = w.vulnerability_id
  -- A better-placed source that spoke since keeps its word.
  and (v.summary_source is not distinct from :source
       or v.summary_source is not distinct from w.words->>'summary_source')
"""


def forget_past(session: Session, before: datetime) -> None:
    """Give up undoing the runs that began before then, and the room that takes."""
    session.execute(
        text("update feed_run set undoable = false, state = null where undoable and started_at < :before"),
        {"before": before},
    )
    for table in ("advisory_past", "words_past"):
        session.execute(
            text(
                f"delete from {table} where feed_run_id in"  # noqa: S608
                " (select id from feed_run where not undoable and started_at < :before)"
            ),
            {"before": before},
        )
