"""What a feed's run leaves behind: what came, what stayed, what went, and under which name it is filed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sentrikat.domain.advisory import Advisory, Product, Score, Statement, Status
from sentrikat.domain.cvss import preferred
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds.adapter import Quarantined
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.merge import merge
from sentrikat.vulnerabilities.staging import Staging
from tests.builders import (
    advisory,
    exploited,
    forget_temporary,
    likely,
    publish,
    rows,
    score,
    statement,
)

FLAW = "CVE-2026-1001"
OTHER = "CVE-2026-1002"
ANVIL = ("cpe:a", "acme:anvil")


def current_statements(database: Database) -> list[tuple[Any, ...]]:
    """(flaw, product, fixed) of every current statement."""
    return rows(
        database,
        "select v.name, p.name, r.fixed from affected_range r join vulnerability v on v.id = r.vulnerability_id"
        " join product p on p.id = r.product_id where r.valid_to is null order by 1, 2, 3",
    )


def flaw(database: Database, name: str, columns: str) -> tuple[Any, ...]:
    """Columns of one flaw."""
    (found,) = rows(database, f"select {columns} from vulnerability where name = :name", name=name)
    return found


# -- changed, unchanged, withdrawn -------------------------------------------------------


def test_a_record_held_already_changes_nothing(database: Database, clock: FrozenClock) -> None:
    record = advisory(FLAW, statement(*ANVIL, fixed="2.0"), description="A flaw.")
    publish(database, clock, "nvd", record)
    before = rows(database, "select id, valid_from from affected_range")
    clock.advance(timedelta(days=1))

    again = publish(database, clock, "nvd", record)

    assert again.merged is not None
    assert (again.merged.added, again.merged.changed, again.merged.changed_statements) == (0, 0, 0)
    assert rows(database, "select id, valid_from from affected_range") == before


def test_a_changed_record_closes_what_it_no_longer_says_and_leaves_the_rest(
    database: Database, clock: FrozenClock
) -> None:
    stays, goes = statement(*ANVIL, fixed="2.0"), statement("cpe:a", "acme:rope", fixed="1.0")
    publish(database, clock, "nvd", advisory(FLAW, stays, goes))
    (kept,) = rows(database, "select r.id from affected_range r where fixed = '2.0'")
    clock.advance(timedelta(days=1))

    report = publish(
        database, clock, "nvd", advisory(FLAW, stays, statement("cpe:a", "acme:saw", fixed="3.0"))
    )

    assert report.merged is not None
    assert (report.merged.added, report.merged.changed) == (0, 1)
    assert current_statements(database) == [(FLAW, "acme:anvil", "2.0"), (FLAW, "acme:saw", "3.0")]
    assert rows(database, "select id from affected_range where fixed = '2.0'") == [kept]
    assert rows(database, "select valid_to from affected_range where fixed = '1.0'") == [(clock.now(),)]


def test_a_complete_feed_withdraws_what_it_no_longer_holds(database: Database, clock: FrozenClock) -> None:
    first, second = (
        advisory(FLAW, statement(*ANVIL)),
        advisory(OTHER, statement(*ANVIL), scores=(score(9.8, "critical"),)),
    )
    publish(database, clock, "debian", first, second, complete=True)

    report = publish(database, clock, "debian", first, complete=True)

    assert report.merged is not None
    assert report.merged.withdrawn == 1
    assert current_statements(database) == [(FLAW, "acme:anvil", None)]
    assert flaw(database, OTHER, "cvss_score, severity") == (None, None)


def test_what_was_withdrawn_and_comes_back_unchanged_counts_again(
    database: Database, clock: FrozenClock
) -> None:
    first, second = advisory(FLAW, statement(*ANVIL)), advisory(OTHER, statement(*ANVIL))
    for said in ((first, second), (first,), (first, second)):
        publish(database, clock, "debian", *said, complete=True)

    assert [row[0] for row in current_statements(database)] == [FLAW, OTHER]


@pytest.mark.parametrize(
    ("complete", "cut"),
    [
        (False, False),  # a delta: what it does not mention did not change
        (True, True),  # a cut document: what it does not mention may be in the part that is missing
    ],
)
def test_nothing_is_withdrawn_by_a_part(
    database: Database, clock: FrozenClock, complete: bool, cut: bool
) -> None:
    publish(database, clock, "debian", advisory(FLAW, statement(*ANVIL)), advisory(OTHER, statement(*ANVIL)))
    publish(database, clock, "debian", advisory(FLAW, statement(*ANVIL)), complete=complete, cut=cut)

    assert len(current_statements(database)) == 2


def test_a_record_that_says_it_is_withdrawn_makes_no_statement_and_is_read_once(
    database: Database, clock: FrozenClock
) -> None:
    publish(database, clock, "osv", advisory(FLAW, statement(*ANVIL), source="osv"))
    gone = advisory(FLAW, statement(*ANVIL), source="osv", withdrawn=datetime(2026, 6, 1, tzinfo=UTC))

    publish(database, clock, "osv", gone)
    again = publish(database, clock, "osv", gone)

    assert current_statements(database) == []
    assert again.merged is not None
    assert again.merged.changed == 0


def test_a_record_that_cannot_be_read_any_more_keeps_what_it_said(
    database: Database, clock: FrozenClock
) -> None:
    """A complete feed with one broken record is no word on that record."""
    publish(database, clock, "debian", advisory(FLAW, statement(*ANVIL)), complete=True)
    publish(database, clock, "kev", exploited(FLAW), complete=True)
    broken = Quarantined(FLAW, "it holds no releases", '{"releases": 7}')

    publish(database, clock, "debian", advisory(OTHER, statement(*ANVIL)), broken, complete=True)
    publish(database, clock, "kev", exploited(OTHER), broken, complete=True)

    assert len(current_statements(database)) == 2
    assert flaw(database, FLAW, "exploited_since is not null") == (True,)
    assert rows(database, "select feed, record, reason, excerpt from quarantined_record order by 1") == [
        ("debian", FLAW, "it holds no releases", '{"releases": 7}'),
        ("kev", FLAW, "it holds no releases", '{"releases": 7}'),
    ]


def test_a_record_good_again_is_set_aside_no_longer(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "debian", Quarantined(FLAW, "broken", "{}"))
    publish(database, clock, "debian", advisory(FLAW, statement(*ANVIL)))

    assert rows(database, "select * from quarantined_record") == []


@pytest.mark.parametrize(
    ("order", "counts"),
    [
        ("ABBA", "2.0"),
        ("AAB", "2.0"),
        ("BABA", "2.0"),
        ("AC", "3.0"),  # of one moment: what came last
        ("ACA", "1.0"),
        ("AA", "1.0"),
    ],
)
def test_of_two_forms_of_one_record_in_one_run_the_newer_counts(
    database: Database, clock: FrozenClock, order: str, counts: str
) -> None:
    """One GHSA stands in the archive of each ecosystem it touches, and archives are made one after another."""
    january, february = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    forms = {
        "A": advisory(FLAW, statement(*ANVIL, fixed="1.0"), modified=january),
        "B": advisory(FLAW, statement(*ANVIL, fixed="2.0"), modified=february),
        "C": advisory(FLAW, statement(*ANVIL, fixed="3.0"), modified=january),
    }

    publish(database, clock, "osv", *(forms[form] for form in order))

    assert current_statements(database) == [(FLAW, "acme:anvil", counts)]


def test_bounds_that_cannot_be_ordered_are_for_review(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "osv", advisory(FLAW, statement("pypi", "anvil", fixed="not a version")))

    assert rows(database, "select described, strength, lo, hi, fixed from affected_range") == [
        (False, 0, b"", None, "not a version")
    ]


# -- words and scores --------------------------------------------------------------------


def test_the_best_placed_source_describes_a_flaw_whatever_comes_first(
    database: Database, clock: FrozenClock
) -> None:
    publish(database, clock, "osv", advisory(FLAW, source="osv", title="By OSV", description="OSV says."))
    publish(database, clock, "nvd", advisory(FLAW, description="NVD says."))
    publish(
        database,
        clock,
        "debian",
        advisory(FLAW, source="debian", named=f"{FLAW}/anvil", description="Debian."),
    )

    assert flaw(database, FLAW, "title, description, summary_source") == ("By OSV", "NVD says.", "nvd")


def test_a_record_about_many_flaws_keeps_no_later_words_out(database: Database, clock: FrozenClock) -> None:
    errata = Advisory("osv", "RHSA-2026:1", (FLAW, OTHER), (), title="Important: anvil update")
    publish(database, clock, "osv", errata)
    publish(
        database,
        clock,
        "debian",
        advisory(FLAW, source="debian", named=f"{FLAW}/anvil", description="Debian."),
    )

    assert flaw(database, FLAW, "title, description, summary_source") == (None, "Debian.", "debian")


def test_a_rejected_flaw_is_marked_and_says_nothing_until_it_is_taken_back(
    database: Database, clock: FrozenClock
) -> None:
    publish(database, clock, "nvd", advisory(FLAW, statement(*ANVIL), description="A flaw."))
    clock.advance(timedelta(hours=1))
    publish(database, clock, "nvd", advisory(FLAW, statement(*ANVIL), description="Rejected.", rejected=True))
    assert flaw(database, FLAW, "rejected_at") == (clock.now(),)
    assert current_statements(database) == []

    publish(database, clock, "nvd", advisory(FLAW, statement(*ANVIL), description="A flaw after all."))
    assert flaw(database, FLAW, "rejected_at") == (None,)
    assert len(current_statements(database)) == 1


PROVIDERS = ("nvd@nist.gov", "acme", "CISA-ADP", "134c704f-9b21-4f2e-91b3-4a467353bcc0", "Zulu", "zulu")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(
        st.builds(
            score,
            st.sampled_from((5.0, 7.5, 9.8)),
            st.just("high"),
            version=st.sampled_from(("2.0", "3.0", "3.1", "4.0")),
            provider=st.sampled_from(PROVIDERS),
            primary=st.booleans(),
        ),
        max_size=8,
    ),
    split=st.integers(0, 8),
)
def test_the_score_shown_is_the_one_the_domain_prefers(
    database: Database, said: list[Score], split: int
) -> None:
    with database.as_system() as session:
        for source, scores in (("nvd", said[:split]), ("osv", said[split:])):
            staging = Staging(session, source)
            staging.begin()
            staging.add(advisory(FLAW, source=source, scores=tuple(scores)))
            merge(session, staging, complete=False, now=datetime(2026, 6, 2, tzinfo=UTC))
            forget_temporary(session)
        shown = session.execute(
            text("select cvss_version, cvss_vector, cvss_provider from vulnerability where name = :name"),
            {"name": FLAW},
        ).one()
        session.rollback()

    best = preferred(said)
    assert tuple(shown) == ((best.version, best.vector, best.provider) if best else (None, None, None))


def test_a_score_taken_back_is_shown_no_longer(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "nvd", advisory(FLAW, scores=(score(9.8, "critical"),)))
    publish(database, clock, "nvd", advisory(FLAW, scores=(score(5.0, "medium"),)))
    assert flaw(database, FLAW, "severity") == ("medium",)

    publish(database, clock, "nvd", advisory(FLAW))
    assert flaw(database, FLAW, "severity, cvss_score, cvss_vector") == (None, None, None)


# -- many names of one flaw --------------------------------------------------------------

GHSA = Advisory(
    "osv",
    "GHSA-aaaa-bbbb-cccc",
    (FLAW,),
    (Statement(Product("pypi", "anvil"), Status.AFFECTED, VersionRange(Scheme.PEP440, fixed="2.0")),),
    aliases=(FLAW,),
    scores=(score(9.8, "critical", provider="GitHub"),),
)
PYSEC = Advisory(
    "osv",
    "PYSEC-2026-1",
    ("PYSEC-2026-1",),
    (Statement(Product("pypi", "anvil"), Status.AFFECTED, VersionRange(Scheme.PEP440, fixed="1.5")),),
    aliases=("GHSA-aaaa-bbbb-cccc",),
    scores=(score(10.0, "critical", version="4.0", provider="PyPA"),),
)


@pytest.mark.parametrize(
    "runs",
    [
        ((PYSEC, GHSA),),  # one archive
        ((GHSA,), (PYSEC,)),  # who knows the CVE first
        ((PYSEC,), (GHSA,)),  # the link to the CVE comes later, and from a record that is not the one filed
    ],
)
def test_records_of_one_flaw_are_filed_under_its_cve(
    database: Database, clock: FrozenClock, runs: tuple[tuple[Advisory, ...], ...]
) -> None:
    for records in runs:
        publish(database, clock, "osv", *records)

    assert current_statements(database) == [(FLAW, "anvil", "1.5"), (FLAW, "anvil", "2.0")]
    assert flaw(database, FLAW, "cvss_version, cvss_provider") == ("4.0", "PyPA")


def test_an_errata_is_no_other_name_of_the_flaw_it_repairs(database: Database, clock: FrozenClock) -> None:
    publish(
        database,
        clock,
        "osv",
        Advisory("osv", "RHSA-2026:1", (FLAW,), (statement("rhel:9", "anvil", fixed="1"),)),
    )
    publish(database, clock, "debian", advisory(FLAW, source="debian", named=f"{FLAW}/anvil"))
    publish(database, clock, "osv", GHSA)

    assert rows(database, "select name, alias from alias") == [(FLAW, "GHSA-aaaa-bbbb-cccc")]


# -- facts about flaws, with their history -----------------------------------------------

KEV_HISTORY = "select valid_from, valid_to, fact->>'due' from enrichment where kind = 'kev' order by id"


def test_exploitation_keeps_its_history_through_change_removal_and_return(
    database: Database, clock: FrozenClock
) -> None:
    first = clock.now()
    publish(database, clock, "kev", exploited(FLAW, due="2026-06-10"), exploited(OTHER), complete=True)
    clock.advance(timedelta(days=1))
    second = clock.now()
    publish(database, clock, "kev", exploited(FLAW, due="2026-06-20"), exploited(OTHER), complete=True)
    clock.advance(timedelta(days=1))
    third = clock.now()
    publish(database, clock, "kev", exploited(OTHER), complete=True)
    assert flaw(database, FLAW, "exploited_since, exploited_due, ransomware") == (None, None, False)
    clock.advance(timedelta(days=1))
    fourth = clock.now()
    publish(database, clock, "kev", exploited(FLAW, due="2026-06-20"), exploited(OTHER), complete=True)

    history = [row for row in rows(database, KEV_HISTORY) if row[2] in {"2026-06-10", "2026-06-20"}]
    assert history == [
        (first, second, "2026-06-10"),
        (second, third, "2026-06-20"),
        (fourth, None, "2026-06-20"),
    ]
    assert flaw(database, FLAW, "exploited_since is not null") == (True,)


def test_likelihood_is_history_only_where_its_probability_or_model_moved(
    database: Database, clock: FrozenClock
) -> None:
    days = (
        likely(FLAW, 0.1, percentile=0.5, on="2026-06-01"),
        likely(FLAW, 0.1, percentile=0.6, on="2026-06-02"),  # every percentile moves every day
        likely(FLAW, 0.2, percentile=0.6, on="2026-06-03"),
        likely(FLAW, 0.2, percentile=0.6, model="v2027", on="2026-06-04"),
    )
    for day in days:
        publish(database, clock, "epss", day, likely(OTHER, 0.9), complete=True)
        clock.advance(timedelta(days=1))

    history = (
        "select scored_on::text from likelihood join vulnerability v on v.id = vulnerability_id"
        " where v.name = :name order by valid_from"
    )
    assert rows(database, history, name=FLAW) == [("2026-06-01",), ("2026-06-03",), ("2026-06-04",)]
    assert flaw(database, FLAW, "epss_model, round(epss_percentile::numeric, 1)::float") == ("v2027", 0.6)

    publish(database, clock, "epss", likely(OTHER, 0.9), complete=True)
    assert flaw(database, FLAW, "epss, epss_percentile, epss_model") == (None, None, None)
    assert rows(database, history, name=FLAW)[3:] == [(None,)]
