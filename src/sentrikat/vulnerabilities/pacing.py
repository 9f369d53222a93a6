"""A request limit shared by all processes: each request takes the next free slot, and waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import text

from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database

# NVD allows 5 requests in any 30 seconds, 50 with a key; one more slot's width keeps a window's edge safe.
NVD_INTERVAL = timedelta(seconds=30 / 5)
NVD_INTERVAL_WITH_KEY = timedelta(seconds=30 / 50)

_TAKE = text(
    "insert into pace as p (key, next_at) values (:key, cast(:now as timestamptz) + :interval)"
    " on conflict (key) do update set next_at = greatest(p.next_at, cast(:now as timestamptz)) + :interval"
    " returning next_at - :interval"
)


def take_slot(database: Database, key: str, interval: timedelta, now: datetime) -> datetime:
    """Reserve the next slot of `key` and give when it is."""
    with database.as_system() as session:
        slot: datetime = session.execute(_TAKE, {"key": key, "interval": interval, "now": now}).scalar_one()
        return slot


def pacer(
    database: Database,
    clock: Clock,
    key: str,
    interval: timedelta,
    sleep: Callable[[float], None] = time.sleep,
) -> Callable[[], None]:
    """Give a function that returns when the next request may be made."""

    def wait() -> None:
        now = clock.now()
        delay = (take_slot(database, key, interval, now) - now).total_seconds()
        if delay > 0:
            sleep(delay)

    return wait
