"""Run jobs until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import procrastinate
import structlog
from procrastinate.jobs import Job as QueuedJob

from sentrikat.domain.errors import SentriKatError, Unavailable
from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.jobs import Job, Periodic
from sentrikat.infra.settings import Settings
from sentrikat.reactions import JOBS, SCHEDULE
from sentrikat.worker import orphans

log = structlog.get_logger()

SWEEP_SECONDS = 30
# A stop gives running jobs this long; what is then killed is rolled back and put back.
GRACE_SECONDS = 10
# Kept for the status page and for support; the queue stays small enough to scan.
KEEP_SUCCEEDED_HOURS, KEEP_FAILED_HOURS = 48, 30 * 24
# NOTIFY wakes the worker at once; polling only catches scheduled times and lost notifications.
POLLING_SECONDS = 2.0


class Backoff(procrastinate.BaseRetryStrategy):
    """Try again after waits that double, but not what would fail the same way again."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def get_retry_decision(
        self, *, exception: BaseException, job: QueuedJob
    ) -> procrastinate.RetryDecision | None:
        """Decide on one failure; None gives up."""
        hopeless = isinstance(exception, SentriKatError) and not isinstance(exception, Unavailable)
        if hopeless or job.attempts + 1 >= self._job.max_attempts:
            log.error(
                "job failed", job=job.task_name, number=job.id, args=job.task_kwargs, exc_info=exception
            )
            return None
        wait = self._job.first_wait_seconds * 2**job.attempts
        log.warning("job will be tried again", job=job.task_name, number=job.id, reason=str(exception))
        return procrastinate.RetryDecision(retry_in={"seconds": wait})


def build(database: Database, jobs: Sequence[Job], schedule: Sequence[Periodic]) -> procrastinate.App:
    """Return a procrastinate App that knows `jobs` and their `schedule`."""
    # One connection listens, one fetches, one keeps the heartbeat.
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=conninfo(database.url), min_size=2, max_size=4)
    )
    tasks = {job.name: _register(app, database, job) for job in jobs}
    for number, periodic in enumerate(schedule):
        app.periodic_registry.register_task(
            task=tasks[periodic.job],
            cron=periodic.cron,
            periodic_id=f"{periodic.job}:{number}",
            configure_kwargs={"task_kwargs": dict(periodic.args), "queueing_lock": periodic.queueing_lock},
        )
    return app


def _register(app: procrastinate.App, database: Database, job: Job) -> Any:
    run: Callable[..., None] = job.run

    def perform(timestamp: int | None = None, **args: Any) -> None:
        """Run the job's function, without the tick that procrastinate hands to periodic ones."""
        del timestamp
        with structlog.contextvars.bound_contextvars(job=job.name):
            run(database, **args)

    return app.task(name=job.name, queue=job.queue, retry=Backoff(job))(perform)


async def _housekeeping(app: procrastinate.App, database: Database) -> None:
    """Sweep orphans every half minute, delete finished jobs every hour or so."""
    round_number = 0
    while True:
        await asyncio.to_thread(orphans.sweep, database)
        if round_number % 120 == 0:
            await app.job_manager.delete_old_jobs(nb_hours=KEEP_SUCCEEDED_HOURS)
            await app.job_manager.delete_old_jobs(
                nb_hours=KEEP_FAILED_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
            )
        round_number += 1
        await asyncio.sleep(SWEEP_SECONDS)


async def work(
    database: Database,
    *,
    concurrency: int,
    jobs: Sequence[Job] | None = None,
    schedule: Sequence[Periodic] | None = None,
    until_idle: bool = False,
) -> None:
    """Run jobs until a signal; `until_idle` stops when none is left (tests, first start)."""
    app = build(
        database,
        JOBS if jobs is None else jobs,
        SCHEDULE if schedule is None else schedule,
    )
    async with app.open_async():
        housekeeping = asyncio.create_task(_housekeeping(app, database))
        try:
            await app.run_worker_async(
                concurrency=concurrency,
                wait=not until_idle,
                listen_notify=not until_idle,
                install_signal_handlers=not until_idle,
                shutdown_graceful_timeout=GRACE_SECONDS,
                fetch_job_polling_interval=POLLING_SECONDS,
            )
        finally:
            housekeeping.cancel()


def run(settings: Settings, database_url: str) -> None:
    """Run the worker process until SIGTERM or SIGINT."""
    # Each job needs one connection and may open a second for a short transaction of its own.
    database = Database(
        database_url, application_name="sentrikat worker", pool_size=2 * settings.worker_concurrency + 1
    )
    log.info("worker started", concurrency=settings.worker_concurrency, jobs=len(JOBS))
    try:
        asyncio.run(work(database, concurrency=settings.worker_concurrency))
    finally:
        database.close()
    log.info("worker stopped")


def drain(database: Database, *, jobs: Sequence[Job] | None = None) -> None:
    """Run what is queued now, and what that queues, then return."""
    asyncio.run(work(database, concurrency=1, jobs=jobs, schedule=(), until_idle=True))
