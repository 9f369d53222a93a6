"""What each answer says of itself, and what is not there to be asked: types, names, methods, origins, files."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from sentrikat.api.router import API_PREFIX, entrances
from sentrikat.app import create_app
from sentrikat.domain.permissions import Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import load
from sentrikat.web.security_txt import PATH as SECURITY_TXT
from tests.conftest import REPOSITORY
from tests.flows.estate import Estate, key, session_of

TEXT = re.compile(r"^(text/|[\w.-]+/(?:[\w.-]+\+)?xml)")


@pytest.fixture
def administrator(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """The administrator's browser."""
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "administrator"))
    return client


def looks(client: TestClient) -> Iterator[str]:
    """Give the address of everything that can be looked at, with the number 1 for whatever has one."""
    app = client.app
    assert isinstance(app, FastAPI)
    for entrance in entrances(app):
        if "GET" in entrance.methods and not entrance.path.startswith("/static/"):
            yield re.sub(r"{\w+}", "1", entrance.path)


def test_every_answer_names_its_type_and_texts_their_characters(administrator: TestClient) -> None:
    wrong = {}
    pages = administrator.get("/sign-in", headers={"Cookie": ""}).text
    for path in [*looks(administrator), *re.findall(r"/static/[\w./-]+", pages)]:
        answer = administrator.get(path)
        kind = answer.headers.get("content-type", "")
        if answer.content and (not kind or (TEXT.match(kind) and "charset=utf-8" not in kind.lower())):
            wrong[path] = kind

    assert wrong == {}


def test_every_answer_of_the_api_is_a_file_to_a_browser(administrator: TestClient) -> None:
    """Whoever is led to one keeps a file of a fixed name: nothing that was typed names it or is shown as a page."""
    wrong = {}
    for path in looks(administrator):
        if path.startswith(API_PREFIX):
            answer = administrator.get(path)
            said = answer.headers.get("content-disposition", "")
            if not re.fullmatch(r'attachment; filename="[a-z0-9.-]+"', said):
                wrong[path] = said

    assert wrong == {}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver"])
@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/findings", "/", "/sign-in"])
def test_no_other_origin_may_read_an_answer(administrator: TestClient, path: str, origin: str) -> None:
    asked = administrator.get(path, headers={"Origin": origin})
    before = administrator.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})

    for answer in (asked, before):
        assert [name for name in answer.headers if name.startswith("access-control-")] == []
    assert before.status_code == 405


def test_the_word_of_a_browser_on_its_origin_opens_nothing(client: TestClient) -> None:
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}

    assert client.get("/api/v1/me", headers=own).status_code == 401
    assert client.post("/sign-in", data={"login": "administrator"}, headers=own).status_code == 403


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "DELETE", "PUT", "FOO"])
@pytest.mark.parametrize("path", ["/", "/api/v1/me", "/sign-in"])
def test_a_method_that_is_not_served_is_refused_and_logged(
    administrator: TestClient, path: str, method: str
) -> None:
    with capture_logs() as lines:
        answer = administrator.request(method, path)

    assert answer.status_code == 405
    assert [(line["method"], line["path"]) for line in lines if line["event"] == "method not served"] == [
        (method, path)
    ]


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_or_field_makes_another_method_of_a_request(administrator: TestClient, header: str) -> None:
    answer = administrator.get("/api/v1/assets/1?_method=DELETE", headers={header: "DELETE"})

    assert answer.status_code == 200
    assert administrator.get("/api/v1/assets/1").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/docs",
        "/redoc",
        "/openapi.json",
        "/debug",
        "/metrics",
        "/static",
        "/static/",
        "/static/x/app.css",
        "/static/../app.py",
        "/.git/config",
        "/.env",
        "/.DS_Store",
        "/app.py",
        "/templates/page.html",
        "/sign_in.html.bak",
        "/robots.txt~",
    ],
)
def test_nothing_but_what_was_meant_is_served(administrator: TestClient, path: str) -> None:
    answer = administrator.get(path)

    assert answer.status_code == 404
    assert "Index of" not in answer.text


@pytest.mark.parametrize("path", ["/static/x/..%2f..%2fapp.py", "/static/x/%2e%2e/%2e%2e/app.py"])
def test_an_address_that_climbs_is_refused_as_such(administrator: TestClient, path: str) -> None:
    assert administrator.get(path).status_code == 400


def test_a_key_in_the_address_opens_nothing(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    secret = key(database, clock, estate, Permission.FINDINGS_READ).secret
    for name in ("key", "api_key", "token", "access_token", "X-API-Key"):
        assert client.get("/api/v1/findings", params={name: secret}).status_code == 401
    assert client.get("/api/v1/findings", headers={"X-API-Key": secret}).status_code == 200


def test_a_parameter_of_the_address_is_no_field_of_a_form(administrator: TestClient) -> None:
    token = administrator.get("/api/v1/me").json()["csrf_token"]
    moved = administrator.post("/assets/1", params={"csrf_token": token}, data={"exposure": "public"})
    cookie = administrator.post(
        "/assets/1", data={"exposure": "public"}, headers={"Cookie": f"csrf_token={token}"}
    )

    assert moved.status_code == 403
    assert cookie.status_code == 303
    assert cookie.headers["location"].startswith("/sign-in")


def test_a_field_given_twice_is_neither_of_the_two(administrator: TestClient) -> None:
    """Who checks one value and who uses the other never see different things: both see what is refused."""
    token = administrator.get("/api/v1/me").json()["csrf_token"]
    answer = administrator.post("/assets/1", data={"csrf_token": token, "exposure": ["internal", "public"]})

    assert answer.status_code == 422


def test_password_fields_leave_room_for_password_managers() -> None:
    fields = [
        (page.name, call)
        for page in (REPOSITORY / "src/sentrikat/web/templates").glob("*.html")
        for call in re.findall(
            r"ui\.field\([^\n]*?type='password'[^\n]*?\) }}|{% macro new_password.*", page.read_text()
        )
    ]

    assert len(fields) >= 5
    assert [one for one in fields if "autocomplete='" not in one[1]] == []


def test_whom_to_tell_of_a_weakness_stands_where_one_looks(database: Database, clock: FrozenClock) -> None:
    settings = load(
        security_contact="mailto:security@example.org", public_url="https://sentrikat.example.org"
    )
    app = create_app(settings, database.url, clock=clock)
    with TestClient(app, base_url=settings.public_url or "") as client:
        answer = client.get(SECURITY_TXT)

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "Contact: mailto:security@example.org",
        "Expires: 2026-08-31T00:00:00Z",
        "Preferred-Languages: en",
        "Canonical: https://sentrikat.example.org/.well-known/security.txt",
    ]


def test_without_a_contact_there_is_no_such_file(client: TestClient) -> None:
    assert client.get(SECURITY_TXT).status_code == 404
