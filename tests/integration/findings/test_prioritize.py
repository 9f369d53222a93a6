"""Deadlines and priority as stored are those the domain decides, and move when a fact moves, with a trace."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sentrikat.domain.prioritization import severity, ssvc
from sentrikat.domain.prioritization.deadlines import binding, deadline, start_day, time_zone
from sentrikat.domain.prioritization.order import Exposure, PriorityInputs, priority_rank, tier_of
from sentrikat.findings.prioritize import prioritize_all
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import after_asset_change
from tests.builders import (
    NOON,
    advisory,
    deb,
    exploited,
    likely,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    score,
    statement,
)

FLAW = "CVE-2026-1001"

# Zones with clock changes at every hour of the night, over midnight in both directions, and half-hour offsets.
ZONES = (
    "UTC",
    "Europe/Zurich",
    "America/New_York",
    "America/Havana",  # clocks fall back from 1:00 to 0:00: two midnights
    "Atlantic/Azores",  # the same
    "America/Asuncion",
    "Asia/Beirut",  # clocks jump from 0:00 to 1:00: a day without midnight
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Pacific/Apia",
)
# Deadlines that end on the eve of a clock change, and any other day.
EVES = (date(2026, 10, 31), date(2026, 10, 24), date(2026, 3, 28), date(2020, 10, 31), date(2024, 3, 30))
DAYS = st.builds(
    lambda eve, days: eve - timedelta(days=days), st.sampled_from(EVES), st.sampled_from((3, 7, 14, 30, 60))
) | st.dates(date(2015, 1, 1), date(2035, 1, 1))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that decides one finding's deadline and place."""
    since = draw(st.none() | DAYS)
    word = draw(st.sampled_from((None, "critical", "high", "medium", "low", "none")))
    return {
        "zone": draw(st.sampled_from(ZONES)),
        "exposure": draw(st.sampled_from(("public", "internal", "unknown"))),
        "criticality": draw(st.integers(1, 4)),
        "opened_at": draw(MOMENTS),
        "since": since,
        "enisa": draw(st.none() | DAYS),
        "ransomware": since is not None and draw(st.booleans()),
        "automatable": draw(st.sampled_from((None, False, True))),
        "impact": draw(st.sampled_from((None, "partial", "total"))),
        "severity": word,
        "cvss": draw(st.none() | st.integers(0, 100).map(lambda tenths: tenths / 10)) if word else None,
        "epss": draw(st.none() | st.integers(0, 100_000).map(lambda steps: steps / 100_000)),
    }


def by_the_domain(case: dict[str, Any]) -> tuple[Any, ...]:
    """(policy, outcome, due_at, tier, priority) as the domain decides."""
    zone = time_zone(case["zone"])
    exposed = {"public": True, "internal": False, "unknown": None}[case["exposure"]]
    directive = ssvc.decide(
        ssvc.Inputs(case["since"] is not None, exposed, case["automatable"], case["impact"])
    )
    level = severity.decide(case["severity"])
    start = start_day(case["since"], case["opened_at"], zone)
    bound = binding(deadline(one, start, zone) for one in (directive, level) if one is not None)
    outcome = bound.deadline.outcome if bound else directive
    tier = tier_of(outcome)
    rank = priority_rank(
        PriorityInputs(
            exploited=case["since"] is not None or case["enisa"] is not None,
            ransomware=case["ransomware"],
            tier=tier,
            exposure=Exposure(case["exposure"]),
            epss=case["epss"],
            cvss=case["cvss"],
            criticality=case["criticality"],
            due_on=bound.deadline.due_on if bound else None,
        )
    )
    return outcome.policy, outcome.outcome, bound.deadline.due_at if bound else None, int(tier), rank


_FURNISH = """
with o as (
    insert into organization (slug, name, time_zone, created_at) values (:slug, :slug, :zone, :opened_at) returning id
), a as (
    insert into asset (organization_id, hostname, os_family, os, exposure, criticality, first_seen_at, last_report_at)
    select id, 'host', 'linux', '{}', :exposure, :criticality, :opened_at, :opened_at from o returning *
), v as (
    insert into vulnerability (name, exploited_since, enisa_exploited_since, ransomware, ssvc_automatable,
        ssvc_technical_impact, severity, cvss_score, epss)
    values (:slug, :since, :enisa, :ransomware, :automatable, :impact, :severity, :cvss, :epss) returning id
)
insert into finding (organization_id, asset_id, component_id, vulnerability_id, match_id, verdict, opened_at)
select a.organization_id, a.id, 0, v.id, 0, 'affected', :opened_at from a, v returning id
"""


