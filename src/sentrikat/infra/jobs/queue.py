"""Put a job into the queue, inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.row_security import FIXED_PATH
from sentrikat.infra.database.tenancy import APPLICATION_ROLE, SYSTEM_ROLE

# The application role may not read the queue (arguments of other tenants' jobs), so it calls
# this function of the owner, which uses procrastinate's own.
#
# A waiting job with the same queueing lock makes a second one needless, but only if the
# waiting one starts after this transaction has committed; otherwise it would not see the
# change it is asked to follow. So its row is locked: the worker's fetch (SKIP LOCKED) passes
# it over until then.
# The names put in are constants of this program.
_SIGNATURE = "sentrikat_enqueue(text, text, jsonb, text, text, timestamptz, integer)"
ENQUEUE_FUNCTION = f"""
create or replace function sentrikat_enqueue(
    job_name text, queue text, arguments jsonb, job_queueing_lock text, job_lock text,
    run_at timestamptz, job_priority integer
) returns bigint language plpgsql security definer as $$
declare job bigint;
begin
    loop
        if job_queueing_lock is not null then
            perform from procrastinate_jobs
            where queueing_lock = job_queueing_lock and status = 'todo' for share;
            if found then return null; end if;
        end if;
        begin
            select (procrastinate_defer_jobs_v1(array[row(
                queue, job_name, job_priority, job_lock, job_queueing_lock, arguments, run_at
            )::procrastinate_job_to_defer_v1]))[1] into job;
            return job;
        exception when unique_violation then
            null;  -- another transaction queued it meanwhile and has committed: look again
        end;
    end loop;
end $$;
{FIXED_PATH.format(function=_SIGNATURE)};
revoke all on function {_SIGNATURE} from public;
grant execute on function {_SIGNATURE}
    to {APPLICATION_ROLE}, {SYSTEM_ROLE};
"""  # noqa: S608

_ENQUEUE = text(
    "select sentrikat_enqueue(:name, :queue, cast(:args as jsonb), :queueing_lock, :lock,"
    " cast(:run_at as timestamptz), :priority)"
)


def enqueue(
    session: Session,
    job_name: str,
    *,
    queue: str = "default",
    queueing_lock: str | None = None,
    lock: str | None = None,
    schedule_at: datetime | None = None,
    priority: int = 0,
    **args: Any,
) -> int | None:
    """Queue a job; it runs once the caller's transaction has committed.

    `lock`           jobs of the same lock run one after another, in order
    `queueing_lock`  not queued if one with the same queueing lock already waits
    `priority`       higher runs first
    Return its number, or None if a waiting job already does what is asked.
    """
    parameters = {
        "name": job_name,
        "queue": queue,
        "args": orjson.dumps(args).decode(),
        "queueing_lock": queueing_lock,
        "lock": lock,
        "run_at": schedule_at,
        "priority": priority,
    }
    number: int | None = session.execute(_ENQUEUE, parameters).scalar_one()
    return number
