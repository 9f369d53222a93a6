"""Keys with limits, keys that take another's place, and tokens of people, over HTTP."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import text

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import COMMAND_LINE, Permission, Role
from sentrikat.identity import accounts
from sentrikat.identity.models import UserAccount
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.inventory.ingest import ingest
from sentrikat.inventory.jobs import ingest_report
from tests.flows.estate import DEBIAN_12, Estate, session_of


def csrf_of(client: TestClient) -> dict[str, str]:
    return {"X-CSRF-Token": client.get("/api/v1/me").json()["csrf_token"]}


def as_person(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate, login: str
) -> dict[str, str]:
    """Sign somebody in; give the header that changes need."""
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, login))
    return csrf_of(client)


def make(client: TestClient, csrf: dict[str, str], path: str = "/api/v1/api-keys", **wanted: Any) -> Response:
    body = {"name": "x", "scopes": ["agent:report"], **wanted}
    return client.post(path, json=body, headers=csrf)


def send(client: TestClient, key: str, hostname: str) -> Response:
    body = {
        "report_id": f"limit-{hostname}",
        "agent_id": f"agent-{hostname}",
        "hostname": hostname,
        "os": DEBIAN_12,
        "collected_at": "2026-06-02T12:00:00+00:00",
        "complete": True,
        "software": [{"type": "deb", "name": "curl", "version": "7.88.1-10", "source_name": "curl"}],
    }
    client.cookies.clear()
    return client.post(
        "/api/v1/agent/reports", content=json.dumps(body), headers={"Authorization": f"Bearer {key}"}
    )


def take_in(database: Database, clock: FrozenClock, receipt: int) -> None:
    with database.as_system() as session:
        ingest(session, receipt, now=clock.now())


def test_a_key_brings_in_no_more_assets_than_it_may(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    csrf = as_person(client, database, clock, estate, "administrator")
    made = make(client, csrf, max_assets=2).json()
    receipts = [send(client, made["key"], name).json()["id"] for name in ("first", "second", "third")]
    for receipt in receipts[:2]:
        take_in(database, clock, receipt)

    # The third was received before there were two; when it is taken in, there are.
    with pytest.raises(InvalidInput, match="brought in 2 assets"):
        take_in(database, clock, receipts[2])
    ingest_report(database, clock, receipt_id=receipts[2], then=lambda _session, _result: None)
    with database.as_system() as session:
        status, detail = session.execute(
            text("select status, detail from receipt where id = :id"), {"id": receipts[2]}
        ).one()
    assert (status, "its limit" in detail) == ("failed", True)

    refused = send(client, made["key"], "fourth")
    assert (refused.status_code, refused.json()["code"]) == (403, "key_asset_limit")
    body = json.loads(refused.request.content)
    body |= {"report_id": "again", "hostname": "first", "agent_id": "agent-first"}
    known = client.post(
        "/api/v1/agent/reports",
        content=json.dumps(body),
        headers={"Authorization": f"Bearer {made['key']}"},
    )
    assert known.status_code == 202


def test_the_limit_goes_on_with_the_key_that_takes_its_place(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    csrf = as_person(client, database, clock, estate, "administrator")
    made = make(client, csrf, max_assets=1).json()
    take_in(database, clock, send(client, made["key"], "one-of-one").json()["id"])
    csrf = as_person(client, database, clock, estate, "administrator")
    new = client.post(
        f"/api/v1/api-keys/{made['id']}/rotation", json={"overlap_hours": 0}, headers=csrf
    ).json()

    assert send(client, made["key"], "another").json()["code"] == "key_expired"
    assert send(client, new["key"], "another").json()["code"] == "key_asset_limit"


def test_a_token_may_what_its_owner_may_at_that_moment(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    csrf = as_person(client, database, clock, estate, "analyst")
    end = (clock.now() + timedelta(days=30)).isoformat()
    made = make(
        client,
        csrf,
        "/api/v1/tokens",
        scopes=["findings:read", "inventory:write"],
        expires_at=end,
    ).json()
    bearer = {"Authorization": f"Bearer {made['key']}"}
    client.cookies.clear()

    def may(path: str, method: str = "GET", **body: Any) -> int:
        return client.request(method, path, headers=bearer, **body).status_code

    asset = f"/api/v1/assets/{estate.assets['clean-01']}"
    assert may("/api/v1/findings") == 200
    assert may(asset, "PATCH", json={"criticality": 3}) == 200
    assert may("/api/v1/tokens") == 403

    with database.as_system() as session:
        user = session.get_one(UserAccount, estate.users["analyst"])
        accounts.set_role(session, COMMAND_LINE, user, estate.acme, Role.VIEWER, now=clock.now())
    assert may("/api/v1/findings") == 200
    assert may(asset, "PATCH", json={"criticality": 2}) == 403

    with database.as_system() as session:
        user = session.get_one(UserAccount, estate.users["analyst"])
        accounts.disable_account(session, COMMAND_LINE, user, now=clock.now())
    refused = client.get("/api/v1/findings", headers=bearer)
    assert (refused.status_code, refused.json()["code"]) == (401, "key_owner")
    with database.as_system() as session:
        user = session.get_one(UserAccount, estate.users["analyst"])
        accounts.enable_account(session, COMMAND_LINE, user, now=clock.now())
        accounts.set_role(session, COMMAND_LINE, user, estate.acme, Role.ANALYST, now=clock.now())


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"scopes": ["audit:read"], "expires_at": 30}, "scopes"),  # an analyst does not see the log
        ({"scopes": ["findings:read"]}, "expires_at"),  # none ends never
        ({"scopes": ["findings:read"], "expires_at": 500}, "expires_at"),
        ({"scopes": ["keys:manage"], "expires_at": 30}, "scopes"),
        ({"scopes": ["findings:read"], "expires_at": 30, "networks": ["10.0.0.1/33"]}, "networks"),
    ],
)
def test_a_token_beyond_its_owner_is_refused(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    wanted: dict[str, Any],
    field: str,
) -> None:
    csrf = as_person(client, database, clock, estate, "analyst")
    if days := wanted.get("expires_at"):
        wanted = wanted | {"expires_at": (clock.now() + timedelta(days=days)).isoformat()}

    refused = make(client, csrf, "/api/v1/tokens", **wanted)

    assert refused.status_code == 422
    assert field in refused.json()["fields"]
    assert client.get("/api/v1/tokens").json()["items"][:1] != [{"name": "x"}]


def test_nobody_ends_another_person_s_token_but_an_administrator(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    csrf = as_person(client, database, clock, estate, "manager")
    end = (clock.now() + timedelta(days=30)).isoformat()
    made = make(client, csrf, "/api/v1/tokens", scopes=["findings:read"], expires_at=end).json()
    csrf = as_person(client, database, clock, estate, "viewer")
    assert client.delete(f"/api/v1/tokens/{made['id']}", headers=csrf).status_code == 404
    csrf = as_person(client, database, clock, estate, "theirs")
    assert client.delete(f"/api/v1/tokens/{made['id']}", headers=csrf).status_code == 404
    csrf = as_person(client, database, clock, estate, "administrator")
    listed = client.get("/api/v1/api-keys").json()["items"]
    assert next(row for row in listed if row["id"] == made["id"])["owner"] == "manager"
    # A successor's secret would let the administrator act as the manager.
    rotated = client.post(f"/api/v1/api-keys/{made['id']}/rotation", json={}, headers=csrf)
    assert (rotated.status_code, rotated.json()["code"]) == (409, "token")
    assert client.delete(f"/api/v1/api-keys/{made['id']}", headers=csrf).status_code == 204


def test_the_pages_make_replace_and_revoke(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    csrf = as_person(client, database, clock, estate, "administrator")["X-CSRF-Token"]
    form = {"csrf_token": csrf, "scopes": Permission.REPORT_SUBMIT.value, "days": "365"}
    wrong = client.post("/api-keys", data=form | {"name": "office", "networks": "10/8", "max_assets": "many"})
    assert wrong.status_code == 422
    assert "many" in wrong.text
    page = client.post(
        "/api-keys", data=form | {"name": "office", "networks": "10.0.0.0/8", "max_assets": "40"}
    )
    assert page.status_code == 200
    assert "from 10.0.0.0/8 only" in page.text
    number = re.search(r"/api-keys/(\d+)/rotate", page.text)
    assert number is not None
    replaced = client.post(f"/api-keys/{number[1]}/rotate", data={"csrf_token": csrf})
    assert "takes the place of an earlier key" in replaced.text

    token = client.post(
        "/tokens",
        data={"csrf_token": csrf, "name": "mine", "scopes": "findings:read", "days": "30"},
    )
    assert "Copy the token now" in token.text
    number = re.search(r"/tokens/(\d+)/revoke", token.text)
    assert number is not None
    client.post(f"/tokens/{number[1]}/revoke", data={"csrf_token": csrf})
    assert "Revoked" in client.get("/tokens").text
