"""The queue of what is possibly affected: read by vulnerability, decided for several at once, undone."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import Estate, session_of

REASON = "The server part is not installed."


@pytest.fixture
def flaws(database: Database, clock: FrozenClock, estate: Estate) -> Iterator[list[str]]:
    """Two vulnerabilities without findings that a catalog names for software of two components."""
    with database.as_system() as session:
        names = session.scalars(
            text(
                "with flaw as (select id, name from vulnerability v where same_as_id is null"
                "    and not exists (select from match m where m.vulnerability_id = v.id) order by id limit 2),"
                " named as (insert into possible"
                "    (component_id, vulnerability_id, basis, source, vendor, product, since)"
                "    select i.component_id, f.id, 'catalog', 'kev', 'Maker', 'Thing', :now from flaw f,"
                "      (select component_id from install where asset_id = :asset and removed_at is null"
                "       order by component_id limit 2) i)"
                " select name from flaw order by name"
            ),
            {"now": clock.now(), "asset": estate.assets["web-03"]},
        ).all()
    yield list(names)
    with database.as_system() as session:
        session.execute(text("delete from possible"))


@pytest.fixture
def analyst(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """The analyst's browser."""
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "analyst"))
    return client


def entries(page: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'name="entry" value="([^"]+)"', page)]


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_a_vulnerability_without_findings_says_what_is_possibly_affected(
    analyst: TestClient, flaws: list[str]
) -> None:
    """No finding does not mean not affected, where a source names the software without versions."""
    page = analyst.get(f"/vulnerabilities/{flaws[0]}").text

    assert "No open finding." in page
    assert "affected, which nobody can say for certain" in page
    assert page.count("CISA KEV names Maker Thing") == 2
    assert f'href="/possibly-affected?cve={flaws[0]}"' in page
    assert {one.split("|")[0] for one in entries(analyst.get(f"/possibly-affected?cve={flaws[0]}").text)} == {
        flaws[0]
    }
    assert analyst.get("/possibly-affected?cve=CVE-1999-99999").status_code == 404


def test_several_entries_are_dismissed_with_one_reason_and_put_back(
    analyst: TestClient, flaws: list[str]
) -> None:
    page = analyst.get(f"/possibly-affected?cve={flaws[0]}").text
    chosen = entries(page)
    form = {"csrf_token": token_of(page), "entry": chosen, "reason": REASON, "cve": flaws[0]}
    answer = analyst.post("/possibly-affected/dismissals", data=form)

    assert (len(chosen), answer.status_code) == (2, 303)
    assert answer.headers["location"] == f"/possibly-affected?cve={flaws[0]}&decided=2"
    after = analyst.get(answer.headers["location"]).text
    assert "2 entries were dismissed." in after
    assert entries(after) == []
    assert {one.split("|")[0] for one in entries(analyst.get("/possibly-affected").text)} == {flaws[1]}
    undone = analyst.get(f"/possibly-affected?cve={flaws[0]}&dismissed=yes").text
    assert undone.count(f"by analyst: {REASON}") == 2  # by name, as people know each other
    back = analyst.post(
        "/possibly-affected/restorals",
        data={"csrf_token": token_of(undone), "entry": entries(undone), "cve": flaws[0]},
    )
    assert "2 entries were put back." in analyst.get(back.headers["location"]).text
    assert sorted(entries(analyst.get(f"/possibly-affected?cve={flaws[0]}").text)) == sorted(chosen)


def test_all_chosen_entries_are_decided_or_none(analyst: TestClient, flaws: list[str]) -> None:
    page = analyst.get("/possibly-affected").text
    chosen = entries(page)
    form = {"csrf_token": token_of(page), "entry": [*chosen, f"{flaws[0]}|999999"], "reason": REASON}

    assert analyst.post("/possibly-affected/dismissals", data=form).status_code == 404
    assert analyst.post("/possibly-affected/dismissals", data={**form, "entry": []}).status_code == 422
    assert analyst.post("/possibly-affected/dismissals", data={**form, "entry": ["junk"]}).status_code == 404
    assert entries(analyst.get("/possibly-affected").text) == chosen


def test_a_viewer_reads_the_queue_without_choosing(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate, flaws: list[str]
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "viewer"))
    page = client.get("/possibly-affected").text

    assert flaws[0] in page
    assert entries(page) == []
    assert "<form id=" not in page
