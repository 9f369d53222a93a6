"""One's own browsers over the API, and what administrators are told about signing in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, select

from sentrikat.audit.models import AuditEntry
from sentrikat.domain.permissions import KEY_SCOPES
from sentrikat.identity import accounts
from sentrikat.identity.models import SecurityNotice, SignInAttempt
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import PASSWORD, Estate, key, session_of
from tests.flows.test_web import sign_in


@pytest.fixture(autouse=True)
def _quiet(database: Database) -> None:
    with database.as_system() as session:
        session.execute(delete(SecurityNotice))
        session.execute(delete(SignInAttempt))


def headers_of(client: TestClient, cookie: str) -> dict[str, str]:
    headers = {"Cookie": f"sentrikat_session={cookie}"}
    return headers | {"X-CSRF-Token": client.get("/api/v1/me", headers=headers).json()["csrf_token"]}


def test_own_sessions_are_listed_and_ended_and_nobody_else_s(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    own, other, third = (session_of(database, clock, estate, "nowhere") for _ in range(3))
    foreign = session_of(database, clock, estate, "viewer")
    headers = headers_of(client, own)
    listed = client.get("/api/v1/me/sessions", headers=headers).json()["items"]
    theirs = client.get("/api/v1/me/sessions", headers=headers_of(client, foreign)).json()["items"]

    assert [row["current"] for row in listed].count(True) == 1
    assert {row["method"] for row in listed} == {"password"}
    assert {row["id"] for row in listed}.isdisjoint(row["id"] for row in theirs)
    one = next(row["id"] for row in listed if not row["current"])
    assert client.delete(f"/api/v1/me/sessions/{one}", headers=headers).status_code == 204
    assert client.delete(f"/api/v1/me/sessions/{theirs[0]['id']}", headers=headers).status_code == 404
    assert client.delete("/api/v1/me/sessions", headers=headers).status_code == 204
    assert len(client.get("/api/v1/me/sessions", headers=headers).json()["items"]) == 1
    for ended in (other, third):
        gone = {"Cookie": f"sentrikat_session={ended}"}
        assert client.get("/api/v1/me", headers=gone).status_code == 401
    assert client.get("/api/v1/me", headers={"Cookie": f"sentrikat_session={foreign}"}).status_code == 200


def test_a_key_has_no_sessions(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    made = key(database, clock, estate, *KEY_SCOPES)

    answer = client.get("/api/v1/me/sessions", headers={"Authorization": f"Bearer {made.secret}"})
    assert answer.status_code == 403


def test_an_account_at_its_limit_is_told_to_administrators_once_per_window(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    admin = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'admin')}"}
    for _ in range(14):
        sign_in(client, "manager", "wrong")
    for _ in range(12):
        sign_in(client, "nobody-here", "wrong")

    for path in ("/", "/users"):
        page = client.get(path, headers=admin).text
        assert page.count("sign-ins to “manager” failed") == 1
        assert "nobody-here" not in page
    analyst = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'analyst')}"}
    assert "manager” failed" not in client.get("/", headers=analyst).text
    with database.as_system() as session:
        logged = session.scalars(select(AuditEntry.object).where(AuditEntry.action == "sign_in.limit")).all()
        # The same is written for a name that nobody has, so that it takes as long; it is shown to nobody.
        assert {"login:manager", "login:nobody-here"} <= set(logged)

    clock.advance(timedelta(minutes=16))
    for _ in range(11):
        sign_in(client, "manager", "wrong")
    later = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'admin')}"}
    assert client.get("/users", headers=later).text.count("sign-ins to “manager” failed") == 2


def test_each_use_of_an_emergency_account_is_told(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    with database.as_system() as session:
        accounts.get_account(session, "auditor").break_glass = True
    for _ in range(2):
        assert sign_in(client, "auditor", PASSWORD) == 303
        client.cookies.clear()

    admin = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'admin')}"}
    assert client.get("/", headers=admin).text.count("emergency account “auditor” was used") == 2
    with database.as_system() as session:
        query = select(func.count()).where(AuditEntry.action == "sign_in.break_glass")
        assert session.scalar(query) == 2
