"""The worker: runs what was queued, tries again, and takes over from the dead."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from sentrikat.domain.errors import InvalidInput, Unavailable
from sentrikat.infra.database import Database
from sentrikat.infra.jobs import Job, Periodic, enqueue
from sentrikat.worker import orphans, run

STATES = text("select task_name, status::text, attempts from procrastinate_jobs order by id")


def _states(database: Database) -> list[tuple[str, str, int]]:
    with database.engine.connect() as connection:
        return [(row.task_name, row.status, row.attempts) for row in connection.execute(STATES)]


def test_a_queued_job_runs_with_its_arguments_and_queues_the_next(database: Database) -> None:
    seen: list[int] = []

    def second(_database: Database, *, asset_id: int) -> None:
        seen.append(asset_id)

    def first(database: Database, *, asset_id: int) -> None:
        with database.as_system() as session:
            enqueue(session, "second", asset_id=asset_id + 1)

    with database.as_system() as session:
        enqueue(session, "first", asset_id=1)
    run.drain(database, jobs=[Job("first", first), Job("second", second)])

    assert seen == [2]
    assert [state for _, state, _ in _states(database)] == ["succeeded", "succeeded"]


def test_trouble_that_may_pass_is_tried_again_later(database: Database) -> None:
    def fetch(_database: Database) -> None:
        raise Unavailable("the feed does not answer")

    with database.as_system() as session:
        enqueue(session, "fetch")
    run.drain(database, jobs=[Job("fetch", fetch)])
    assert _states(database) == [("fetch", "todo", 1)]


def test_wrong_input_is_not_tried_again(database: Database) -> None:
    def ingest(_database: Database) -> None:
        raise InvalidInput("no report")

    with database.as_system() as session:
        enqueue(session, "ingest")
    run.drain(database, jobs=[Job("ingest", ingest)])
    assert [state for _, state, _ in _states(database)] == ["failed"]


def test_a_periodic_job_runs_once_a_tick_however_many_workers_there_are(database: Database) -> None:
    ticks: list[str] = []

    def tick(_database: Database, *, feed: str) -> None:
        ticks.append(feed)

    async def two_workers() -> None:
        every_second = [Periodic("tick", "* * * * * *", {"feed": "kev"}, queueing_lock="tick")]
        workers = [
            asyncio.create_task(
                run.work(database, concurrency=1, jobs=[Job("tick", tick)], schedule=every_second)
            )
            for _ in range(2)
        ]
        await asyncio.sleep(3)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    asyncio.run(two_workers())

    assert set(ticks) == {"kev"}
    queued = text("select count(*), count(distinct args ->> 'timestamp') from procrastinate_jobs")
    with database.engine.connect() as connection:
        jobs, seconds = connection.execute(queued).one()
    assert jobs == seconds >= len(ticks)


def _kill_its_worker(database: Database, *, attempts: int = 0) -> None:
    """Leave the queued jobs as a worker leaves them that was killed in their middle."""
    with database.engine.begin() as connection:
        connection.execute(
            text("update procrastinate_jobs set status = 'doing', attempts = :n where queueing_lock is null"),
            {"n": attempts},
        )


def test_the_job_of_a_dead_worker_is_put_back(database: Database) -> None:
    with database.as_system() as session:
        enqueue(session, "import")
    _kill_its_worker(database)
    assert orphans.sweep(database) == 1
    assert _states(database) == [("import", "todo", 1)]
    assert orphans.sweep(database) == 0


def test_a_job_that_kills_every_worker_is_given_up(database: Database) -> None:
    with database.as_system() as session:
        enqueue(session, "import")
    _kill_its_worker(database, attempts=orphans.MAX_DEATHS)
    orphans.sweep(database)
    assert [state for _, state, _ in _states(database)] == ["failed"]


def test_an_orphan_whose_twin_already_waits_is_dropped(database: Database) -> None:
    with database.as_system() as session:
        enqueue(session, "match", queueing_lock="match")
    with database.engine.begin() as connection:
        connection.execute(text("update procrastinate_jobs set status = 'doing'"))
    with database.as_system() as session:
        enqueue(session, "match", queueing_lock="match")
    orphans.sweep(database)
    assert [state for _, state, _ in _states(database)] == ["aborted", "todo"]


def test_a_waiting_twin_starts_only_after_the_change_it_must_see(database: Database) -> None:
    """Without the row lock the waiting job could run before this transaction commits."""
    with database.as_system() as session:
        enqueue(session, "match", queueing_lock="match")
    fetch = text("select id from procrastinate_fetch_job_v2(null, :w)")
    with database.engine.begin() as connection:
        worker = connection.execute(
            text("insert into procrastinate_workers default values returning id")
        ).scalar_one()
    with database.as_system() as session:
        assert enqueue(session, "match", queueing_lock="match") is None
        with database.engine.begin() as other:
            assert other.execute(fetch, {"w": worker}).scalar_one() is None
    with database.engine.begin() as other:
        assert other.execute(fetch, {"w": worker}).scalar_one() is not None
