"""A run that is killed, or loses its database or its disk, leaves nothing behind, and the next one succeeds."""

from __future__ import annotations

import base64
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.domain.errors import Unavailable
from sentrikat.feeds.adapter import Document, Feed, FeedState, FetchOptions, Quarantined, Transport
from sentrikat.feeds.transports.memory import DictTransport, document
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import after_merge, following
from sentrikat.vulnerabilities.merge import Merged
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import (
    NOON,
    advisory,
    deb,
    feed_saying,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    statement,
)

FLAW = "CVE-2026-1001"
ANVIL = advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1"))
TABLES = ("vulnerability", "advisory", "product", "affected_range", "match", "finding", "event")


def stored(database: Database) -> dict[str, int]:
    """How many rows each table holds."""
    return {table: rows(database, f"select count(*) from {table}")[0][0] for table in TABLES}


def interrupted_feed(by: Callable[[], None], *after: Record) -> Feed:
    """A feed whose reading is interrupted between two records."""

    def fetch(_transport: Transport, _state: FeedState, _options: FetchOptions) -> Iterator[Document]:
        yield document(b"{}", fetched_at=NOON)

    def parse(_document: Document) -> Iterator[Record | Quarantined]:
        yield ANVIL
        by()
        yield from after

    whole = feed_saying("debian", [])
    return Feed(
        name=whole.name,
        title=whole.title,
        sources=whole.sources,
        license=whole.license,
        terms=whole.terms,
        pace=whole.pace,
        complete=True,
        fetch=fetch,
        parse=parse,
    )


@pytest.fixture
def loaded(database: Database, clock: FrozenClock) -> Database:
    """A host with a finding."""
    publish(database, clock, "debian", ANVIL)
    report(database, clock, new_organization(database), "host", [deb("anvil", "1.0-1")])
    return database


def importing(operator: psycopg.Connection[Any]) -> int:
    """The server's process that holds the import's transaction."""
    waiting = operator.execute(
        "select pid from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
    ).fetchall()
    ((backend,),) = waiting
    return int(backend)


def next_run_succeeds(database: Database, clock: FrozenClock) -> None:
    """The next run brings something new and finds it on the host."""
    clock.advance(timedelta(hours=1))
    outcome = publish(
        database,
        clock,
        "debian",
        ANVIL,
        advisory("CVE-2026-1002", statement("debian:12", "anvil")),
        complete=True,
    )
    assert outcome.outcome == "succeeded", outcome
    assert [row[3] for row in open_findings(database)] == [FLAW, "CVE-2026-1002"]
    assert rows(database, "select count(*) from feed_run where outcome = 'running'") == [(0,)]


_KILLED = """
import sys, time
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.sessions import Database
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.vulnerabilities.run import run_feed
from tests.integration.vulnerabilities.test_run_survives import in_mid_import
run_feed(Database(sys.argv[1]), in_mid_import(), DictTransport({}), SystemClock())
"""


def in_mid_import() -> Feed:
    """A feed that says where it is and then waits for its end."""

    def wait() -> None:
        sys.stdout.write("in mid-import\n")
        sys.stdout.flush()
        time.sleep(60)

    return interrupted_feed(wait)


def test_a_killed_import_leaves_nothing_and_its_run_is_closed_by_the_next(
    loaded: Database, clock: FrozenClock
) -> None:
    before = stored(loaded)
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, loaded.url], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in mid-import\n"
        assert rows(loaded, "select count(*) from feed_run where outcome = 'running'") == [(1,)]
        process.send_signal(signal.SIGKILL)

    assert stored(loaded) == before
    next_run_succeeds(loaded, clock)
    closed = "select outcome, error from feed_run order by id offset 1 limit 1"
    assert rows(loaded, closed) == [("failed", "The run was interrupted; nothing of it was kept.")]


def test_a_lost_database_connection_leaves_nothing_and_is_recorded(
    loaded: Database, clock: FrozenClock
) -> None:
    before = stored(loaded)

    def cut() -> None:
        with psycopg.connect(conninfo(loaded.url)) as operator:
            operator.execute("select pg_terminate_backend(%s)", (importing(operator),))

    with pytest.raises(OperationalError):
        run_feed(loaded, interrupted_feed(cut), DictTransport({}), clock)

    assert stored(loaded) == before
    ((outcome, error),) = rows(loaded, "select outcome, error from feed_run order by id desc limit 1")
    assert (outcome, "OperationalError" in error) == ("failed", True)
    next_run_succeeds(loaded, clock)


