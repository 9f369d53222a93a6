"""Who says that a flaw is exploited, and who knows of an exploit: each word is kept apart and ends with its source."""

from __future__ import annotations

from datetime import date
from typing import Any

from sentrikat.domain.advisory import Enrichment, PublishedExploit, SameFlaw
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.queries import get_vulnerability
from tests.builders import (
    advisory,
    deb,
    exploited,
    new_organization,
    open_findings,
    publish,
    report,
    rows,
    statement,
)

FLAW, OTHER = "CVE-2026-1001", "CVE-2026-1002"


def marks(database: Database, name: str = FLAW) -> tuple[Any, ...]:
    (found,) = rows(
        database,
        "select exploited_since, enisa_exploited_since, exploit_public from vulnerability where name = :name",
        name=name,
    )
    return found


def public(source: str, flaw: str = FLAW, count: int = 1) -> Enrichment:
    return Enrichment(
        source, flaw, published_exploit=PublishedExploit(count, date(2026, 5, 5), ("https://x.example/1",))
    )


def test_cisa_and_enisa_say_the_same_of_one_flaw_in_two_rows(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "kev", exploited(FLAW, "2026-05-01"), complete=True)
    publish(database, clock, "euvd", exploited(FLAW, "2026-04-20", source="euvd"), complete=True)

    assert marks(database) == (date(2026, 5, 1), date(2026, 4, 20), False)
    assert rows(database, "select source from enrichment where kind = 'kev' order by 1") == [
        ("euvd",),
        ("kev",),
    ]


def test_the_word_of_one_stays_when_the_other_takes_its_own_back(
    database: Database, clock: FrozenClock
) -> None:
    publish(database, clock, "kev", exploited(FLAW), exploited(OTHER), complete=True)
    publish(
        database,
        clock,
        "euvd",
        exploited(FLAW, source="euvd"),
        exploited(OTHER, source="euvd"),
        complete=True,
    )

    publish(database, clock, "kev", exploited(OTHER), complete=True)
    assert marks(database) == (None, date(2026, 5, 1), False)

    publish(database, clock, "euvd", exploited(OTHER, source="euvd"), complete=True)
    assert marks(database) == (None, None, False)
    assert marks(database, OTHER) == (date(2026, 5, 1), date(2026, 5, 1), False)


def test_what_enisa_lists_comes_first_and_gets_no_deadline_of_cisas(
    database: Database, clock: FrozenClock
) -> None:
    organization_id = new_organization(database)
    publish(
        database,
        clock,
        "debian",
        advisory(FLAW, statement("debian:12", "anvil"), source="debian"),
        advisory(OTHER, statement("debian:12", "anvil"), source="debian"),
    )
    report(database, clock, organization_id, "host", [deb("anvil", "1.0")])
    before = {row[0]: row[1:] for row in rows(database, FINDINGS)}

    publish(database, clock, "euvd", exploited(OTHER, source="euvd"), complete=True)

    after = {row[0]: row[1:] for row in rows(database, FINDINGS)}
    assert len(open_findings(database)) == 2
    assert after[OTHER][0] > after[FLAW][0]
    assert after[OTHER][1:] == before[OTHER][1:], "BOD 26-04 asks for CISA's catalog alone"
    assert after[FLAW] == before[FLAW]


FINDINGS = (
    "select v.name, f.priority, f.policy, f.outcome, f.due_at from finding f"
    " join vulnerability v on v.id = f.vulnerability_id"
)


def test_a_flaw_becomes_exploited_once_however_many_say_so(database: Database, clock: FrozenClock) -> None:
    organization_id = new_organization(database)
    publish(database, clock, "debian", advisory(FLAW, statement("debian:12", "anvil"), source="debian"))
    report(database, clock, organization_id, "host", [deb("anvil", "1.0")])

    publish(database, clock, "euvd", exploited(FLAW, source="euvd"), complete=True)
    publish(database, clock, "kev", exploited(FLAW), complete=True)

    assert rows(database, "select count(*) from event where kind = 'became_exploited'") == [(1,)]


def test_an_exploit_is_public_while_any_source_has_one(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "exploitdb", public("exploitdb"), public("exploitdb", OTHER), complete=True)
    publish(database, clock, "metasploit", public("metasploit"), public("metasploit", OTHER), complete=True)
    publish(database, clock, "exploitdb", public("exploitdb", OTHER), complete=True)
    assert marks(database)[2]

    publish(database, clock, "metasploit", public("metasploit", OTHER), complete=True)
    assert not marks(database)[2]

    with database.as_system() as session:
        found = get_vulnerability(session, OTHER)
    assert found is not None
    assert {one.source for one in found.exploits} == {"exploitdb", "metasploit"}


def test_a_flaw_is_found_by_the_name_enisa_gave_it(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "nvd", advisory(FLAW, statement("cpe:a", "acme:anvil")))
    publish(database, clock, "euvd", SameFlaw("euvd", FLAW, "EUVD-2026-7"), complete=True)

    with database.as_system() as session:
        found = get_vulnerability(session, "EUVD-2026-7")
    assert found is not None
    assert found.row.name == FLAW
    assert rows(database, "select count(*) from vulnerability") == [(1,)], "a name alone is no flaw"