@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(said=st.lists(cases(), min_size=12, max_size=12))
def test_stored_deadlines_and_places_are_those_of_the_domain(
    database: Database, said: list[dict[str, Any]]
) -> None:
    with database.as_system() as session:
        ids = {
            session.execute(text(_FURNISH), {**case, "slug": f"case-{number}"}).scalar_one(): case
            for number, case in enumerate(said)
        }
        prioritize_all(session, now=NOON, cause="rules")
        stored = session.execute(
            text("select id, policy, outcome, due_at, tier, priority from finding")
        ).all()
        session.rollback()

    for row in stored:
        assert tuple(row)[1:] == by_the_domain(ids[row.id]), ids[row.id]


@pytest.mark.parametrize(
    ("zone", "since"),
    [
        ("America/Havana", date(2026, 10, 17)),  # clocks fall back from 1:00 to 0:00: two midnights
        ("Atlantic/Azores", date(2026, 10, 10)),  # the same
        ("Asia/Beirut", date(2026, 3, 14)),  # clocks jump from 0:00 to 1:00: a day without midnight
        ("Europe/Zurich", date(2026, 10, 11)),  # the last day has 25 hours
    ],
)
def test_a_deadline_ends_with_its_last_day_where_clocks_change_over_midnight(
    database: Database, zone: str, since: date
) -> None:
    case = {
        "zone": zone,
        "exposure": "public",
        "criticality": 2,
        "opened_at": NOON,
        "since": since,
        "enisa": None,
        "ransomware": False,
        "automatable": None,
        "impact": None,
        "severity": None,
        "cvss": None,
        "epss": None,
    }
    with database.as_system() as session:
        session.execute(text(_FURNISH), {**case, "slug": "case"})
        prioritize_all(session, now=NOON, cause="rules")

    assert rows(database, "select policy, outcome, due_at, tier, priority from finding") == [
        by_the_domain(case)
    ]


# -- what moves a deadline ---------------------------------------------------------------


@pytest.fixture
def organization(database: Database, clock: FrozenClock) -> int:
    """An organization whose host has a flaw of high severity."""
    publish(
        database,
        clock,
        "debian",
        advisory(FLAW, statement("debian:12", "anvil"), scores=(score(8.1, "high"),)),
    )
    made = new_organization(database, time_zone="Europe/Zurich")
    report(database, clock, made, "host", [deb("anvil", "1.0-1")])
    return made


def due(database: Database) -> tuple[str, str, datetime, int]:
    ((policy, outcome, due_at, tier),) = rows(database, "select policy, outcome, due_at, tier from finding")
    return policy, outcome, due_at, tier


def changes(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "select cause, outcome, due_at from deadline_change order by id")


def end_of(day: int, month: int) -> datetime:
    """The last moment of a summer day in Zurich."""
    return datetime(2026, month, day, 21, 59, 59, 999_999, tzinfo=UTC)


def test_a_finding_is_priced_when_it_opens_and_that_is_no_change(
    database: Database,
    organization: int,  # noqa: ARG001  # its host has the finding
) -> None:
    assert due(database) == ("sentrikat:SEVERITY_SLA:1.0.0", "30_days", end_of(2, 7), 1)
    assert changes(database) == []


