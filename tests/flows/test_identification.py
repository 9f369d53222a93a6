"""The identification queue through its two doors: the API, and a page without JavaScript."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from sentrikat.api import identification
from sentrikat.domain.advisory import CatalogueEntry, Product
from sentrikat.domain.permissions import KEY_SCOPES, Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.builders import publish
from tests.flows.estate import Estate, key, report, session_of
from tests.flows.test_api import held, problem

TITLE = "Plain <Name> Viewer 3.1"


@pytest.fixture(autouse=True)
def undecided(database: Database, clock: FrozenClock, estate: Estate) -> None:
    """A program that nobody can tell, and a product to choose."""
    chrome = CatalogueEntry("nvd_cpe", Product("cpe:a", "google:chrome"), "Google Chrome")
    publish(database, clock, "nvd_cpe", chrome)
    report(database, clock, estate.acme, "desk-01", [{"type": "windows", "name": TITLE, "version": "3.1"}])


@pytest.fixture
def api(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """A program with a key for everything a key can do."""
    client.headers["Authorization"] = f"Bearer {key(database, clock, estate, *KEY_SCOPES).secret}"
    return client


def waiting(api: TestClient) -> list[str]:
    """The titles in the queue."""
    queue = held(api.get("/api/v1/identification"), identification.Queue)
    return [row["name"] for row in queue["items"]]


def test_the_queue_is_decided_and_a_decision_taken_back(api: TestClient) -> None:
    assert TITLE in waiting(api)

    wanted = {"title": TITLE, "meaning": "unlisted", "reason": "A program of our own"}
    made = held(
        api.post("/api/v1/identification/corrections", json=wanted), identification.CorrectionAnswer, 201
    )
    assert TITLE not in waiting(api)
    assert held(api.get("/api/v1/identification/corrections"), identification.Corrections)["items"] == [made]

    assert api.delete(f"/api/v1/identification/corrections/{made['id']}").status_code == 204
    assert TITLE in waiting(api)


def test_a_product_nobody_speaks_of_is_refused(api: TestClient) -> None:
    wanted = {"title": TITLE, "meaning": "nobody:nothing", "reason": "A guess"}

    found = problem(api.post("/api/v1/identification/corrections", json=wanted), 422)

    assert "meaning" in found["detail"]


def test_the_catalogue_can_be_searched(api: TestClient) -> None:
    found = held(api.get("/api/v1/identification/products?words=google+chrome"), identification.FoundProducts)

    assert any("chrome" in one["product"] for one in found["items"])


def test_a_key_that_only_reads_decides_nothing(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    made = key(database, clock, estate, Permission.INVENTORY_READ)
    wanted = {"title": TITLE, "meaning": "unlisted", "reason": "A program of our own"}

    answer = client.post(
        "/api/v1/identification/corrections", json=wanted, headers={"Authorization": f"Bearer {made.secret}"}
    )

    assert problem(answer, 403)["code"] == "key_scope"


def test_a_person_decides_with_plain_forms(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "analyst"))
    page = client.get("/identification").text
    assert "Plain &lt;Name&gt; Viewer" in page  # as text, never as markup
    assert "titles to identify" in client.get("/").text
    one = re.search(r'href="(/identification/\d+)">Plain &lt;Name&gt;', page)
    assert one is not None
    assert 'name="reason"' in client.get(one[1]).text
    assert "No product of the catalogue" in client.get(f"{one[1]}?words=zzzzzz").text

    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    form = {"csrf_token": token[1], "title": TITLE, "meaning": "ignored", "reason": "In-house software"}
    answer = client.post("/identification/decisions", data=form)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/identification")
    after = client.get("/identification").text
    assert "In-house software" in after
    back = re.search(r'action="(/identification/corrections/\d+/withdrawal)"', after)
    assert back is not None
    assert client.post(back[1], data={"csrf_token": token[1]}).status_code == 303
    assert TITLE.rsplit(maxsplit=1)[-1] in client.get("/identification").text


def test_who_may_only_read_sees_no_button(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "viewer"))

    assert "/identification/decisions" not in client.get("/identification").text
