"""Whose budget a request is counted in, and how a client is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from sentrikat.app import create_app
from sentrikat.domain.permissions import COMMAND_LINE, Permission
from sentrikat.identity.providers import create_provider
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, key, session_of
from tests.identity_provider import keys

SETTINGS = Settings(
    rate_limit_api_per_hour=3,
    rate_limit_api_per_day=3,
    rate_limit_agents_per_hour=5,
    rate_limit_agents_per_day=5,
    rate_limit_sign_in_per_hour=2,
    rate_limit_sign_in_per_day=2,
)


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    app = create_app(SETTINGS, database.url, clock=FrozenClock(NOON))
    with TestClient(app, follow_redirects=False) as started:
        yield started
    with database.engine.begin() as connection:
        connection.exec_driver_sql("truncate rate_bucket")


def test_a_program_is_told_what_is_left_and_then_to_wait(
    client: TestClient, database: Database, estate: Estate
) -> None:
    made = key(database, FrozenClock(NOON), estate, Permission.FINDINGS_READ)
    bearer = {"Authorization": f"Bearer {made.secret}"}
    first = client.get("/api/v1/findings", headers=bearer)
    assert first.headers["RateLimit"] == '"hour";r=2;t=1200, "day";r=2;t=28800'
    for _ in range(2):
        client.get("/api/v1/findings", headers=bearer)
    refused = client.get("/api/v1/findings", headers=bearer)
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "rate_limited"
    assert refused.headers["Retry-After"] == "28800"
    assert '"hour";r=0' in refused.headers["RateLimit"]


def test_refused_for_a_missing_scope_is_counted_as_well(
    client: TestClient, database: Database, estate: Estate
) -> None:
    made = key(database, FrozenClock(NOON), estate, Permission.KNOWLEDGE_READ)
    answers = [
        client.get("/api/v1/findings", headers={"X-API-Key": made.secret}).status_code for _ in range(4)
    ]
    assert answers == [403, 403, 403, 429]


def test_agents_have_a_budget_of_their_own(client: TestClient, database: Database, estate: Estate) -> None:
    made = key(database, FrozenClock(NOON), estate, Permission.REPORT_SUBMIT)
    answers = [client.get("/api/v1/me", headers={"X-API-Key": made.secret}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_guessing_keys_uses_up_the_budget_of_the_address_alone(
    client: TestClient, database: Database, estate: Estate
) -> None:
    guesses = [
        client.get("/api/v1/me", headers={"X-API-Key": f"sk_aaaaaaaaaa_{'x' * 43}"}).status_code
        for _ in range(4)
    ]
    assert guesses == [401, 401, 401, 429]
    made = key(database, FrozenClock(NOON), estate, Permission.FINDINGS_READ)
    assert client.get("/api/v1/findings", headers={"X-API-Key": made.secret}).status_code == 200


def test_pages_are_not_counted(client: TestClient, database: Database, estate: Estate) -> None:
    client.cookies.set("sentrikat_session", session_of(database, FrozenClock(NOON), estate, "viewer"))
    assert [client.get("/findings").status_code for _ in range(5)] == [200] * 5


def test_sign_in_forms_of_one_address_end_in_a_page_that_says_so(client: TestClient) -> None:
    answers = [client.post("/sign-in", data={"login": "x", "password": "y"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert "used up its requests" in answers[-1].text


def test_refused_saml_messages_of_one_address_are_not_logged_without_end(
    client: TestClient, database: Database
) -> None:
    saml = {
        "entity_id": "https://idp.example.org",
        "sso_url": "https://idp.example.org/sso",
        "certificates": [keys("idp").certificate.body],
    }
    with database.as_system() as session:
        provider = create_provider(
            session,
            COMMAND_LINE,
            lambda: pytest.fail("a SAML provider has no secret"),
            kind="saml",
            name="Company",
            settings=saml,
            now=NOON,
        ).id
    logged = text("select count(*) from audit_entry where action = 'sign_in.refused'")

    def answers(door: TestClient) -> list[int]:
        place = f"/saml/{provider}"
        return [
            door.post(f"{place}/acs", data={"SAMLResponse": "bm8="}).status_code,
            door.post(f"{place}/logout", data={"SAMLRequest": "bm8="}).status_code,
            door.post(f"{place}/acs", data={"SAMLResponse": "bm8="}).status_code,
            door.post(f"{place}/logout", data={"SAMLResponse": "bm8="}).status_code,
            door.get(f"{place}/finish", params={"ticket": "none"}).status_code,
        ]

    named = SETTINGS.model_copy(update={"public_url": "http://testserver"})
    with (
        TestClient(create_app(named, database.url, clock=FrozenClock(NOON)), follow_redirects=False) as door,
        database.as_system() as session,
    ):
        before = session.scalar(logged)
        assert answers(door) == [403, 403, 429, 429, 429]
        assert session.scalar(logged) == (before or 0) + 2
    assert client.post("/sign-in", data={"login": "x", "password": "y"}).status_code == 429  # one budget


def test_health_is_never_refused(client: TestClient) -> None:
    assert {client.get("/api/v1/health/live").status_code for _ in range(6)} == {200}
