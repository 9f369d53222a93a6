"""The migration runner: complete, repeatable, and safe beside others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import psycopg
from sqlalchemy import text

from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
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


def test_the_history_of_likelihoods_is_moved_to_their_table(database: Database) -> None:
    move = import_module("sentrikat.migrations.versions.pre_0014_likelihoods")
    with database.as_system() as session:
        session.execute(text("insert into vulnerability (name) values ('CVE-2026-1')"))
        for probability, begin, end in (
            (0.25, "2026-06-01", "2026-06-03"),
            (0.5, "2026-06-03", "2026-06-05"),
        ):
            session.execute(
                text(
                    "insert into enrichment (vulnerability_id, kind, source, fact, valid_from, valid_to)"
                    " select id, 'epss', 'epss', jsonb_build_object('probability', cast(:p as real), 'percentile', 1,"
                    " 'model_version', 'v1', 'scored_on', cast(:begin as text)), cast(:begin as timestamptz),"
                    " cast(:end as timestamptz) from vulnerability"
                ),
                {"p": probability, "begin": begin, "end": end},
            )
        for statement in (move._MOVE, move._ENDED):
            session.execute(text(statement))
        moved = session.execute(
            text("select valid_from::date::text, probability, scored_on::text from likelihood order by 1")
        ).all()

    assert moved == [
        ("2026-06-01", 0.25, "2026-06-01"),
        ("2026-06-03", 0.5, "2026-06-03"),
        ("2026-06-05", None, None),
    ]
