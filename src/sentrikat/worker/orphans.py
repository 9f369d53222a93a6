"""Jobs whose worker died: put back into the queue, or given up when they keep killing workers.

procrastinate finds jobs of workers with an old heartbeat, but not those whose worker's row is
already gone (its issue 1518); they would stay "doing" for ever. This sweep takes both.
"""

from __future__ import annotations

import structlog
from sqlalchemy import text

from sentrikat.infra.database.sessions import Database

log = structlog.get_logger()

# Three missed heartbeats of 10 s; a long call into C may hold up one.
STALE_SECONDS = 30

# A job that was running each time its worker died is the likely cause (memory, a crash in C).
MAX_DEATHS = 5

# Each row on its own: a waiting twin of the same queueing lock makes putting back impossible
# and needless, and must not stop the others.
_SWEEP = text("""
do $$
declare orphan record;
begin
    for orphan in
        select job.id, job.attempts, job.queueing_lock from procrastinate_jobs job
        left join procrastinate_workers worker on worker.id = job.worker_id
        where job.status = 'doing'
          and (worker.id is null or worker.last_heartbeat < now() - make_interval(secs => :stale))
        for update of job skip locked
    loop
        if orphan.attempts >= :deaths then
            perform procrastinate_finish_job_v1(orphan.id, 'failed', false);
        elsif orphan.queueing_lock is not null and exists (
            select from procrastinate_jobs
            where queueing_lock = orphan.queueing_lock and status = 'todo'
        ) then
            perform procrastinate_finish_job_v1(orphan.id, 'aborted', false);
        else
            perform procrastinate_retry_job_v2(orphan.id, now(), null, null, null);
        end if;
    end loop;
end $$
""")

_COUNT = text("""
select count(*) from procrastinate_jobs job
left join procrastinate_workers worker on worker.id = job.worker_id
where job.status = 'doing'
  and (worker.id is null or worker.last_heartbeat < now() - make_interval(secs => :stale))
""")


def sweep(database: Database, *, stale_seconds: int = STALE_SECONDS) -> int:
    """Put back the jobs of dead workers; return how many were found."""
    # The queue belongs to the login user, whom neither role may speak for.
    with database.engine.begin() as connection:
        found = connection.execute(_COUNT, {"stale": stale_seconds}).scalar_one()
        if found:
            # A DO block takes no parameters; both are our own integers.
            block = _SWEEP.text.replace(":stale", str(int(stale_seconds))).replace(":deaths", str(MAX_DEATHS))
            connection.exec_driver_sql(block)
            log.warning("jobs of a dead worker put back", jobs=found)
    return int(found)
