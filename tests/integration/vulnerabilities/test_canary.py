"""A run that looks wrong is held: nothing of it goes live until somebody says so, and everybody sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.feeds.adapter import Feed, Quarantined
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.canary import Limits
from sentrikat.vulnerabilities.candidates import (
    approved_feed,
    candidate_of,
    decide_approval,
    reject_candidate,
)
from sentrikat.vulnerabilities.freshness import FeedStatus, feed_statuses
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from tests.builders import (
    advisory,
    deb,
    exploited,
    feed_saying,
    likely,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    statement,
)

HELD_TABLES = {
    "facts": "select vulnerability_id, kind, source, fact, valid_from, valid_to from enrichment order by id",
    "likelihoods": "select * from likelihood order by vulnerability_id, valid_from",
    "statements": "select * from affected_range order by id",
    "records": "select id, source, external_id, digest, withdrawn_at from advisory order by id",
    "flaws": "select * from vulnerability order by id",
    "matches": "select * from match order by id",
    "findings": "select * from finding order by id",
    "events": "select * from event order by id",
    "state": "select name, state, data_as_of, record_count, last_success_at from feed order by name",
}


def live(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is in use."""
    return {name: rows(database, query) for name, query in HELD_TABLES.items()}


def status(database: Database, clock: FrozenClock, name: str) -> FeedStatus:
    with database.as_system() as session:
        return next(one for one in feed_statuses(session, clock.now()) if one.name == name)


LOG4J = advisory("CVE-2021-44228", statement("debian:12", "apache-log4j2", fixed="2.15.0-1"), source="debian")


def flaws(count: int, *, first: int = 0) -> list[Advisory]:
    """Debian's word on `count` flaws of one package, and on its canary."""
    return [
        LOG4J,
        *[
            advisory(
                f"CVE-2026-{first + n:04}", statement("debian:12", "anvil", fixed=f"2.{n}-1"), source="debian"
            )
            for n in range(count)
        ],
    ]


def say(
    database: Database, clock: FrozenClock, name: str, *records: Record | Quarantined, **how: Any
) -> RunReport:
    clock.advance(timedelta(hours=1))
    return publish(database, clock, name, *records, complete=True, **how)


def approve(database: Database, clock: FrozenClock, feed: Feed) -> RunReport:
    with database.as_system() as session:
        decide_approval(session, COMMAND_LINE, feed.name, None, now=clock.now())
    with approved_feed(database, feed) as one:
        return run_feed(
            database,
            one,
            DictTransport({}),
            clock,
            after=following(clock),
            accepted_by="cli",
            transport_kind="approval",
        )


@pytest.fixture
def filled(database: Database, clock: FrozenClock) -> Database:
    """A hundred flaws, and a host that has them all; one is exploited."""
    first = say(database, clock, "debian", *flaws(100))
    assert first.outcome == "succeeded", first
    publish(database, clock, "epss", *[likely(f"CVE-2026-{n:04}", 0.1) for n in range(100)])
    publish(database, clock, "kev", exploited("CVE-2026-0042"))
    report(database, clock, new_organization(database), "host", [deb("anvil", "1.0-1")])
    assert len(open_findings(database)) == 100
    return database


def test_the_first_fill_is_never_held(database: Database, clock: FrozenClock) -> None:
    report(database, clock, new_organization(database), "host", [deb("anvil", "1.0-1")])

    assert say(database, clock, "debian", *flaws(400)).outcome == "succeeded"
    assert len(open_findings(database)) == 400


def test_a_feed_that_lost_a_third_of_its_records_is_held_and_changes_nothing(
    filled: Database, clock: FrozenClock
) -> None:
    before = live(filled)

    held = say(filled, clock, "debian", *flaws(66))

    assert held.outcome == "held"
    assert live(filled) == before
    assert held.error is not None
    assert "34 of 101 records would be withdrawn" in held.error
    shown = status(filled, clock, "debian")
    assert (shown.state, shown.good) == ("held", False)
    assert shown.candidate is not None
    found = shown.candidate.effect
    assert (found.withdrawn, found.findings.pairs_closed, found.findings.closed) == (34, 34, 34)
    assert found.findings.exploited == 0
    assert "+0 / -34 findings" in shown.problems[0]
    assert "sentrikat feeds approve debian" in (shown.remedy or "")


def test_the_comparison_counts_pairs_installs_and_what_is_exploited(
    filled: Database, clock: FrozenClock
) -> None:
    report(filled, clock, 1, "second", [deb("anvil", "1.0-1")])
    others = flaws(50, first=200)

    held = say(filled, clock, "debian", *others)

    assert held.effect is not None
    found = held.effect.findings
    assert (found.pairs_opened, found.pairs_closed, found.opened, found.closed) == (50, 100, 100, 200)
    assert (found.exploited, found.open_before) == (1, 200)
    assert (held.effect.added, held.effect.withdrawn, held.effect.flaws, held.effect.products) == (
        50,
        100,
        150,
        1,
    )


