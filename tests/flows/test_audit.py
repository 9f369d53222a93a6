"""The audit log through its two doors, and the address that stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from sentrikat.api import audit
from sentrikat.app import create_app
from sentrikat.audit.checkpoints import sign_all
from sentrikat.audit.export import ExportFile, prove_export
from sentrikat.audit.journal import record
from sentrikat.audit.signing_key import signing_key
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.domain.signed_statement import public_half
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.web.audit import detail_words
from tests.flows.estate import PASSWORD, Estate, key, session_of
from tests.flows.test_api import held, problem


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a data directory for the key."""
    return Settings(data_dir=tmp_path_factory.mktemp("data"), trusted_proxies="127.0.0.1,10.0.0.0/8")


@pytest.fixture
def app(database: Database, clock: FrozenClock, settings: Settings) -> Iterator[FastAPI]:
    """The application."""
    made = create_app(settings, database.url, clock=clock)
    yield made
    made.state.database.close()
    made.state.exporting.close()


@pytest.fixture
def api(app: FastAPI, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """A program with a key that may read the log."""
    made = key(database, clock, estate, Permission.AUDIT_READ)
    return TestClient(app, headers={"Authorization": f"Bearer {made.secret}"})


def browser(app: FastAPI, database: Database, clock: FrozenClock, estate: Estate, login: str) -> TestClient:
    """A browser that somebody is signed in with."""
    client = TestClient(app, follow_redirects=False)
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, login))
    return client


def test_the_log_is_listed_filtered_and_paged(api: TestClient) -> None:
    everything = held(api.get("/api/v1/audit?limit=200"), audit.Entries)["items"]
    members = held(api.get("/api/v1/audit?action=member"), audit.Entries)["items"]
    mine = held(api.get("/api/v1/audit?actor=user:1&limit=1"), audit.Entries)
    later = held(api.get("/api/v1/audit?since=2027-01-01T00:00:00Z"), audit.Entries)["items"]

    assert {row["action"] for row in members} < {row["action"] for row in everything}
    assert mine["items"][0]["actor"] == "user:1"
    following = api.get("/api/v1/audit", params={"actor": "user:1", "cursor": mine["next_cursor"] or ""})
    assert following.status_code in {200, 400}  # 400: there is one entry alone
    assert later == []
    assert problem(api.get("/api/v1/audit?colour=red"), 422)
    assert problem(api.get("/api/v1/audit?since=yesterday"), 422)


def test_the_verification_says_how_much_is_signed(
    api: TestClient, database: Database, clock: FrozenClock, settings: Settings
) -> None:
    before = held(api.get("/api/v1/audit/verification"), audit.Verification)
    assert (before["holds"], before["checkpoints_known"], before["signed_at"]) == (True, False, None)

    sign_all(database, signing_key(settings), now=clock.now())

    after = held(api.get("/api/v1/audit/verification"), audit.Verification)
    assert (after["holds"], after["checkpoints"], after["unsigned_entries"]) == (True, 1, 0)


def test_an_export_proves_itself(api: TestClient, settings: Settings, tmp_path: Path) -> None:
    answer = api.get("/api/v1/audit/export")
    own = public_half(signing_key(settings))
    (tmp_path / "x.jsonl").write_bytes(answer.content)

    proof = prove_export(ExportFile(tmp_path / "x.jsonl"), {own.id: own})
    assert proof.holds
    assert proof.walked.entries > 5
    events = api.get("/api/v1/audit/export?form=ocsf&action=member").text.splitlines()
    assert events
    assert {json.loads(one)["class_uid"] for one in events} == {3001}


@pytest.mark.parametrize("path", ["", "/verification", "/export"])
def test_the_log_of_the_installation_is_for_those_who_run_it(
    app: FastAPI, api: TestClient, database: Database, clock: FrozenClock, estate: Estate, path: str
) -> None:
    address = f"/api/v1/audit/installation{path}"
    assert problem(api.get(address), 403)
    assert browser(app, database, clock, estate, "administrator").get(address).status_code == 403
    answer = browser(app, database, clock, estate, "admin").get(address)
    assert answer.status_code == 200
    if path != "/verification":
        assert "organization.created" in answer.text


