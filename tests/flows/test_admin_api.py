"""The admin API: opened by its own key alone, from its own networks alone, on every route and method."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import text
from starlette.routing import Mount

from sentrikat.api.admin import ADMIN_PREFIX
from sentrikat.api.router import entrances
from sentrikat.app import create_app
from sentrikat.domain.permissions import KEY_SCOPES
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, key, session_of

KEY, OLD_KEY = "k" * 43, "o" * 43
SETTINGS = Settings(
    admin_api_key=SecretStr(f"{KEY}, {OLD_KEY}"),
    rate_limit_admin_per_hour=400,
    rate_limit_admin_per_day=400,
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def app(database: Database) -> Iterator[FastAPI]:
    app = create_app(SETTINGS, database.url, clock=FrozenClock(NOON))
    with TestClient(app):  # begins and ends it; each test speaks to it from where it likes
        yield app


@pytest.fixture
def client(app: FastAPI, database: Database) -> Iterator[TestClient]:
    """Somebody on the server itself."""
    yield TestClient(app, client=("127.0.0.1", 50_000), follow_redirects=False)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("truncate rate_bucket")


def bearer(given: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {given}"}


def calls(app: FastAPI) -> list[tuple[str, str]]:
    """Every method on every address of the admin API."""
    mounted = next(r for r in app.routes if isinstance(r, Mount) and r.path == ADMIN_PREFIX)
    assert isinstance(mounted.app, FastAPI)
    paths = {entrance.path for entrance in entrances(mounted.app)}
    assert len(paths) >= 12
    return [
        (method, ADMIN_PREFIX + re.sub(r"{\w+}", "1", path)) for path in sorted(paths) for method in METHODS
    ]


def test_it_does_what_the_routes_of_the_installation_do(client: TestClient, database: Database) -> None:
    made = client.post(
        f"{ADMIN_PREFIX}/organizations", json={"slug": "branch", "name": "Branch"}, headers=bearer(KEY)
    )
    assert made.status_code == 201
    user = client.post(f"{ADMIN_PREFIX}/users", json={"login": "robot-made"}, headers=bearer(OLD_KEY)).json()
    assert len(user["password"]) > 20
    within = f"{ADMIN_PREFIX}/organizations/branch"
    assert (
        client.post(
            f"{within}/members", json={"login": "robot-made", "role": "viewer"}, headers=bearer(KEY)
        ).status_code
        == 201
    )
    role = {"name": "Night shift", "permissions": ["findings:read"]}
    assert client.post(f"{within}/roles", json=role, headers=bearer(KEY)).status_code == 201
    given = client.patch(f"{within}/members/{user['id']}", json={"role": "night shift"}, headers=bearer(KEY))
    assert given.status_code == 204
    agent = client.post(
        f"{within}/api-keys", json={"name": "agents", "scopes": ["agent:report"]}, headers=bearer(KEY)
    ).json()
    me = client.get("/api/v1/me", headers=bearer(agent["key"]))
    assert (me.status_code, me.json()["permissions"]) == (200, ["agent:report"])
    with database.as_system() as session:
        written = session.execute(
            text("select action, address from audit_entry where actor = 'admin_api' order by id")
        ).all()
    assert [tuple(row) for row in written] == [
        ("organization.created", "127.0.0.1"),
        ("account.created", "127.0.0.1"),
        ("membership.set", "127.0.0.1"),
        ("role.created", "127.0.0.1"),
        ("membership.set", "127.0.0.1"),
        ("api_key.created", "127.0.0.1"),
    ]


def test_nobody_else_is_let_in_anywhere(
    app: FastAPI, client: TestClient, database: Database, estate: Estate
) -> None:
    clock = FrozenClock(NOON)
    strangers = {
        "nobody": {},
        "a wrong key": bearer("x" * 43),
        "the key and more": bearer(f"{KEY}x"),
        "half the key": bearer(KEY[:20]),
        "both keys": bearer(f"{KEY}, {OLD_KEY}"),
        "a key that may everything": bearer(key(database, clock, estate, *KEY_SCOPES).secret),
        "the installation's administrator": {
            "Cookie": f"sentrikat_session={session_of(database, clock, estate, 'admin')}"
        },
        "the key in another place": {"X-API-Key": KEY},
    }
    let_in = {}
    for who, headers in strangers.items():
        for method, path in calls(app):
            answer = client.request(method, path, headers=headers)
            if answer.status_code not in {401, 404, 405, 429}:
                let_in[who, method, path] = answer.status_code
        with database.engine.begin() as connection:
            connection.exec_driver_sql("truncate rate_bucket")

    assert let_in == {}


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "testclient"])
def test_the_right_key_from_elsewhere_and_a_wrong_one_get_the_same_answer(app: FastAPI, address: str) -> None:
    outside = TestClient(app, client=(address, 50_000))
    right = outside.get(f"{ADMIN_PREFIX}/organizations", headers=bearer(KEY))
    wrong = outside.get(f"{ADMIN_PREFIX}/organizations", headers=bearer("x" * 43))
    assert (right.status_code, right.json()["code"]) == (401, "admin_address")
    assert {**right.json(), "request_id": ""} == {**wrong.json(), "request_id": ""}


def test_its_key_opens_nothing_else(client: TestClient) -> None:
    assert client.get("/api/v1/users", headers=bearer(KEY)).json()["code"] == "key_malformed"


def test_its_budget_is_its_own_and_wrong_keys_do_not_use_it_up(client: TestClient) -> None:
    path = f"{ADMIN_PREFIX}/organizations"
    answers = [client.get(path, headers=bearer("x" * 43)).status_code for _ in range(401)]
    assert answers[-2:] == [401, 429]
    answer = client.get(path, headers=bearer(KEY))
    assert answer.status_code == 200
    assert answer.headers["RateLimit"].startswith('"hour";r=399')


def test_without_a_key_there_is_none(database: Database, clock: FrozenClock) -> None:
    app = create_app(Settings(), database.url, clock=clock)
    with TestClient(app, client=("127.0.0.1", 50_000)) as client:
        assert client.get(f"{ADMIN_PREFIX}/organizations", headers=bearer("")).status_code == 404