def test_a_usual_day_goes_live(filled: Database, clock: FrozenClock) -> None:
    """Some come, some change, a few go."""
    changed = advisory("CVE-2026-0001", statement("debian:12", "anvil", fixed="0.5-1"), source="debian")

    done = say(filled, clock, "debian", changed, *flaws(97, first=2), *flaws(10, first=500)[1:])

    assert done.outcome == "succeeded"
    assert done.remarks == ()
    assert len(open_findings(filled)) == 107


def test_closing_many_findings_is_held_though_every_record_is_there(
    filled: Database, clock: FrozenClock
) -> None:
    """A parser or a source that lost a bound: the records are there and say something else."""
    harmless = [
        advisory(f"CVE-2026-{n:04}", statement("debian:12", "anvil", fixed="0.1-1"), source="debian")
        for n in range(100)
    ]
    before = live(filled)

    held = say(filled, clock, "debian", LOG4J, *harmless)

    assert held.outcome == "held"
    assert [one.code for one in held.remarks if one.holds] == ["closing"]
    assert live(filled) == before


def test_approving_makes_exactly_that_run_live(filled: Database, clock: FrozenClock) -> None:
    held = say(filled, clock, "debian", *flaws(66))
    clock.advance(timedelta(hours=3))

    done = approve(filled, clock, feed_saying("debian", flaws(66), complete=True))

    assert done.outcome == "succeeded", done
    assert len(open_findings(filled)) == 66
    assert (done.effect and done.effect.findings) == (held.effect and held.effect.findings)
    assert status(filled, clock, "debian").state == "fresh"
    assert rows(filled, "select outcome from feed_run where feed = 'debian' order by id") == [
        ("succeeded",),
        ("approved",),
        ("succeeded",),
    ]
    assert rows(filled, "select actor, action, object from audit_entry") == [
        ("cli", "feed.approved", "feed:debian")
    ]
    assert rows(filled, "select count(*) from feed_candidate_piece") == [(0,)]
    # What was accepted is the new usual.
    assert say(filled, clock, "debian", *flaws(66)).outcome == "succeeded"


def test_rejecting_drops_it_and_the_same_documents_are_refused_from_then_on(
    filled: Database, clock: FrozenClock
) -> None:
    before = live(filled)
    say(filled, clock, "debian", *flaws(66))
    with filled.as_system() as session:
        reject_candidate(session, COMMAND_LINE, "debian", None, now=clock.now())

    assert status(filled, clock, "debian").state == "failing"
    again = say(filled, clock, "debian", *flaws(66))
    assert (again.outcome, live(filled)) == ("refused", before)
    assert "still gives what was rejected" in (again.error or "")
    assert rows(filled, "select action from audit_entry") == [("feed.rejected",)]


def test_the_same_documents_are_not_judged_twice_and_newer_ones_take_their_place(
    filled: Database, clock: FrozenClock
) -> None:
    first = say(filled, clock, "debian", *flaws(66))
    again = say(filled, clock, "debian", *flaws(66))
    assert (again.outcome, again.records) == ("held", 0)
    assert again.error == first.error

    with filled.as_system() as session:
        run = candidate_of(session, "debian").run_id
    clock.advance(timedelta(hours=1))
    worse = run_feed(
        filled,
        feed_saying("debian", flaws(33), complete=True, revision="2"),
        DictTransport({}),
        clock,
        after=following(clock),
    )
    assert worse.outcome == "held"
    with filled.as_system() as session:
        assert candidate_of(session, "debian").run_id > run
        with pytest.raises(Conflict, match="no longer held"):
            decide_approval(session, COMMAND_LINE, "debian", run, now=clock.now())

    clock.advance(timedelta(hours=1))
    good = run_feed(
        filled,
        feed_saying("debian", flaws(101), complete=True, revision="3"),
        DictTransport({}),
        clock,
        after=following(clock),
    )
    assert good.outcome == "succeeded"
    assert status(filled, clock, "debian").state == "fresh"
    with filled.as_system() as session, pytest.raises(NotFound):
        candidate_of(session, "debian")
    assert rows(filled, "select outcome from feed_run where feed = 'debian' order by id") == [
        ("succeeded",),
        ("replaced",),
        ("held",),
        ("replaced",),
        ("succeeded",),
    ]


def test_a_run_too_large_to_keep_is_held_with_its_comparison_alone(
    filled: Database, clock: FrozenClock
) -> None:
    clock.advance(timedelta(hours=1))
    held = run_feed(
        filled,
        feed_saying("debian", flaws(66), complete=True),
        DictTransport({}),
        clock,
        after=following(clock),
        limits=Limits(largest_candidate=-1),
    )
    assert held.outcome == "held"
    with filled.as_system() as session, pytest.raises(Conflict, match="too large to keep"):
        decide_approval(session, COMMAND_LINE, "debian", None, now=clock.now())

    clock.advance(timedelta(hours=1))
    accepted = run_feed(
        filled,
        feed_saying("debian", flaws(66), complete=True),
        DictTransport({}),
        clock,
        after=following(clock),
        accepted_by="cli",
    )
    assert accepted.outcome == "succeeded"
    assert len(open_findings(filled)) == 66