def test_the_page_shows_names_and_says_what_is_signed(
    app: FastAPI, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    page = browser(app, database, clock, estate, "auditor").get("/audit?check=true")

    assert page.status_code == 200
    assert "The chain holds" in page.text
    assert "command line" in page.text  # and not: cli
    assert "user viewer" in page.text  # whose role was set, by login
    assert re.search(r"Verified and signed up to entry \d+|Never signed", page.text)
    assert "/audit/installation" not in page.text


def test_a_provider_that_did_something_is_called_by_its_name(
    app: FastAPI, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    with database.as_system() as session:
        number = session.scalar(
            text(
                "insert into identity_provider (kind, name, position, settings, created_at)"
                " values ('ldap', 'Head office', 1, '{}', :now) returning id"
            ),
            {"now": clock.now()},
        )
        provider = Caller(0, f"provider:{number}", frozenset())
        record(session, provider, "identity_provider.unavailable", provider.actor, now=clock.now())
    page = browser(app, database, clock, estate, "admin").get("/audit/installation").text
    with database.as_system() as session:
        session.execute(text("delete from identity_provider"))

    assert f'<span title="provider:{number}">Head office</span>' in page
    assert f'<span title="provider:{number}">provider Head office</span>' in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("actor=command+line", True),
        ("actor=nobody-of-that-name", False),
        ("action=membership", True),
        ("since=2026-06-02&until=2026-06-02", True),
        ("since=2026-06-03", False),
        ("address=203.", False),
        ("object=user:", True),
        ("object=%25", False),  # no pattern
        ("actor=%00", False),
    ],
)
def test_the_page_is_filtered(
    app: FastAPI, database: Database, clock: FrozenClock, estate: Estate, query: str, shown: bool
) -> None:
    page = browser(app, database, clock, estate, "auditor").get(f"/audit?{query}")

    assert page.status_code == 200
    assert ("<tbody>" in page.text) is shown
    assert ("No entry matches" in page.text) is not shown


def test_the_installation_page_is_exported_as_it_is_filtered(
    app: FastAPI, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client = browser(app, database, clock, estate, "admin")

    assert "organization" in client.get("/audit/installation").text
    answer = client.get("/audit/installation/export?action=organization")
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-installation-')
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0]["filtered"] is True
    assert {line["action"] for line in lines if line["record"] == "entry"} == {"organization.created"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),  # a proxy of ours says who came
        (
            "127.0.0.1",
            "198.51.100.7, 203.0.113.9",
            "203.0.113.9",
        ),  # what the client itself claims is not believed
        ("127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),  # through two proxies of ours
        ("192.0.2.50", "203.0.113.9", "192.0.2.50"),  # no proxy of ours: it may say what it likes
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_the_address_is_the_visitors_behind_trusted_proxies_and_no_other(
    app: FastAPI, database: Database, settings: Settings, peer: str, forwarded: str, address: str
) -> None:
    """As `sentrikat serve` gives the setting to uvicorn."""
    behind = cast("Any", ProxyHeadersMiddleware)(app, trusted_hosts=settings.trusted_proxies)
    client = TestClient(behind, client=(peer, 50_000), headers={"X-Forwarded-For": forwarded})
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    assert token is not None

    client.post("/sign-in", data={"login": "viewer", "password": PASSWORD, "csrf_token": token[1]})

    with database.as_system() as session:
        said = session.execute(
            text("select action, address from audit_entry where organization_id = 0 order by id desc limit 1")
        ).one()
    assert (said.action, said.address) == ("sign_in", address)


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        (
            {"hostname": "web-03", "exposure": ["unknown", "public"]},
            "hostname: web-03; exposure: unknown → public",
        ),
        ({"criticality": [None, 3]}, "criticality: none → 3"),
        (
            {"scopes": ["agent:report", "audit:read"]},
            "scopes: agent:report, audit:read",
        ),  # a list is no change
        ({"installation_admin": True, "email": None}, "installation admin: yes"),
        ({"networks": [], "was": {"time_zone": "UTC"}}, "networks: none; was: time zone UTC"),
    ],
)
def test_the_detail_of_an_entry_is_said_in_words(detail: dict[str, object], words: str) -> None:
    assert "; ".join(f"{name}: {value}" for name, value in detail_words(detail)) == words
