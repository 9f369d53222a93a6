"""What is kept about people, by page, API and command line; and taken out on request."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from sentrikat.cli import run
from sentrikat.identity.models import UserAccount
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import Estate, session_of


def signed_in(client: TestClient, database: Database, clock: FrozenClock, estate: Estate, login: str) -> str:
    """Give a browser to somebody; give its token."""
    client.cookies.clear()
    token = session_of(database, clock, estate, login)
    client.cookies.set("sentrikat_session", token, domain="testserver.local", path="/")
    csrf: str = client.get("/api/v1/me").json()["csrf_token"]
    return csrf


def fresh(client: TestClient, csrf: str, login: str) -> int:
    made = client.post(
        "/api/v1/users", json={"login": login, "display_name": "Somebody"}, headers={"X-CSRF-Token": csrf}
    )
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


@pytest.mark.parametrize("path", ["/profile/data", "/api/v1/me/data"])
def test_everybody_takes_their_own_data_home(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate, path: str
) -> None:
    signed_in(client, database, clock, estate, "viewer")

    answer = client.get(path)

    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    held = answer.json()
    assert (held["account"]["id"], held["account"]["login"]) == (estate.users["viewer"], "viewer")
    assert [one["slug"] for one in held["memberships"]] == ["acme"]
    assert 'href="/profile/data"' in client.get("/profile").text


@pytest.mark.parametrize("path", ["/users/{}/data", "/api/v1/users/{}/data"])
def test_another_person_s_data_are_for_who_runs_the_installation(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate, path: str
) -> None:
    address = path.format(estate.users["viewer"])
    signed_in(client, database, clock, estate, "administrator")
    assert client.get(address).status_code == 403

    signed_in(client, database, clock, estate, "admin")
    assert client.get(address).json()["account"]["login"] == "viewer"


def test_a_page_erases_whom_one_names(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    csrf = signed_in(client, database, clock, estate, "admin")
    user_id = fresh(client, csrf, "leaver")
    assert "Type the login name to erase" in client.get(f"/users/{user_id}").text

    other = client.post(f"/users/{user_id}/erase", data={"csrf_token": csrf, "login": "viewer"})
    meant = client.post(f"/users/{user_id}/erase", data={"csrf_token": csrf, "login": " Leaver "})
    page = client.get(f"/users/{user_id}").text

    assert (other.status_code, meant.status_code) == (422, 303)
    assert "The person of this account was erased" in page
    assert "leaver" not in page
    assert re.search(rf"erased-{user_id}\b", client.get("/users").text)


def test_the_api_erases(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> None:
    csrf = signed_in(client, database, clock, estate, "admin")
    user_id = fresh(client, csrf, "leaver-by-api")

    first, second = (
        client.post(f"/api/v1/users/{user_id}/erasure", headers={"X-CSRF-Token": csrf}) for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (204, 409)


def test_the_command_line_exports_and_erases(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    user_id = fresh(client, signed_in(client, database, clock, estate, "admin"), "leaver-by-command")
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)

    assert run(["users", "export", "leaver-by-command"]) == 0
    assert json.loads(capsys.readouterr().out)["account"]["id"] == user_id
    assert run(["users", "erase", "leaver-by-command", "--yes"]) == 0
    assert f"erased-{user_id}" in capsys.readouterr().out
    assert run(["users", "export", "leaver-by-command"]) == 1

    with database.as_system() as session:
        assert (
            session.scalar(select(UserAccount.login).where(UserAccount.id == user_id)) == f"erased-{user_id}"
        )