def test_a_flaw_that_becomes_exploited_moves_deadlines_and_is_not_matched_again(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    new_organization(database, "without-hosts")
    report(database, clock, organization, "second", [deb("anvil", "1.0-1")])
    matches = rows(database, "select xmin, * from match order by id")
    clock.advance(timedelta(days=1))
    publish(database, clock, "kev", exploited(FLAW, "2026-06-03", ransomware=True), complete=True)

    assert rows(database, "select xmin, * from match order by id") == matches
    assert {row[:3] for row in rows(database, "select outcome, due_at, tier from finding")} == {
        ("14_days", end_of(17, 6), 2)
    }
    assert changes(database) == [("enrichment", "14_days", end_of(17, 6))] * 2
    told = rows(database, "select organization_id, kind, count from event where kind = 'became_exploited'")
    assert told == [(organization, "became_exploited", 2)]

    # The next day's catalog says the same, or corrects an entry: nobody hears of it twice.
    clock.advance(timedelta(days=1))
    publish(database, clock, "kev", exploited(FLAW, "2026-06-03", due="2026-07-01"), complete=True)
    assert rows(database, "select count(*) from event where kind = 'became_exploited'") == [(1,)]


def test_a_clock_that_ticks_between_merge_and_pricing_loses_no_event(
    database: Database,
    organization: int,  # noqa: ARG001  # its host has the finding
) -> None:
    class Ticking(FrozenClock):
        def now(self) -> datetime:
            self.advance(timedelta(milliseconds=7))
            return super().now()

    publish(database, Ticking(NOON), "kev", exploited(FLAW), complete=True)

    assert rows(database, "select count(*) from event where kind = 'became_exploited'") == [(1,)]


def test_a_flaw_taken_out_of_the_catalog_goes_back_and_its_history_stays(
    database: Database,
    clock: FrozenClock,
    organization: int,  # noqa: ARG001  # its host has the finding
) -> None:
    before = due(database)
    publish(database, clock, "kev", exploited(FLAW, "2026-06-03"), exploited("CVE-2026-9"), complete=True)
    clock.advance(timedelta(days=1))
    publish(database, clock, "kev", exploited("CVE-2026-9"), complete=True)

    assert due(database) == before
    assert [row[1] for row in changes(database)] == ["14_days", "30_days"]
    history = "select valid_to from enrichment e join vulnerability v on v.id = e.vulnerability_id where v.name = :name"
    assert rows(database, history, name=FLAW) == [(clock.now(),)]


def test_an_asset_that_becomes_internal_gets_its_own_deadline_and_a_note_of_it(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    publish(database, clock, "kev", exploited(FLAW, "2026-06-03"), complete=True)
    other = report(database, clock, organization, "other", [deb("anvil", "1.0-1")]).asset_id
    with database.as_system() as session:
        session.execute(text("update asset set exposure = 'public' where id = :id"), {"id": other})
        after_asset_change(session, organization, other, now=clock.now())
    ranks = dict(
        rows(database, "select a.hostname, f.priority from finding f join asset a on a.id = f.asset_id")
    )
    assert ranks["other"] > ranks["host"]

    with database.as_system() as session:
        session.execute(
            text("update vulnerability set ssvc_automatable = true, ssvc_technical_impact = 'total'")
        )
        session.execute(text("update asset set exposure = 'internal' where id = :id"), {"id": other})
        after_asset_change(session, organization, other, now=clock.now())

    assert changes(database)[-1] == ("exposure", "3_days_forensic", end_of(6, 6))
    # The other host's finding was not touched, only this asset's.
    assert rows(database, "select count(*) from deadline_change where cause = 'exposure'") == [(1,)]


def test_likelihood_moves_the_place_and_not_the_deadline(
    database: Database,
    clock: FrozenClock,
    organization: int,  # noqa: ARG001  # its host has the finding
) -> None:
    before = due(database)
    ((place,),) = rows(database, "select priority from finding")
    publish(database, clock, "epss", likely(FLAW, 0.97), complete=True)

    ((moved,),) = rows(database, "select priority from finding")
    assert moved > place
    assert due(database) == before
    assert changes(database) == []


def test_closed_findings_keep_the_deadline_they_had(
    database: Database, clock: FrozenClock, organization: int
) -> None:
    before = due(database)
    report(database, clock, organization, "host", [deb("anvil", "9999-1")])
    publish(database, clock, "debian", advisory(FLAW, statement("debian:12", "saw")))
    assert open_findings(database) == []
    publish(database, clock, "kev", exploited(FLAW), complete=True)

    assert rows(
        database, "select policy, outcome, due_at, tier from finding where close_reason = 'upgraded'"
    ) == [before]
