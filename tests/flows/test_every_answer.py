"""What every answer carries, and what every change asks for: enumerated from the application."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from structlog.testing import capture_logs

from sentrikat.api.router import API_PREFIX, entrances
from sentrikat.app import create_app
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.web.headers import CONTENT_SECURITY_POLICY, HEADERS
from sentrikat.web.static import files, static_url
from tests.flows.estate import Estate, session_of

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
# Changes that are proven otherwise than by a token of ours.
NO_TOKEN = {
    "/saml/{provider_id}/acs": "the provider's signature, and the cookie of the question",
    "/saml/{provider_id}/logout": "the provider's signature",
}
OWN_REFERRER = {"/reset-password": "no-referrer"}  # the address holds a token


@pytest.fixture
def app(database: Database, clock: FrozenClock) -> FastAPI:
    made = create_app(Settings(max_request_bytes=16 * 1024), database.url, clock=clock)

    @made.get("/breaks", include_in_schema=False)
    def breaks() -> None:
        raise RuntimeError("on purpose")

    @made.get("/api/v1/breaks", include_in_schema=False)
    def api_breaks() -> None:
        raise RuntimeError("on purpose")

    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    # Unconfigured, structlog draws each trace with all variables, which takes seconds.
    with (
        capture_logs(),
        TestClient(app, follow_redirects=False, raise_server_exceptions=False) as started,
    ):
        yield started


def lacking(answer: Response) -> list[str]:
    """Name the headers that are missing, differ, or stand twice."""
    wrong = []
    for name, value in HEADERS.items():
        allowed = [[value]]
        if name == "Referrer-Policy" and answer.request.url.path in OWN_REFERRER:
            allowed.append([OWN_REFERRER[answer.request.url.path]])
        if answer.headers.get_list(name) not in allowed:
            wrong.append(f"{name}: {answer.headers.get_list(name)}")
    wrong += [name for name in ("X-Request-ID", "Cache-Control") if len(answer.headers.get_list(name)) != 1]
    wrong += [
        name for name in ("Server", "X-Powered-By", "Access-Control-Allow-Origin") if name in answer.headers
    ]
    for cookie in answer.headers.get_list("set-cookie"):
        if (
            "httponly" not in cookie.lower()
            or "samesite=" not in cookie.lower()
            or "path=/" not in cookie.lower()
        ):
            wrong.append(cookie)
    return wrong


def addresses(app: FastAPI) -> list[tuple[str, str, str]]:
    """(method, path, address) of every route, with numbers that are nothing's."""
    return [
        (method, entrance.path, re.sub(r"{\w+(:\w+)?}", "999999", entrance.path))
        for entrance in entrances(app)
        for method in entrance.methods
    ]


def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline() -> None:
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")
    assert not re.search(r"unsafe|https?:|\*|blob:", CONTENT_SECURITY_POLICY)


def test_every_route_sends_the_headers_to_nobody_and_to_everybody(
    app: FastAPI, client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    cookie = session_of(database, clock, estate, "admin")
    wrong = {}
    for method, _path, address in addresses(app):
        for headers in ({}, {"Cookie": f"sentrikat_session={cookie}"}):
            answer = client.request(method, address, headers=headers)
            if found := lacking(answer):
                wrong[method, address, answer.status_code] = found

    assert wrong == {}


def test_every_error_sends_the_headers(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    key_headers = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'analyst')}"}
    answers = [
        (404, client.get("/nothing")),
        (404, client.get("/api/v1/nothing")),
        (404, client.get("/static/0/nothing.css")),
        (405, client.delete("/sign-in")),
        (405, client.delete("/api/v1/me")),
        (413, client.post("/sign-in", data={"login": "x" * 20_000})),
        (422, client.get("/api/v1/findings?limit=0", headers=key_headers)),
        (401, client.get("/api/v1/findings")),
        (403, client.get("/users", headers=key_headers)),
        (500, client.get("/breaks")),
        (500, client.get("/api/v1/breaks")),
        (
            421,
            TestClient(create_app(Settings(public_url="http://kat.example"), database.url)).get("/sign-in"),
        ),
        (400, client.get("/sign-in?next=%ff")),
        (200, client.get(static_url(next(iter(files()))))),
    ]

    assert {answer.status_code: lacking(answer) for _, answer in answers if lacking(answer)} == {}
    assert [answer.status_code for _, answer in answers] == [status for status, _ in answers]


def test_a_client_over_its_budget_gets_the_headers_too(database: Database, clock: FrozenClock) -> None:
    app = create_app(Settings(rate_limit_sign_in_per_hour=1), database.url, clock=clock)
    with TestClient(app, follow_redirects=False) as client:
        answers = [client.post("/sign-in", data={"login": "x"}) for _ in range(4)]

    assert answers[-1].status_code == 429
    assert lacking(answers[-1]) == []


@pytest.mark.parametrize("token", [None, "", "guess", "of another session"])
def test_no_change_is_made_without_the_token_of_the_session(
    app: FastAPI,
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    token: str | None,
) -> None:
    if token == "of another session":
        other = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'administrator')}"}
        token = client.get("/api/v1/me", headers=other).json()["csrf_token"]
    cookies = [session_of(database, clock, estate, login) for login in ("admin", "administrator")]
    taken = {}
    for method, path, address in addresses(app):
        if method not in CHANGING or path in NO_TOKEN:
            continue
        for cookie in cookies:
            headers = {"Cookie": f"sentrikat_session={cookie}"}
            data = None
            if token is not None:
                data = {"csrf_token": token}
                headers |= {"X-CSRF-Token": token} if path.startswith(API_PREFIX) else {}
            answer = client.request(method, address, headers=headers, data=data)
            if answer.status_code not in {401, 403} and not (
                answer.status_code == 303
                and answer.headers["location"].startswith(("/sign-in", "/reset-password"))
            ):
                taken[method, path] = answer.status_code

    assert taken == {}


def test_what_needs_no_token_exists(app: FastAPI) -> None:
    assert set(NO_TOKEN) <= {entrance.path for entrance in entrances(app)}
