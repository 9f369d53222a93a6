"""A system past its end, over HTTP: on its page, in the lists, in the figures, in the API."""

from __future__ import annotations

from datetime import date

import pytest
from fastapi.testclient import TestClient

from sentrikat.api import assets
from sentrikat.domain.advisory import ReleaseCycles
from sentrikat.domain.lifecycle import Cycle, Ending
from sentrikat.domain.permissions import Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.builders import NOON, publish, report
from tests.flows.estate import Estate, key, session_of

UTOPIC = {"family": "linux", "name": "ubuntu", "version": "14.10"}
BIONIC = {"family": "linux", "name": "ubuntu", "version": "18.04"}
SENTENCE = "Unsupported since 23 July 2015: no more advisories come, so no findings does not mean none."


@pytest.fixture(scope="module")
def hosts(database: Database, estate: Estate) -> dict[str, int]:
    """One host past its end, one that gets repairs only for money."""
    clock = FrozenClock(NOON)
    publish(
        database,
        clock,
        "endoflife",
        ReleaseCycles(
            "endoflife",
            "ubuntu",
            (
                Cycle("ubuntu", "14.10", security=Ending(date(2015, 7, 23))),
                Cycle(
                    "ubuntu", "18.04", security=Ending(date(2023, 5, 31)), extended=Ending(date(2028, 4, 1))
                ),
            ),
        ),
    )
    return {
        name: report(database, clock, estate.acme, name, [], os=system).asset_id
        for name, system in (("utopic-01", UTOPIC), ("bionic-01", BIONIC))
    }


@pytest.fixture
def analyst(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """The analyst's browser."""
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "analyst"))
    return client


def test_the_page_of_a_host_says_it_where_findings_would_stand(
    analyst: TestClient, hosts: dict[str, int]
) -> None:
    page = analyst.get(f"/assets/{hosts['utopic-01']}").text

    assert SENTENCE in page
    assert "No open findings, and that proves nothing" in page


def test_a_host_with_extended_support_is_not_called_unsupported(
    analyst: TestClient, hosts: dict[str, int]
) -> None:
    page = analyst.get(f"/assets/{hosts['bionic-01']}").text

    assert "repairs come only with extended support until 1 April 2028" in page
    assert "proves nothing" not in page


def test_a_supported_host_has_no_such_section(
    analyst: TestClient, estate: Estate, hosts: dict[str, int]
) -> None:
    assert hosts
    assert "<h2>Unsupported</h2>" not in analyst.get(f"/assets/{estate.assets['web-03']}").text


def test_the_overview_leads_to_the_hosts_it_counts(analyst: TestClient, hosts: dict[str, int]) -> None:
    assert hosts
    page = analyst.get("/").text
    listed = analyst.get("/assets?unsupported=yes").text

    assert '<a class="danger" href="/assets?unsupported=yes">1 asset</a>' in page
    assert "utopic-01" in listed
    assert "bionic-01" not in listed
    assert "Extended support" in analyst.get("/assets?hostname=bionic").text


def test_the_api_gives_what_is_past_its_end(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate, hosts: dict[str, int]
) -> None:
    client.headers["Authorization"] = (
        f"Bearer {key(database, clock, estate, Permission.INVENTORY_READ).secret}"
    )
    listed = client.get("/api/v1/assets?unsupported=true").json()
    found = client.get(f"/api/v1/assets/{hosts['utopic-01']}/unsupported")

    assets.UnsupportedList.model_validate(found.json())
    assert [one["hostname"] for one in listed["items"]] == ["utopic-01"]
    assert [(one["support"], one["since"], one["sentence"]) for one in found.json()["items"]] == [
        ("ended", "2015-07-23", SENTENCE)
    ]
    assert client.get("/api/v1/assets/999999/unsupported").status_code == 404
