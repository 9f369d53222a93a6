"""Bad data, then a rollback: everything in use is what it was before, and the past stays told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentrikat.domain.advisory import Record, Status
from sentrikat.domain.errors import Conflict, Forbidden, NotFound
from sentrikat.domain.permissions import COMMAND_LINE, Caller
from sentrikat.feeds.adapter import FeedState, FetchOptions, Transport, Validators
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.vulnerabilities.rollback import release, roll_back
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from tests.builders import (
    advisory,
    cpe,
    deb,
    exploited,
    feed_saying,
    likely,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    score,
    statement,
)

FLAW = "CVE-2026-0001"

# What is in use: without the ids and times of rows that only say when something was said.
IN_USE = {
    "statements": """
        select p.ecosystem, p.name, v.name, a.external_id, r.source, r.status, r.described, r.lo, r.hi, r.fixed, r.rank,
            r.digest
        from affected_range r join product p on p.id = r.product_id join advisory a on a.id = r.advisory_id
        join vulnerability v on v.id = r.vulnerability_id
        where r.valid_to is null order by 1, 2, 3, 4, r.digest""",
    "facts": """
        select v.name, e.kind, e.source, e.fact from enrichment e join vulnerability v on v.id = e.vulnerability_id
        where e.valid_to is null order by 1, 2, 3""",
    "likelihoods": """
        select * from (
            select distinct on (v.name) v.name, l.probability, l.percentile, l.model_version, l.scored_on
            from likelihood l join vulnerability v on v.id = l.vulnerability_id order by v.name, l.valid_from desc
        ) as newest where probability is not null order by name""",
    "records": """
        select source, external_id, digest, document, modified_at from advisory where withdrawn_at is null order by 1, 2""",
    "scores": """
        select v.name, a.external_id, s.vector, s.score, s.provider from severity_score s
        join advisory a on a.id = s.advisory_id join vulnerability v on v.id = s.vulnerability_id order by 1, 2, 3""",
    "flaws": """
        select v.name, c.name as same_as, v.title, v.description, v.summary_source, v.summary_rank, v.published_at,
            v.rejected_at, v.weaknesses, v.links, v.cvss_score, v.cvss_vector, v.severity, v.exploited_since,
            v.exploited_due, v.ransomware, v.epss, v.epss_model, v.ssvc_exploitation
        from vulnerability v left join vulnerability c on c.id = v.same_as_id
        where exists (select from affected_range r where r.vulnerability_id = v.id and r.valid_to is null)
           or exists (select from enrichment e where e.vulnerability_id = v.id and e.valid_to is null)
           or v.epss is not null order by 1""",
    "aliases": "select source, name, alias from alias order by 1, 2, 3",
    "findings": """
        select id, asset_id, component_id, vulnerability_id, verdict, opened_at, policy, outcome, due_at, tier, priority
        from finding where closed_at is null order by id""",
    "counts": "select name, record_count from feed order by 1",
}


def in_use(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows(database, query) for name, query in IN_USE.items()}


def undo(database: Database, clock: FrozenClock, name: str, to: int | None = None) -> RunReport:
    clock.advance(timedelta(minutes=10))
    return roll_back(database, name, clock, COMMAND_LINE, to=to, after=following(clock))


def say(database: Database, clock: FrozenClock, name: str, *records: Record, complete: bool = False) -> None:
    clock.advance(timedelta(hours=1))
    done = run_feed(
        database,
        feed_saying(name, records, complete=complete),
        DictTransport({}),
        clock,
        after=following(clock),
        accepted_by="cli",  # it got past the look, or was approved: that is when a rollback is needed
    )
    assert done.outcome == "succeeded", done


@pytest.fixture
def estate(database: Database, clock: FrozenClock) -> Database:
    """Sources that agree, a host with findings of two of them, and deadlines that run."""
    say(
        database,
        clock,
        "nvd",
        advisory(
            FLAW,
            statement("cpe:a", "acme:anvil", fixed="2.0"),
            description="An anvil falls.",
            scores=(score(9.8, "critical"),),
            weaknesses=("CWE-79",),
            published=datetime(2026, 5, 1, tzinfo=UTC),
        ),
        advisory("CVE-2026-0002", statement("cpe:a", "acme:anvil", fixed="1.5"), description="It rusts."),
        advisory("CVE-2026-0003", statement("cpe:a", "acme:hammer"), description="It hits."),
    )
    say(
        database,
        clock,
        "debian",
        *[
            advisory(f"CVE-2026-1{n:03}", statement("debian:12", "anvil", fixed="3.0-1"), source="debian")
            for n in range(5)
        ],
        complete=True,
    )
    say(database, clock, "kev", exploited(FLAW, due="2026-07-01"), exploited("CVE-2026-0003"), complete=True)
    say(database, clock, "epss", likely(FLAW, 0.9), likely("CVE-2026-0002", 0.1), complete=True)
    say(
        database,
        clock,
        "osv",
        advisory("GHSA-aaaa", statement("pypi", "anvil", fixed="2.0"), source="osv", description="Falls."),
    )
    report(
        database,
        clock,
        new_organization(database),
        "host",
        [
            cpe("acme", "anvil", "1.0"),
            deb("anvil", "1.0-1"),
            {"type": "pypi", "name": "anvil", "version": "1.0"},
        ],
    )
    assert len(open_findings(database)) == 8
    clock.advance(timedelta(days=1))
    return database


HARMLESS = statement("cpe:a", "acme:anvil", status=Status.UNAFFECTED)

BAD_DAYS: dict[str, tuple[str, bool, tuple[Record, ...]]] = {
    "ranges_lost": (
        "nvd",
        False,
        (
            advisory(FLAW, HARMLESS, description="Nothing.", scores=(score(1.0, "low"),)),
            advisory("CVE-2026-0002", description="Nothing."),
        ),
    ),
    "everything_affected": ("nvd", False, (advisory("CVE-2026-0003", statement("cpe:a", "acme:anvil")),)),
    "rejected": ("nvd", False, (advisory(FLAW, description="Rejected.", rejected=True),)),
    "invented": (
        "nvd",
        False,
        (advisory("CVE-2026-7777", statement("cpe:a", "acme:anvil"), description="Spam."),),
    ),
    "records_gone": (
        "debian",
        True,
        (advisory("CVE-2026-1000", statement("debian:12", "anvil", fixed="3.0-1"), source="debian"),),
    ),
    "words_of_another": (
        "nvd",
        False,
        (advisory("CVE-2026-1001", statement("cpe:a", "acme:anvil"), description="NVD speaks first."),),
    ),
    "marks_gone": ("kev", True, (exploited("CVE-2026-0003"),)),
    "marks_moved": ("kev", True, (exploited(FLAW, due="2027-01-01"), exploited("CVE-2026-0002"))),
    "scores_moved": ("epss", True, (likely(FLAW, 0.001), likely("CVE-2026-0003", 0.99))),
    "filed_elsewhere": (
        "osv",
        False,
        (
            advisory(
                FLAW,
                statement("pypi", "anvil", fixed="0.1"),
                source="osv",
                named="GHSA-aaaa",
                aliases=(FLAW, "GHSA-aaaa"),
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", BAD_DAYS)
def test_after_a_rollback_everything_in_use_is_what_it_was(
    estate: Database, clock: FrozenClock, name: str
) -> None:
    source, complete, records = BAD_DAYS[name]
    before = in_use(estate)
    say(estate, clock, source, *records, complete=complete)
    bad = in_use(estate)
    assert bad != before

    undone = undo(estate, clock, source)

    assert undone.outcome == "succeeded"
    after = in_use(estate)
    for part, found in before.items():
        assert after[part] == found, part
    # And the other way: what was undone was really there, and is again.
    last = rows(
        estate, "select max(id) from feed_run where feed = :feed and outcome = 'rolled_back'", feed=source
    )
    assert last[0][0] is not None
    undo(
        estate,
        clock,
        source,
        to=rows(estate, "select min(id) from feed_run where feed = :feed", feed=source)[0][0],
    )
    assert in_use(estate)["statements"] == before["statements"]


def test_several_runs_are_undone_at_once(estate: Database, clock: FrozenClock) -> None:
    before = in_use(estate)
    first = rows(estate, "select id from feed_run where feed = 'nvd'")[0][0]
    for name in ("ranges_lost", "rejected", "invented", "everything_affected"):
        say(estate, clock, "nvd", *BAD_DAYS[name][2])

    undo(estate, clock, "nvd", to=first)

    assert in_use(estate) == before
    assert rows(
        estate, "select outcome, count(*) from feed_run where feed = 'nvd' group by 1 order by 1"
    ) == [
        ("rolled_back", 4),
        ("succeeded", 2),
    ]


def test_a_second_rollback_goes_one_run_further(estate: Database, clock: FrozenClock) -> None:
    before = in_use(estate)
    say(estate, clock, "nvd", *BAD_DAYS["invented"][2])
    between = in_use(estate)
    say(estate, clock, "nvd", *BAD_DAYS["ranges_lost"][2])

    undo(estate, clock, "nvd")
    assert in_use(estate) == between
    undo(estate, clock, "nvd")
    assert in_use(estate) == before


def test_the_past_keeps_telling_what_was_known_then(estate: Database, clock: FrozenClock) -> None:
    good = rows(estate, "select count(*) from affected_range where source = 'debian' and valid_to is null")
    say(estate, clock, "debian", *BAD_DAYS["records_gone"][2], complete=True)
    in_between = clock.now() + timedelta(minutes=1)
    undo(estate, clock, "debian")

    as_of = (
        "select count(*) from affected_range where source = 'debian' and valid_from <= :at"
        " and (valid_to is null or valid_to > :at)"
    )
    assert rows(estate, as_of, at=in_between) == [(1,)]
    assert rows(estate, as_of, at=clock.now()) == good
    assert rows(estate, "select count(*) from affected_range where valid_to < valid_from") == [(0,)]
    assert rows(estate, "select count(*) from enrichment where valid_to < valid_from") == [(0,)]


def test_a_finding_taken_up_again_keeps_its_age_and_deadline(estate: Database, clock: FrozenClock) -> None:
    query = "select id, opened_at, due_at from finding where closed_at is null order by id"
    before = rows(estate, query)
    say(estate, clock, "nvd", *BAD_DAYS["ranges_lost"][2])
    assert len(rows(estate, query)) < len(before)

    undo(estate, clock, "nvd")

    assert rows(estate, query) == before
    assert rows(estate, "select sum(count) from event where detail->>'reason' = 'rolled_back'") == [(2,)]


def remembering(records: tuple[Record, ...], etag: str, cursor: str) -> Any:
    """A feed whose source answers "unchanged" to who has its last document."""
    whole = feed_saying("nvd", records, revision=etag)

    def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Any:
        for one in whole.fetch(transport, state, options):
            if state.of(one.url).etag != etag:
                yield replace(one, validators=Validators(etag)).remembering(seen=cursor)

    return replace(whole, fetch=fetch)


def run(database: Database, clock: FrozenClock, feed: Any) -> RunReport:
    clock.advance(timedelta(hours=1))
    return run_feed(database, feed, DictTransport({}), clock, after=following(clock))


def test_a_feed_rolled_back_waits_until_it_is_released_and_then_really_fetches(
    database: Database, clock: FrozenClock
) -> None:
    good = remembering((advisory(FLAW, description="Good."),), "1", "2026-01")
    bad = remembering((advisory(FLAW, description="Bad."),), "2", "2026-02")
    assert run(database, clock, good).outcome == "succeeded"
    assert run(database, clock, bad).outcome == "succeeded"
    undo(database, clock, "nvd")

    assert rows(database, "select state->'validators', state->'cursors' from feed") == [
        ({}, {"seen": "2026-01"})
    ]
    refused = run(database, clock, bad)
    assert (refused.outcome, "was rolled back on" in (refused.error or "")) == ("refused", True)
    with database.as_system() as session:
        shown = next(one for one in feed_statuses(session, clock.now()) if one.name == "nvd")
    assert (shown.state, shown.good, shown.rolled_back_to) == ("rolled back", False, 1)

    with database.as_system() as session:
        release(session, COMMAND_LINE, "nvd", now=clock.now())
    assert run(database, clock, good).outcome == "succeeded"  # asked anew, though it is what we hold
    assert rows(database, "select description from vulnerability") == [("Good.",)]
    assert rows(database, "select action from audit_entry order by id") == [
        ("feed.rolled_back",),
        ("feed.released",),
    ]


def test_what_cannot_be_undone_is_refused_before_anything_is_written(
    estate: Database, clock: FrozenClock
) -> None:
    before = in_use(estate)
    runs = rows(estate, "select count(*) from feed_run")

    def refused(expected: type[Exception], words: str, call: Callable[[], object]) -> None:
        with pytest.raises(expected, match=words):
            call()

    refused(Conflict, "no earlier run", lambda: undo(estate, clock, "nvd"))
    refused(NotFound, "run 999", lambda: undo(estate, clock, "nvd", to=999))
    first = rows(estate, "select id from feed_run where feed = 'nvd'")[0][0]
    refused(Conflict, "in use already", lambda: undo(estate, clock, "nvd", to=first))
    nobody = Caller(1, "user:1", frozenset())
    refused(Forbidden, "run the installation", lambda: roll_back(estate, "nvd", clock, nobody))
    with estate.as_system() as session:
        refused(Conflict, "not rolled back", lambda: release(session, COMMAND_LINE, "nvd", now=clock.now()))
    assert in_use(estate) == before
    assert rows(estate, "select count(*) from feed_run") == runs


def test_what_a_run_replaced_is_given_up_after_the_time_of_the_setting(
    estate: Database, clock: FrozenClock
) -> None:
    say(estate, clock, "nvd", *BAD_DAYS["invented"][2])
    assert rows(estate, "select count(*) > 0 from advisory_past") == [(True,)]
    clock.advance(timedelta(days=20))
    publish(estate, clock, "nvd", advisory("CVE-2026-0009", description="Later."))

    assert rows(
        estate, "select count(*) from advisory_past where advisory_id <> (select max(id) from advisory)"
    ) == [(0,)]
    first = rows(estate, "select id from feed_run where feed = 'nvd'")[0][0]
    with pytest.raises(Conflict, match="is not kept"):
        undo(estate, clock, "nvd", to=first)