def test_a_canary_that_vanished_holds_the_catalog_alone(database: Database, clock: FrozenClock) -> None:
    canaries = [exploited("CVE-2021-44228"), exploited("CVE-2017-0144"), exploited("CVE-2019-11510")]
    say(database, clock, "kev", *canaries, exploited("CVE-2026-0001"))

    held = say(database, clock, "kev", *canaries[1:], exploited("CVE-2026-0001"))

    assert held.outcome == "held"
    assert "CVE-2021-44228: a healthy feed speaks of it" in (held.error or "")
    assert rows(
        database, "select exploited_since is null from vulnerability where name = 'CVE-2021-44228'"
    ) == [(False,)]


def test_marks_taken_away_in_number_are_held(database: Database, clock: FrozenClock) -> None:
    say(database, clock, "kev", *[exploited(f"CVE-2026-{n:04}") for n in range(200)])

    held = say(database, clock, "kev", *[exploited(f"CVE-2026-{n:04}") for n in range(150)])

    assert held.outcome == "held"
    assert held.effect is not None
    assert held.effect.withdrawn == 50
    assert rows(database, "select count(*) from vulnerability where exploited_since is not null") == [(200,)]


@pytest.mark.parametrize(
    ("bad", "outcome", "state"),
    [
        (0, "succeeded", "fresh"),
        (19, "succeeded", "fresh"),  # too few to be more than accidents
        (45, "succeeded", "drifted"),
        (60, "held", "held"),
    ],
)
def test_records_that_break_their_form_are_drift(
    database: Database, clock: FrozenClock, bad: int, outcome: str, state: str
) -> None:
    say(database, clock, "osv", *said(1000))
    broken = [Quarantined(f"GHSA-{n}", "the field 'id' is missing", "{}") for n in range(bad)]

    done = say(database, clock, "osv", *said(1000 - bad), *broken)

    assert done.outcome == outcome
    assert status(database, clock, "osv").state == state


def said(count: int) -> list[Advisory]:
    """Log4Shell, so that the canary lives, and others."""
    log4j = statement("maven", "org.apache.logging.log4j:log4j-core", fixed="2.15.0")
    return [
        advisory("CVE-2021-44228", log4j, source="osv"),
        *[advisory(f"CVE-2026-{n:04}", source="osv") for n in range(count - 1)],
    ]


def test_a_clock_set_back_makes_nothing_fresh_and_no_fact_end_before_it_began(
    filled: Database, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=-30))

    shown = status(filled, clock, "debian")
    assert (shown.state, shown.good) == ("stale", False)
    assert "the clock was set back" in shown.problems[0]

    changed = advisory("CVE-2026-0001", statement("debian:12", "anvil", fixed="0.5-1"), source="debian")
    assert say(filled, clock, "debian", changed, *flaws(98, first=2)).outcome == "succeeded"
    assert (
        say(filled, clock, "epss", *[likely(f"CVE-2026-{n:04}", 0.2) for n in range(100)]).outcome
        == "succeeded"
    )

    for table, begin, end in (
        ("affected_range", "valid_from", "valid_to"),
        ("match", "valid_from", "valid_to"),
        ("finding", "opened_at", "closed_at"),
    ):
        ended = rows(
            filled,
            f"select count(*), count(*) filter (where {end} < {begin}) from {table} where {end} is not null",
        )
        assert ended[0][1] == 0, table
        assert ended[0][0] > 0, table
    assert status(filled, clock, "debian").state == "fresh"


def test_the_clock_set_forward_and_back_still_tells_runs_apart(
    database: Database, clock: FrozenClock
) -> None:
    start = clock.now()
    clock.advance(timedelta(days=4000))
    publish(database, clock, "debian", *flaws(3))
    clock.set(start)
    publish(database, clock, "debian", *flaws(3, first=10))
    publish(database, clock, "debian", *flaws(3, first=20))

    moments = [row[0] for row in rows(database, "select merged_at from feed_run order by id")]
    assert moments == sorted(set(moments))


def test_a_run_beside_is_not_taken_for_the_held_one(filled: Database, clock: FrozenClock) -> None:
    """Another feed's run in the meantime leaves the candidate as it was."""
    say(filled, clock, "debian", *flaws(66))
    publish(filled, clock, "nvd", advisory("CVE-2026-0001", description="A flaw."))

    with filled.as_system() as session:
        assert candidate_of(session, "debian").effect.withdrawn == 34
        assert session.scalar(text("select count(*) from feed_candidate")) == 1
