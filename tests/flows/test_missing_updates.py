"""Missing updates of a Windows machine, as a program and a person ask for them."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from sentrikat.api import assets
from sentrikat.domain.advisory import Advisory, Product, VendorUpdate
from sentrikat.domain.permissions import KEY_SCOPES
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.builders import publish, report
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, key, session_of

TITLE = "windows server 2012 r2"
BEHIND = {
    "family": "windows",
    "name": "Windows Server 2012 R2 Standard",
    "version": "6.3.9600",
    "arch": "x86_64",
}


@pytest.fixture
def api(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """A program with a key for everything a key can do."""
    client.headers["Authorization"] = f"Bearer {key(database, clock, estate, *KEY_SCOPES).secret}"
    return client


def furnish(database: Database, estate: Estate, offered: int = 3) -> int:
    """A server that lacks some updates, the later ones repairing more."""
    updates = tuple(
        VendorUpdate(
            f"KB50341{number:02}",
            Product("msrc", TITLE),
            kind="Security Update",
            vulnerabilities=tuple(f"CVE-2031-{one:04}" for one in range(number + 1)),
        )
        for number in range(offered)
    )
    publish(database, FrozenClock(NOON), "msrc", Advisory("msrc", "2031-Jan", (), updates=updates))
    return report(database, FrozenClock(NOON), estate.acme, "behind", [], os=BEHIND).asset_id


def test_missing_updates_come_in_pages(api: TestClient, database: Database, estate: Estate) -> None:
    asset = furnish(database, estate)
    path = f"/api/v1/assets/{asset}/missing-updates"

    first = api.get(f"{path}?limit=2").json()
    second = api.get(f"{path}?limit=2&cursor={first['next_cursor']}").json()

    assert [one["name"] for one in first["items"]] == ["KB5034102", "KB5034101"]
    assert first["items"][0]["repairs"] == ["CVE-2031-0000", "CVE-2031-0001", "CVE-2031-0002"]
    assert [one["name"] for one in second["items"]] == ["KB5034100"]
    assert second["next_cursor"] is None
    assert assets.MissingUpdates.model_validate(first).items[0].name == "KB5034102"


def test_a_linux_machine_lacks_no_such_update(api: TestClient, estate: Estate) -> None:
    answer = api.get(f"/api/v1/assets/{estate.assets['web-03']}/missing-updates")

    assert answer.json() == {"items": [], "next_cursor": None}


def test_the_page_of_a_windows_machine_names_what_is_missing(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    asset = furnish(database, estate)
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "analyst"))

    page = client.get(f"/assets/{asset}").text

    assert "Missing updates" in page
    assert "KB5034102" in page
    assert "CVE-2031-0002" in page
    assert "Missing updates" not in client.get(f"/assets/{estate.assets['web-03']}").text
