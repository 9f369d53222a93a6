"""Budgets of requests: exact in a burst, over time, and over processes."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sentrikat.identity.budgets import Budget, Taken, purge, take
from sentrikat.infra.database import Database

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


def ask(database: Database, budget: Budget, at: datetime = NOON, client: str = "api:key:1") -> Taken:
    with database.as_system() as session:
        taken = take(session, client, budget, at)
    assert taken is not None
    return taken


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
def test_a_burst_gets_what_there_is_and_no_more(database: Database, limit: int) -> None:
    answers = [ask(database, Budget(limit, 0)).allowed for _ in range(limit + 3)]
    assert answers == [True] * limit + [False] * 3


def test_a_request_comes_back_when_its_share_of_the_hour_has_passed(database: Database) -> None:
    budget = Budget(200, 1_000)
    for _ in range(200):
        ask(database, budget)
    refused = ask(database, budget)
    assert refused.retry_after == 18
    assert not ask(database, budget, NOON + timedelta(seconds=17)).allowed
    assert ask(database, budget, NOON + timedelta(seconds=18)).allowed
    assert not ask(database, budget, NOON + timedelta(seconds=18)).allowed


def test_the_day_ends_what_the_hour_would_allow(database: Database) -> None:
    budget = Budget(200, 10)
    assert all(ask(database, budget).allowed for _ in range(10))
    refused = ask(database, budget)
    assert not refused.allowed
    assert refused.retry_after == 8640
    assert '"day";r=0' in refused.headers["RateLimit"]
    assert refused.headers["RateLimit-Policy"] == '"hour";q=200;w=3600, "day";q=10;w=86400'


def test_a_refused_request_costs_nothing(database: Database) -> None:
    budget = Budget(2, 10)
    levels = [ask(database, budget).day_level for _ in range(6)]
    assert levels == [1, 2, 2, 2, 2, 2]


def test_clients_do_not_share(database: Database) -> None:
    assert ask(database, Budget(1, 1), client="api:key:1").allowed
    assert ask(database, Budget(1, 1), client="api:key:2").allowed


def test_no_limit_counts_nothing(database: Database) -> None:
    with database.as_system() as session:
        assert take(session, "api:key:1", Budget(0, 0), NOON) is None
        assert session.scalar(text("select count(*) from rate_bucket")) == 0


def test_a_clock_that_is_a_little_behind_gains_nothing(database: Database) -> None:
    ask(database, Budget(1, 0))
    assert not ask(database, Budget(1, 0), NOON - timedelta(seconds=30)).allowed


def test_a_clock_that_was_set_back_does_not_lock_anybody_out(database: Database) -> None:
    ask(database, Budget(1, 0), NOON + timedelta(days=400))
    assert ask(database, Budget(1, 0)).allowed
    assert not ask(database, Budget(1, 0)).allowed


def test_clients_not_heard_of_for_a_day_are_forgotten(database: Database) -> None:
    ask(database, Budget(5, 5), client="old")
    ask(database, Budget(5, 5), NOON + timedelta(hours=20), client="new")
    with database.as_system() as session:
        purge(session, NOON + timedelta(hours=25))
        assert session.scalars(text("select client from rate_bucket")).all() == ["new"]


def _burst(url: str) -> int:
    database = Database(url, application_name="test", pool_size=2)
    try:
        return sum(ask(database, Budget(100, 100)).allowed for _ in range(60))
    finally:
        database.close()


def test_eight_processes_at_once_get_exactly_the_budget(database: Database) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        assert sum(pool.map(_burst, [database.url] * 8, chunksize=1)) == 100
