"""Why, as of a day: over months of catalogs, upgrades and withdrawn statements each day keeps its own answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentrikat.cli import run
from sentrikat.domain.errors import NotFound
from sentrikat.findings.explain_past import explain_finding_then, explain_then
from sentrikat.findings.reasoning import Explanation
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from tests.builders import advisory, deb, exploited, new_organization, publish, report, rows, statement
from tests.conftest import database

__all__ = ["database"]  # an empty one, not the furnished one of these flows

FLAW = "CVE-2026-1001"


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, 12, tzinfo=UTC)


@pytest.fixture
def story(database: Database, clock: FrozenClock) -> tuple[int, int]:
    """March: found. April: listed as exploited. May: upgraded. June: the statement is withdrawn."""
    organization = new_organization(database)
    clock.set(day(3, 1))
    publish(
        database,
        clock,
        "debian",
        advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1"), source="debian"),
    )
    clock.set(day(3, 10))
    asset = report(database, clock, organization, "web", [deb("anvil", "1.0-1")]).asset_id
    clock.set(day(4, 10))
    publish(database, clock, "kev", exploited(FLAW, "2026-04-09"), complete=True)
    clock.set(day(5, 10))
    report(database, clock, organization, "web", [deb("anvil", "2.0-1")])
    clock.set(day(6, 10))
    other = advisory("CVE-2026-2", statement("debian:12", "other", fixed="1"), source="debian")
    publish(database, clock, "debian", other, complete=True)
    return organization, asset


def asked(database: Database, story: tuple[int, int], moment: datetime) -> Explanation:
    organization, asset = story
    with database.as_organization(organization) as session:
        (answer,) = explain_then(session, organization, asset, FLAW, moment)
    assert answer.as_of == moment
    return answer


def told(answer: Explanation) -> str:
    return " ".join(step.text for step in answer.chain)


def test_before_the_catalog_it_was_affected_and_not_known_to_be_exploited(
    database: Database, story: tuple[int, int]
) -> None:
    answer = asked(database, story, day(4, 1))

    assert answer.verdict == "affected"
    assert answer.sentence == ("On 1 April 2026 at 12:00, anvil 1.0-1 on web was affected by CVE-2026-1001.")
    assert "This speaks of what was installed and what the sources had said on 1 April 2026" in told(answer)
    assert "No catalog that was loaded listed it as exploited" in told(answer)
    assert "CISA KEV brought it later." in told(answer)
    assert "1.0-1 < 2.0-1" in told(answer)


def test_after_the_catalog_it_was_listed(database: Database, story: tuple[int, int]) -> None:
    assert "listed as known to be exploited: CISA KEV since 2026-04-09" in told(
        asked(database, story, day(4, 20))
    )


def test_after_the_upgrade_it_was_not_affected(database: Database, story: tuple[int, int]) -> None:
    answer = asked(database, story, day(5, 20))

    assert answer.verdict == "not_affected"
    assert "anvil 2.0-1 on web was not affected" in answer.sentence


def test_a_withdrawn_statement_still_speaks_of_its_time(database: Database, story: tuple[int, int]) -> None:
    after = asked(database, story, day(6, 20))

    assert "nothing held said that web had CVE-2026-1001" in after.sentence
    assert "No statement held then" in told(after)
    assert asked(database, story, day(6, 1)).verdict == "not_affected"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (day(2, 1), "No feed had been loaded on 1 February 2026"),
        (day(3, 5), "web had not reported on 5 March 2026"),
    ],
)
def test_a_day_before_anything_was_held_says_so(
    database: Database, story: tuple[int, int], moment: datetime, words: str
) -> None:
    answer = asked(database, story, moment)

    assert answer.verdict == "unknown"
    assert "cannot be said: nothing was held then" in answer.sentence
    assert words in told(answer)


def test_a_finding_is_told_as_it_stood(database: Database, story: tuple[int, int]) -> None:
    organization, _ = story
    ((number, opened),) = rows(database, "select id, opened_at from finding")

    with database.as_organization(organization) as session:
        open_then = explain_finding_then(session, organization, number, opened + timedelta(days=1))
        closed_then = explain_finding_then(session, organization, number, day(5, 20))
        with pytest.raises(NotFound):
            explain_finding_then(session, organization, number + 1, day(5, 20))

    assert "Its finding was open; its deadline has been moved since" in told(open_then)
    assert closed_then.verdict == "not_affected"
    assert "this software, as installed then" in told(closed_then)


def test_the_deadline_of_the_day_is_told_once_it_had_moved(
    database: Database, story: tuple[int, int]
) -> None:
    assert "Its finding was open, due by 23 April 2026." in told(asked(database, story, day(4, 20)))


def test_the_command_speaks_of_the_end_of_the_day(
    database: Database,
    story: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert story
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)

    assert run(["explain", "web", FLAW, "--as-of", "2026-04-10"]) == 0

    said = capsys.readouterr().out
    assert "At the end of 10 April 2026, anvil 1.0-1 on web was affected by CVE-2026-1001." in said
    assert "CISA KEV since 2026-04-09" in said
