"""The migration runner: complete, repeatable, and safe beside others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.jobs import schema as queue_schema
from sentrikat.migrations import runner


def test_a_second_run_has_nothing_to_do(empty_database_url: str) -> None:
    assert runner.pending(empty_database_url)
    assert runner.upgrade(empty_database_url)
    assert runner.pending(empty_database_url) == []
    assert runner.upgrade(empty_database_url) == []


def test_replicas_that_start_together_migrate_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(3) as replicas:
        applied = list(replicas.map(runner.upgrade, [empty_database_url] * 3))
    assert sorted(map(len, applied))[:2] == [0, 0]
    assert runner.pending(empty_database_url) == []


def test_phases_apply_their_own_part_only(empty_database_url: str) -> None:
    assert all(name.startswith("pre_") for name in runner.upgrade(empty_database_url, "pre"))
    assert all(name.startswith("post_") for name in runner.upgrade(empty_database_url, "post"))
    assert runner.pending(empty_database_url) == []


def test_a_queue_migration_of_a_new_release_is_applied_once(empty_database_url: str) -> None:
    runner.upgrade(empty_database_url)
    latest = queue_schema.migration_files()[-1]
    with psycopg.connect(conninfo(empty_database_url)) as connection:
        connection.execute("delete from queue_migration where name = %s", [latest.name])
    assert runner.pending(empty_database_url) == [f"queue: {latest.name}"]