def test_a_full_disk_leaves_nothing_and_is_recorded(loaded: Database, clock: FrozenClock) -> None:
    """The server's process may write no file beyond 20 MB, which it meets like a full disk."""
    before = stored(loaded)
    noise = random.Random(1)
    large = [
        Advisory(
            "debian",
            f"CVE-2026-{number}",
            (f"CVE-2026-{number}",),
            description=base64.b64encode(noise.randbytes(30_000)).decode(),
        )
        for number in range(2000, 3000)
    ]

    def fill() -> None:
        with psycopg.connect(conninfo(loaded.url)) as operator:
            backend = importing(operator)
        # Above the size of a segment of the write-ahead log, which must always be written.
        resource.prlimit(backend, resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))

    try:
        with pytest.raises(psycopg.Error, match=r"could not extend file|could not write|No space left"):
            run_feed(loaded, interrupted_feed(fill, *large), DictTransport({}), clock)
    finally:
        loaded.close()  # the limited server process is not used again

    assert stored(loaded) == before
    ((outcome, error),) = rows(loaded, "select outcome, error from feed_run order by id desc limit 1")
    assert (outcome, "File too large" in error or "No space" in error) == ("failed", True)
    next_run_succeeds(loaded, clock)


def test_a_failure_while_findings_follow_takes_the_data_back_too(
    loaded: Database, clock: FrozenClock
) -> None:
    before = stored(loaded)

    def after(session: object, merged: Merged) -> None:
        after_merge(session, merged, now=clock.now())  # type: ignore[arg-type]
        raise Unavailable("The mail server does not answer.")

    new = advisory("CVE-2026-1002", statement("debian:12", "anvil"))
    outcome = run_feed(loaded, feed_saying("debian", [ANVIL, new]), DictTransport({}), clock, after=after)

    assert (outcome.outcome, outcome.error) == ("failed", "The mail server does not answer.")
    assert stored(loaded) == before
    next_run_succeeds(loaded, clock)


def test_a_slow_source_keeps_no_other_feed_and_no_report_waiting(
    database: Database, clock: FrozenClock
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reading.set()
        assert go_on.wait(30)

    slow = threading.Thread(
        target=run_feed, args=(database, interrupted_feed(wait), DictTransport({}), FrozenClock(NOON))
    )
    slow.start()
    assert reading.wait(30)
    try:
        assert publish(database, clock, "nvd", advisory(FLAW)).outcome == "succeeded"
        report(database, clock, new_organization(database), "host", [deb("anvil", "1.0-1")])
    finally:
        go_on.set()
        slow.join()

    assert rows(database, "select feed, outcome from feed_run order by feed") == [
        ("debian", "succeeded"),
        ("nvd", "succeeded"),
    ]


def test_a_report_taken_in_beside_a_merge_misses_none_of_it(database: Database, clock: FrozenClock) -> None:
    """Either the merge sees the new component, or the report sees the new statement."""
    merged, go_on = threading.Event(), threading.Event()
    organization = new_organization(database)

    def after(session: object, changes: Merged) -> None:
        after_merge(session, changes, now=NOON)  # type: ignore[arg-type]
        merged.set()
        assert go_on.wait(30)

    feeding = threading.Thread(
        target=run_feed,
        args=(database, feed_saying("debian", [ANVIL]), DictTransport({}), FrozenClock(NOON)),
        kwargs={"after": after},
    )
    feeding.start()
    assert merged.wait(30)
    reporting = threading.Thread(
        target=report, args=(database, clock, organization, "host", [deb("anvil", "1.0-1")])
    )
    reporting.start()
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    deadline = time.monotonic() + 20
    while rows(database, waiting) == [(0,)] and reporting.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    with database.as_system() as session:  # nothing half-merged is to be seen
        assert session.scalar(text("select count(*) from affected_range")) == 0
    go_on.set()
    feeding.join()
    reporting.join()

    assert [row[3] for row in open_findings(database)] == [FLAW]


def test_the_last_good_state_is_asked_with_after_a_failure(loaded: Database, clock: FrozenClock) -> None:
    state = rows(loaded, "select state, data_as_of from feed")

    def stop() -> None:
        raise Unavailable("It went away.")

    failed = run_feed(loaded, interrupted_feed(stop), DictTransport({}), clock, after=following(clock))

    assert failed.outcome == "failed"
    assert rows(loaded, "select state, data_as_of from feed") == state
