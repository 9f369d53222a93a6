"""Every route says who may call it, and a sweep over all of them shows that it is so.

The routes are enumerated from the application: a new one is swept without anybody's thinking of it, and one
that asks for no permission fails here until it is named below with its reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from sentrikat.api.context import authenticate
from sentrikat.api.router import API_PREFIX, entrances
from sentrikat.app import create_app
from sentrikat.domain.permissions import KEY_SCOPES, ROLE_PERMISSIONS, Permission, Role
from sentrikat.identity import accounts
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.web.context import signed_in
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, furnish, key, session_of
from tests.postgres import SharedServer

REPOSITORY = Path(__file__).parent.parent.parent
OPENAPI = REPOSITORY / "docs" / "develop" / "openapi.json"

# Routes that anybody may call, and why.
PUBLIC = {
    "/healthz": "supervisors ask it",
    "/api/v1/health/live": "load balancers ask it",
    "/api/v1/health/ready": "load balancers ask it",
    "/api/v1/openapi.json": "the description of the API is no secret",
    "/sign-in": "nobody is signed in before it",
    "/sign-in/second-factor": "asks for the cookie of a half-open sign-in",
    "/sign-in/set-up": "asks for the cookie of a half-open sign-in",
    "/saml/{provider_id}/metadata": "identity providers read it; it holds no secret",
    "/saml/{provider_id}/start": "nobody is signed in before it",
    "/saml/{provider_id}/acs": "the provider's answer comes here, and proves itself by its signature",
    "/saml/{provider_id}/finish": "nobody is signed in before it; a ticket and the cookie of its question open it",
    "/saml/{provider_id}/logout": "providers end sessions here, and prove themselves by their signature",
    "/sign-in/new-password": "asks for the cookie of a half-open sign-in",
    "/forgot-password": "whoever lost a password is not signed in",
    "/reset-password": "asks for the token of a mailed link",
    "/static/{digest}/{name}": "the sign-in page needs its style",
    "/favicon.ico": "browsers ask unasked",
    "/.well-known/security.txt": "whoever found a weakness is not signed in",
}
# Routes for everybody who is signed in, whatever their role.
ANY_ROLE = {
    "/api/v1/me": "who am I",
    "/sign-out": "leaving needs no permission",
    "/organization": "limited to those the person is a member of",
}


@pytest.fixture(scope="module")
def database(database_server: SharedServer) -> Iterator[Database]:
    """A database of this module alone."""
    name = f"sweep_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    yield database
    database.close()
    database_server.drop(name)


@pytest.fixture(scope="module")
def estate(database: Database) -> Estate:
    """The furnished installation."""
    return furnish(database, FrozenClock(NOON))


@pytest.fixture(scope="module")
def clock() -> FrozenClock:
    """The noon at which everything was made."""
    return FrozenClock(NOON)


@pytest.fixture(scope="module")
def app(database: Database, clock: FrozenClock) -> FastAPI:
    """The application."""
    return create_app(Settings(), database.url, clock=clock)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    """A program or browser that nobody is signed in with."""
    with TestClient(app, follow_redirects=False) as started:
        yield started


def calls(app: FastAPI, estate: Estate) -> list[tuple[str, str, str, Permission | None]]:
    """(method, path, address with our own things filled in, permission) of every route that asks for one."""
    values = {
        "asset_id": estate.assets["web-03"],
        "finding_id": 1,
        "receipt_id": 1,
        "key_id": 1,
        "session_id": 1,
        "vulnerability": "CVE-2023-5217",
        "name": "CVE-2023-5217",
        "component_id": 1,
        "correction_id": 1,
        "decision": "approve",
        "user_id": estate.users["viewer"],
        "verdict": "approve",
        "bundle_id": 1,
        "organization_id": estate.acme,
        "provider_id": 1,
    }
    found = []
    for entrance in entrances(app):
        path = entrance.path
        if path in PUBLIC or path in ANY_ROLE:
            continue
        address = path.format(**{name: values.get(name) for name in re.findall(r"{(\w+)}", path)})
        found += [(method, path, address, entrance.permission) for method in entrance.methods]
    return found


def refused(answer: Response) -> int:
    """The status as an outsider sees it: a page sends people who are not signed in to do so."""
    if answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"):
        return 401
    return answer.status_code


def test_there_are_routes_to_sweep(app: FastAPI, estate: Estate) -> None:
    swept = calls(app, estate)

    assert len(swept) > 30
    assert not [address for _, _, address, _ in swept if "None" in address]


def test_every_route_names_its_permission_or_is_excused(app: FastAPI) -> None:
    unguarded = []
    for entrance in entrances(app):
        if entrance.path in PUBLIC:
            continue
        knows_who = authenticate in entrance.asked or signed_in in entrance.asked
        if not knows_who or (entrance.permission is None and entrance.path not in ANY_ROLE):
            unguarded.append(entrance.path)

    assert not unguarded


# What gives others rights, or the installation over: who does it must have proven lately who they are.
SENSITIVE = {Permission.KEYS_MANAGE, Permission.MEMBERS_MANAGE, Permission.INSTALLATION_MANAGE}
NOT_SENSITIVE = {
    "/feeds/decision": "decides about data, and is undone by a rollback",
    "/api/v1/feeds/{name}/{decision}": "decides about data, and is undone by a rollback",
}


def test_what_is_sensitive_asks_for_a_fresh_proof(app: FastAPI) -> None:
    missing = {
        entrance.path
        for entrance in entrances(app)
        if entrance.permission in SENSITIVE
        and not entrance.step_up
        and not {"GET", "HEAD"} >= set(entrance.methods)
    }

    assert missing == set(NOT_SENSITIVE)


HASHING = {
    ("POST", "/sign-in"),
    ("POST", "/sign-in/new-password"),
    ("POST", "/profile/password"),
    ("POST", "/reset-password"),
    ("POST", "/confirm"),
    ("POST", "/users"),
    ("POST", "/users/{user_id}/password"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/users/{user_id}/password"),
}


def test_what_hashes_a_password_waits_for_its_turn_without_a_thread(app: FastAPI) -> None:
    waiting = {
        (method, entrance.path)
        for entrance in entrances(app)
        for method in entrance.methods
        if any(asked.__name__ == "turn_to_hash" for asked in entrance.asked if hasattr(asked, "__name__"))
    }

    assert waiting == HASHING


def test_excuses_are_of_routes_that_exist(app: FastAPI) -> None:
    assert {*PUBLIC, *ANY_ROLE} <= {entrance.path for entrance in entrances(app)}


def test_nobody_is_let_in_without_credentials(app: FastAPI, client: TestClient, estate: Estate) -> None:
    answers = {
        (method, address): refused(client.request(method, address))
        for method, _, address, _ in calls(app, estate)
    }

    assert {call: status for call, status in answers.items() if status != 401} == {}


def test_an_expired_key_is_let_in_nowhere(
    app: FastAPI, client: TestClient, estate: Estate, database: Database, clock: FrozenClock
) -> None:
    made = key(database, clock, estate, *KEY_SCOPES)
    clock.advance(timedelta(days=2))
    headers = {"Authorization": f"Bearer {made.secret}"}
    answers = {
        (method, address): refused(client.request(method, address, headers=headers))
        for method, path, address, _ in calls(app, estate)
        if path.startswith(API_PREFIX)
    }
    clock.set(NOON)

    assert {call: status for call, status in answers.items() if status != 401} == {}


def test_a_disabled_person_is_let_in_nowhere(
    app: FastAPI, client: TestClient, estate: Estate, database: Database, clock: FrozenClock
) -> None:
    cookie = session_of(database, clock, estate, "both")
    with database.as_system() as session:
        accounts.disable_account(
            session, estate.caller(), accounts.get_account(session, "both"), now=clock.now()
        )
    headers = {"Cookie": f"sentrikat_session={cookie}"}
    answers = {
        (method, address): refused(client.request(method, address, headers=headers))
        for method, _, address, _ in calls(app, estate)
    }

    assert {call: status for call, status in answers.items() if status != 401} == {}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_exactly_what_its_permissions_say(
    app: FastAPI,
    client: TestClient,
    estate: Estate,
    database: Database,
    clock: FrozenClock,
    role: Role,
) -> None:
    cookie = session_of(database, clock, estate, role.value)
    token = client.get("/api/v1/me", headers={"Cookie": f"sentrikat_session={cookie}"}).json()["csrf_token"]
    headers = {"Cookie": f"sentrikat_session={cookie}", "X-CSRF-Token": token}
    wrong = {}
    for method, path, address, permission in calls(app, estate):
        if "sessions" in path:
            continue  # would sign the sweep out
        answer = client.request(method, address, headers=headers)
        allowed = permission in ROLE_PERMISSIONS[role]
        if (answer.status_code == 403) is allowed or answer.status_code in {401, 500}:
            wrong[method, address] = answer.status_code

    assert wrong == {}


def test_a_key_of_another_organization_finds_nothing_of_ours(
    app: FastAPI, client: TestClient, estate: Estate, database: Database, clock: FrozenClock
) -> None:
    """Addresses name our things; public knowledge is the same for everybody."""
    made = key(database, clock, estate, *KEY_SCOPES, organization_id=estate.other)
    headers = {"Authorization": f"Bearer {made.secret}"}
    wrong = {}
    for method, path, address, _ in calls(app, estate):
        if "{" not in path or path.endswith("/vulnerabilities/{name}") or not path.startswith(API_PREFIX):
            continue
        body = {"exposure": "public"} if method == "PATCH" else None
        answer = client.request(method, address, headers=headers, json=body)
        if answer.status_code not in {403, 404, 422}:
            wrong[method, address] = answer.status_code

    assert wrong == {}


def test_pages_of_another_organization_show_nothing_of_ours(
    app: FastAPI, client: TestClient, estate: Estate, database: Database, clock: FrozenClock
) -> None:
    cookie = session_of(database, clock, estate, "theirs")
    token = client.get("/api/v1/me", headers={"Cookie": f"sentrikat_session={cookie}"}).json()["csrf_token"]
    headers = {"Cookie": f"sentrikat_session={cookie}", "X-CSRF-Token": token}
    wrong = {}
    for method, path, address, _ in calls(app, estate):
        if path.startswith(API_PREFIX) or "sessions" in path:
            continue
        answer = client.request(method, address, headers=headers)
        if "web-03" in answer.text or "Hausverwaltung" in answer.text:
            wrong[method, address] = "shows our things"
        elif "{" in path and not path.endswith("{name}") and answer.status_code not in {403, 404, 422}:
            wrong[method, address] = str(answer.status_code)

    assert wrong == {}


def test_every_list_of_the_api_has_a_page_cap(app: FastAPI) -> None:
    document = app.openapi()
    uncapped = []
    for path, operations in document["paths"].items():
        operation = operations.get("get", {})
        answer = operation.get("responses", {}).get("200", {})
        name = str(answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", ""))
        schema = document["components"]["schemas"].get(name.rsplit("/", 1)[-1], {})
        if "next_cursor" in schema.get("properties", {}):
            limits = [p["schema"] for p in operation.get("parameters", []) if p["name"] == "limit"]
            if not limits or limits[0].get("maximum", 10**9) > 200:
                uncapped.append(path)

    assert not uncapped


def test_the_committed_description_of_the_api_is_current(app: FastAPI) -> None:
    current = orjson.loads(orjson.dumps(app.openapi()))

    assert orjson.loads(OPENAPI.read_bytes()) == current, "run: python -m tools.write_openapi"
