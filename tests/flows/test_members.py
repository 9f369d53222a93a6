"""Members, users and organizations over HTTP: what each administrator can do, and where it ends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import text

from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import Estate, session_of


class Person:
    """A signed-in browser that speaks to the API."""

    def __init__(self, client: TestClient, cookie: str) -> None:
        self._client = client
        self._cookie = {"Cookie": f"sentrikat_session={cookie}"}
        self.me: dict[str, Any] = client.get("/api/v1/me", headers=self._cookie).json()

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """Send one request with the session's token."""
        headers = {**self._cookie, "X-CSRF-Token": str(self.me["csrf_token"])}
        return self._client.request(method, f"/api/v1{path}", headers=headers, json=body)


@pytest.fixture
def persons(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> Any:
    """Whoever is asked for, signed in."""
    return lambda login: Person(client, session_of(database, clock, estate, login))


def logins(person: Person) -> dict[str, str]:
    return {row["login"]: row["role"] for row in person.ask("GET", "/members").json()["items"]}


def test_members_are_added_changed_and_removed(persons: Any, estate: Estate) -> None:
    boss = persons("administrator")
    nowhere = estate.users["nowhere"]

    added = boss.ask("POST", "/members", {"login": "Nowhere", "role": "viewer"})
    assert (added.status_code, added.json()) == (201, {"user_id": nowhere, "role": "viewer"})
    assert boss.ask("POST", "/members", {"login": "nowhere", "role": "viewer"}).status_code == 409
    assert boss.ask("PATCH", f"/members/{nowhere}", {"role": "analyst"}).status_code == 204
    assert logins(boss)["nowhere"] == "analyst"
    assert boss.ask("DELETE", f"/members/{nowhere}").status_code == 204
    assert "nowhere" not in logins(boss)
    assert boss.ask("DELETE", f"/members/{nowhere}").status_code == 404


def test_the_last_administrator_is_not_removed(persons: Any, estate: Estate) -> None:
    boss = persons("administrator")
    for method, body in (("DELETE", None), ("PATCH", {"role": "viewer"})):
        answer = boss.ask(method, f"/members/{estate.users['administrator']}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")


def test_members_come_in_pages(persons: Any) -> None:
    boss = persons("administrator")
    whole = boss.ask("GET", "/members").json()["items"]
    first = boss.ask("GET", "/members?limit=3").json()
    second = boss.ask("GET", f"/members?limit=200&cursor={first['next_cursor']}").json()

    assert first["items"] + second["items"] == whole


def test_an_auditor_reads_members_keys_and_log_and_changes_nothing(persons: Any, estate: Estate) -> None:
    auditor = persons("auditor")
    for path in ("/members", "/api-keys", "/audit", "/feeds", "/assets", "/findings"):
        assert auditor.ask("GET", path).status_code == 200, path
    for method, path, body in (
        ("POST", "/members", {"login": "nowhere", "role": "viewer"}),
        ("PATCH", f"/members/{estate.users['viewer']}", {"role": "analyst"}),
        ("DELETE", f"/members/{estate.users['viewer']}", None),
        ("POST", "/api-keys", {"name": "mine", "scopes": ["audit:read"]}),
        ("DELETE", "/api-keys/1", None),
    ):
        assert auditor.ask(method, path, body).status_code == 403, (method, path)


def test_an_administrator_of_an_organization_cannot_reach_the_installation(
    persons: Any, estate: Estate
) -> None:
    boss = persons("administrator")
    mine = estate.users["administrator"]
    for method, path, body in (
        ("GET", "/users", None),
        ("POST", "/users", {"login": "extra", "installation_admin": True}),
        ("PATCH", f"/users/{mine}", {"installation_admin": True}),
        ("POST", f"/users/{estate.users['theirs']}/password", None),
        ("DELETE", f"/users/{estate.users['theirs']}/sessions", None),
        ("GET", "/organizations", None),
        ("POST", "/organizations", {"slug": "mine", "name": "Mine"}),
        ("PATCH", f"/organizations/{estate.other}", {"name": "Mine"}),
    ):
        assert boss.ask(method, path, body).status_code == 403, (method, path)
    # Members of another organization are no members here, and their organization cannot be named.
    assert boss.ask("PATCH", f"/members/{estate.users['theirs']}", {"role": "viewer"}).status_code == 404
    named = {"login": "administrator", "role": "viewer", "organization_id": estate.other}
    assert boss.ask("POST", "/members", named).status_code == 422


def test_an_installation_administrator_runs_the_accounts(persons: Any) -> None:
    root = persons("admin")
    made = root.ask("POST", "/users", {"login": "Carla", "display_name": " Carla\n Conti "})
    assert made.status_code == 201
    carla = made.json()["id"]

    def row() -> dict[str, Any]:
        users = root.ask("GET", "/users").json()["items"]
        return next(user for user in users if user["id"] == carla)

    assert len(made.json()["password"]) == 29
    assert (row()["login"], row()["display_name"]) == ("carla", "Carla Conti")
    assert row()["must_change_password"]
    assert root.ask("POST", "/users", {"login": "carla"}).status_code == 409
    again = root.ask("POST", f"/users/{carla}/password")
    assert again.status_code == 201
    assert again.json()["password"] != made.json()["password"]
    assert root.ask("PATCH", f"/users/{carla}", {"installation_admin": True}).status_code == 204
    assert row()["installation_admin"]
    assert (
        root.ask("PATCH", f"/users/{carla}", {"installation_admin": False, "disabled": True}).status_code
        == 204
    )
    assert row()["disabled_at"] is not None
    assert root.ask("PATCH", f"/users/{carla}", {"disabled": False}).status_code == 204
    assert root.ask("DELETE", f"/users/{carla}/sessions").status_code == 204
    assert root.ask("PATCH", f"/users/{carla}", {}).status_code == 422
    assert root.ask("PATCH", "/users/999999", {"disabled": True}).status_code == 404
    assert row()["disabled_at"] is None


def test_nobody_shuts_themselves_out(persons: Any, estate: Estate) -> None:
    root = persons("admin")
    mine = estate.users["admin"]
    for method, path, body in (
        ("PATCH", f"/users/{mine}", {"disabled": True}),
        ("PATCH", f"/users/{mine}", {"installation_admin": False}),
        ("POST", f"/users/{mine}/password", None),
    ):
        assert root.ask(method, path, body).status_code == 409, path


def test_ended_sessions_are_signed_out_at_once(persons: Any, estate: Estate) -> None:
    root, victim = persons("admin"), persons("manager")
    assert victim.ask("GET", "/assets").status_code == 200
    assert root.ask("DELETE", f"/users/{estate.users['manager']}/sessions").status_code == 204
    assert victim.ask("GET", "/assets").status_code == 401


def test_a_lost_membership_counts_from_the_next_request(persons: Any, estate: Estate) -> None:
    root, person = persons("admin"), persons("both")
    assert person.ask("GET", "/assets").status_code == 200
    acme = next(o for o in root.me["organizations"] if o["slug"] == "acme")
    assert root.me["organization_id"] == acme["id"]
    assert root.ask("DELETE", f"/members/{estate.users['both']}").status_code == 204

    assert person.ask("GET", "/me").json()["organization_id"] == estate.other
    assert root.ask("POST", "/members", {"login": "both", "role": "viewer"}).status_code == 201


def test_organizations_are_made_and_renamed(persons: Any) -> None:
    root = persons("admin")
    made = root.ask("POST", "/organizations", {"slug": "third", "name": "Third", "time_zone": "Asia/Tokyo"})
    assert made.status_code == 201
    third = made.json()["id"]
    assert root.ask("POST", "/organizations", {"slug": "third", "name": "Again"}).status_code == 409
    assert root.ask("PATCH", f"/organizations/{third}", {"name": "Tertia"}).status_code == 204
    assert root.ask("PATCH", f"/organizations/{third}", {"time_zone": "Mars/Olympus"}).status_code == 422
    listed = root.ask("GET", "/organizations").json()["items"]
    assert {"id": third, "slug": "third", "name": "Tertia", "time_zone": "Asia/Tokyo"} in listed


class Pages:
    """A signed-in browser without scripts."""

    def __init__(self, client: TestClient, cookie: str) -> None:
        self._client = client
        self._cookie = {"Cookie": f"sentrikat_session={cookie}"}
        self._token = client.get("/api/v1/me", headers=self._cookie).json()["csrf_token"]

    def see(self, path: str) -> Response:
        """Open a page."""
        return self._client.get(path, headers=self._cookie)

    def send(self, path: str, **fields: str) -> Response:
        """Send a form of it."""
        return self._client.post(path, headers=self._cookie, data={"csrf_token": self._token, **fields})


@pytest.fixture
def pages(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> Any:
    """Whoever is asked for, before a browser."""
    return lambda login: Pages(client, session_of(database, clock, estate, login))


def test_the_page_of_members_adds_changes_and_removes(pages: Any, estate: Estate) -> None:
    boss, nowhere = pages("administrator"), estate.users["nowhere"]

    assert boss.send("/members", login="nowhere", role="viewer").status_code == 303
    assert boss.send("/members", login="nowhere", role="viewer").status_code == 409
    assert boss.send("/members", login="missing", role="viewer").status_code == 422
    assert boss.send("/members", login="nowhere", role="emperor").status_code == 422
    assert boss.send(f"/members/{nowhere}/role", role="manager").status_code == 303
    assert 'value="manager" selected' in boss.see("/members").text
    assert boss.send(f"/members/{nowhere}/remove").status_code == 303
    assert boss.send(f"/members/{nowhere}/remove").status_code == 404
    last = boss.send(f"/members/{estate.users['administrator']}/remove")
    assert last.status_code == 409
    assert "last administrator" in last.text


def test_an_auditor_sees_members_and_keys_without_a_button(pages: Any) -> None:
    auditor = pages("auditor")
    for path in ("/members", "/api-keys"):
        page = auditor.see(path)
        assert page.status_code == 200
        assert f'action="{path}' not in page.text


def test_the_page_of_a_user_does_what_it_says(pages: Any) -> None:
    root = pages("admin")
    made = root.send("/users", login="dario", display_name="Dario Fo")
    assert made.status_code == 200
    assert 'id="new-password"' in made.text
    assert root.send("/users", login="dario").status_code == 409
    assert root.send("/users", login="Not A Login").status_code == 422
    path = re.search(r'action="(/users/\d+)/password"', made.text)[1]  # type: ignore[index]

    assert 'id="new-password"' not in root.see(path).text
    assert 'id="new-password"' in root.send(f"{path}/password").text
    assert root.send(f"{path}/membership", organization="acme", role="analyst").status_code == 303
    assert root.send(f"{path}/membership", organization="none", role="analyst").status_code == 422
    assert root.send(f"{path}/installation-admin", wanted="yes").status_code == 303
    assert root.send(f"{path}/disabled", wanted="yes").status_code == 303
    assert root.send(f"{path}/disabled", wanted="perhaps").status_code == 422
    page = root.see(path).text
    assert "<dt>Acme</dt><dd>Analyst</dd>" in page
    assert ", installation administrator" in page
    assert ", disabled" in page
    assert root.send(f"{path}/sign-out").status_code == 303


def test_of_more_organizations_than_fit_on_a_page_each_can_be_chosen(pages: Any, database: Database) -> None:
    with database.as_system() as session:
        session.execute(
            text(
                "insert into organization (slug, name, time_zone, created_at)"
                " select 'zz-customer-' || lpad(n::text, 3, '0'), 'Customer ' || n, 'UTC', now()"
                " from generate_series(1, 250) n"
            )
        )
    root = pages("admin")
    made = root.send("/users", login="olga", display_name="Olga")
    path = re.search(r'action="(/users/\d+)/password"', made.text)[1]  # type: ignore[index]

    assert '<option value="zz-customer-250">Customer 250</option>' in made.text
    assert root.send(f"{path}/membership", organization="zz-customer-250", role="viewer").status_code == 303
    assert "<dt>Customer 250</dt><dd>Viewer</dd>" in root.see(path).text


def test_the_page_of_an_organization_saves_and_says_what_is_wrong(pages: Any) -> None:
    root = pages("admin")
    assert root.send("/organizations", name="Fourth", slug="fourth", time_zone="UTC").status_code == 303
    assert root.send("/organizations", name="Fourth", slug="fourth", time_zone="UTC").status_code == 409
    path = re.search(r'href="(/organizations/\d+)">fourth', root.see("/organizations").text)[1]  # type: ignore[index]
    assert root.send(path, name="Quarta", time_zone="Europe/Rome").status_code == 303
    assert root.send(path, name="Quarta", time_zone="CET").status_code == 422
    assert "Quarta" in root.see("/organizations").text
