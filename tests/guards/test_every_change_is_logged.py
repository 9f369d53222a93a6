"""Every route that changes something writes to the audit log, in the transaction of the change.

The routes are enumerated from the application. For each one `CHANGES` has a call that succeeds; a new route
fails here until it has one, or is named in `NOT_LOGGED` with its reason. Each call is made twice: first where no
entry can be written, and then nothing may change; then as it is, and then the log has grown.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import pyotp
import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from sentrikat.api.router import API_PREFIX, entrances
from sentrikat.app import create_app
from sentrikat.audit.verification import verify
from sentrikat.domain.permissions import Permission
from sentrikat.identity import accounts, second_factor, web_sessions
from sentrikat.identity.models import UserAccount
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import Vault
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import PASSWORD, Estate, feeds, key, people, report, session_of
from tests.identity_provider import keys
from tests.postgres import SharedServer

# What changes something and is not logged, and why.
NOT_LOGGED = {
    "POST /api/v1/agent/reports": "a machine's data, kept whole in its receipt with time and key",
    "POST /forgot-password": "queues a mail, and is logged as a visitor's: tests/flows/test_password_reset.py",
    "POST /profile/second-factor/begin": "shows a seed to one browser; nothing counts until it is confirmed",
    "POST /organization": "which organization a browser looks at; nothing of anybody's changes",
    "POST /saml/{provider_id}/acs": "keeps an answer for the sign-in that fetches it, which is logged; "
    "needs a provider's signature (tests/flows/test_saml.py)",
    "POST /saml/{provider_id}/logout": "logged for each session; needs a provider's signature",
}
# Kept though an action failed: what counts attempts and notes the last use of a key or session.
KEPT_ANYWAY = {"sign_in_attempt", "web_session", "api_key"}

SOFTWARE = [
    {"type": "deb", "name": "curl", "version": "7.88.1-10+deb12u1", "source_name": "curl"},
    {"type": "windows", "name": "Plain Viewer 3.1", "version": "3.1"},
]
KEY = Fernet.generate_key().decode()
VAULT = Vault([KEY])
SETTINGS = Settings(encryption_keys=SecretStr(KEY), second_factor="administrators")
# A directory that nobody is at, asked without a service account.
DIRECTORY = {
    "hosts": ["127.0.0.1:1"],
    "base_dn": "dc=example,dc=test",
    "bind_template": "{login}@example.test",
}
DIRECTORY_FORM = {**DIRECTORY, "hosts": "127.0.0.1:1"}
LONG_SINCE = "correct horse battery of a staple"
TOKEN_END = (NOON + timedelta(days=30)).isoformat()


@dataclass(slots=True)
class World:
    """The application and what it runs on."""

    database: Database
    clock: FrozenClock
    estate: Estate
    client: TestClient
    asset: int
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def scalar(self, statement: str, **values: object) -> Any:
        """Ask the database for, or tell it, one thing."""
        with self.database.as_system() as session:
            return session.scalar(text(statement), values)

    def fresh_user(self) -> int:
        """Make an account."""
        with self.database.as_system() as session:
            login = f"fresh-{next(self.numbers)}"
            user = accounts.create_account(
                session,
                self.estate.caller(0),
                login=login,
                display_name=login,
                password=LONG_SINCE,
                now=NOON,
            )
            return user.id

    def member(self) -> int:
        """Make a member of the organization."""
        user_id = self.fresh_user()
        self.scalar(
            "insert into membership (organization_id, user_id, role, created_at)"
            " values (:o, :u, 'viewer', :now) returning 1",
            o=self.estate.acme,
            u=user_id,
            now=NOON,
        )
        return user_id

    def role(self) -> int:
        """Make a role of the organization's own."""
        body = {"name": f"Role {next(self.numbers)}", "permissions": ["inventory:read"]}
        return int(self.send(Call(body), f"{API_PREFIX}/roles", "POST").json()["id"])

    def directory(self, name: str | None = None) -> dict[str, Any]:
        """Make a directory, and give where it is in an address."""
        body = {"kind": "ldap", "name": name or f"Directory {next(self.numbers)}", "settings": DIRECTORY}
        made = self.send(Call(body), f"{API_PREFIX}/identity-providers", "POST")
        return {"provider_id": made.json()["id"]}

    def saml(self) -> dict[str, Any]:
        """Make a SAML provider, and give where it is in an address."""
        made = self.send(Call(_saml_form(self)), "/identity-providers/saml", "POST")
        return {"provider_id": int(made.headers["location"].split("/")[2])}

    def held_report(self) -> int:
        """Give a report that waits for somebody's confirmation."""
        number = self.scalar("select max(id) from receipt where organization_id = :o", o=self.estate.acme)
        self.scalar("update receipt set status = 'held' where id = :id returning 1", id=number)
        return int(number)

    def correction(self) -> int:
        """Make a correction through the API."""
        made = self.send(Call(_correction_body(self)), f"{API_PREFIX}/identification/corrections", "POST")
        return int(made.json()["id"])

    def possible(self, *, dismissed: bool) -> dict[str, Any]:
        """Give an entry of what is possibly affected."""
        self.scalar("with d as (delete from possible) delete from dismissal returning 1")
        self.scalar(
            "insert into possible (component_id, vulnerability_id, basis, source, vendor, product, since)"
            " select i.component_id, v.id, 'catalog', 'kev', 'Maker', 'Thing', :now from install i"
            " join vulnerability v on not exists (select from match m"
            "   where m.component_id = i.component_id and m.vulnerability_id = v.id)"
            " where i.asset_id = :asset and i.removed_at is null order by i.component_id, v.id limit 1 returning 1",
            now=NOON,
            asset=self.asset,
        )
        with self.database.as_system() as session:
            row = session.execute(
                text(
                    "select p.component_id, v.name from possible p join vulnerability v on v.id = p.vulnerability_id"
                )
            ).one()
        entry = {"vulnerability": row.name, "component_id": row.component_id}
        if dismissed:
            body = {**entry, "reason": "That part is not used."}
            assert (
                self.send(Call(body), f"{API_PREFIX}/possibly-affected/dismissals", "POST").status_code == 204
            )
        return entry

    def rolled_back_feed(self) -> str:
        """Give a feed that waits to be released."""
        self.scalar(
            "update feed set rolled_back_at = :now, rolled_back_to = 1 where name = 'kev' returning 1",
            now=NOON,
        )
        return "kev"

    def waiting_bundle(self) -> int:
        """Give a bundle that somebody else offered."""
        number = next(self.numbers)
        made = self.scalar(
            "insert into bundle_import (sha256, origin, sequence, made_at, state, file, offered_at, offered_by)"
            " values (:digest, 'abcdef012345', :n, :now, 'pending', 'no-such-file', :now, 'user:999') returning id",
            digest=f"{number:064d}",
            n=number,
            now=NOON,
        )
        return int(made)

    def login_of(self, user_id: int) -> str:
        """Give an account's login name."""
        return str(self.scalar("select login from user_account where id = :id", id=user_id))

    def factor(self, user_id: int) -> str:
        """Give an account a second factor; give its seed."""
        seed = second_factor.new_seed()
        with self.database.as_system() as session:
            session.execute(text("delete from totp_factor where user_id = :id"), {"id": user_id})
            session.execute(text("delete from recovery_code where user_id = :id"), {"id": user_id})
            before = NOON - timedelta(minutes=5)  # so that the code of NOON is unused
            assert second_factor.set_up(
                session,
                self.estate.caller(0),
                VAULT,
                session.get_one(UserAccount, user_id),
                seed=seed,
                code=pyotp.TOTP(seed).at(before),
                but_session=None,
                now=before,
            )
        return seed

    def show_seed(self, seed: str) -> None:
        """Let the newest browser session be shown a seed."""
        newest = self.scalar("select max(id) from web_session")
        with self.database.as_system() as session:
            web_sessions.keep_seed(session, newest, VAULT, seed)

    def key(self) -> int:
        """Make a key."""
        return key(self.database, self.clock, self.estate, Permission.FINDINGS_READ).id

    def token(self) -> int:
        """Make a token of the person who calls."""
        body = {"name": "A script", "scopes": ["findings:read"], "expires_at": TOKEN_END}
        return int(self.send(Call(body), f"{API_PREFIX}/tokens", "POST").json()["id"])

    def send(self, call: Call, path: str, method: str) -> Response:
        """Make a call, in a browser session of its own."""
        self.client.cookies.clear()
        if call.login is not None:
            cookie = session_of(self.database, self.clock, self.estate, call.login, factor="totp")
            self.scalar(
                "update web_session set organization_id = :o where id = (select max(id) from web_session) returning 1",
                o=self.estate.acme,
            )
            if call.seed is not None:
                self.show_seed(call.seed)
            self.client.cookies.set("sentrikat_session", cookie)
            me = self.client.get(f"{API_PREFIX}/me")
            headers = {"X-CSRF-Token": me.json()["csrf_token"]}
        else:
            page = self.client.get("/sign-in")
            token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
            assert token is not None
            call = Call({**(call.body or {}), "csrf_token": token[1]}, login=None, address=call.address)
            headers = {}
        sent = {"json" if path.startswith(API_PREFIX) else "data": call.body}
        return self.client.request(method, path, headers=headers, **sent)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent: the body, the values of the address, and by whom (None: nobody is signed in yet)."""

    body: dict[str, Any] | None = None
    address: dict[str, object] = field(default_factory=dict)
    login: str | None = "admin"
    seed: str | None = None  # of a second factor that the browser is shown


def _correction_body(world: World) -> dict[str, Any]:
    return {
        "title": f"Plain Viewer {next(world.numbers)}*",
        "meaning": "unlisted",
        "reason": "A program of our own",
    }


def _form_of(entry: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"entry": f"{entry['vulnerability']}|{entry['component_id']}", **more}


def _erased_user(world: World) -> Call:
    user_id = world.fresh_user()
    return Call({"login": world.login_of(user_id)}, {"user_id": user_id})


def _new_password(world: World) -> Call:
    """A sign-in that is half open: an account whose password somebody else has set."""
    user_id = world.fresh_user()
    world.scalar("update user_account set must_change_password = true where id = :id returning 1", id=user_id)
    login = world.login_of(user_id)
    answer = world.send(Call({"login": login, "password": LONG_SINCE}, login=None), "/sign-in", "POST")
    assert answer.headers["location"] == "/sign-in/new-password", answer.text
    return Call({"new_password": "quite another long password"}, login="half open")


def _second_factor(world: World) -> Call:
    """A sign-in that is half open: an account with a second factor."""
    user_id = world.fresh_user()
    seed = world.factor(user_id)
    credentials = {"login": world.login_of(user_id), "password": LONG_SINCE}
    answer = world.send(Call(credentials, login=None), "/sign-in", "POST")
    assert answer.headers["location"] == "/sign-in/second-factor", answer.text
    return Call({"code": pyotp.TOTP(seed).at(NOON)}, login="half open")


def _demanded_factor(world: World) -> Call:
    """A sign-in that is half open: an account that needs a second factor and has none."""
    user_id = world.fresh_user()
    world.scalar("update user_account set installation_admin = true where id = :id returning 1", id=user_id)
    credentials = {"login": world.login_of(user_id), "password": LONG_SINCE}
    answer = world.send(Call(credentials, login=None), "/sign-in", "POST")
    assert answer.headers["location"] == "/sign-in/set-up", answer.text
    seed = re.search(r'<code class="key">([A-Z2-7 ]+)<', world.client.get("/sign-in/set-up").text)
    assert seed is not None
    return Call({"code": pyotp.TOTP(seed[1].replace(" ", "")).at(NOON)}, login="half open")


def _mailed_link(world: World) -> Call:
    """A browser that followed a link of a mail."""
    user_id, token = world.fresh_user(), f"token-{next(world.numbers)}"
    stored = world.scalar("select password_hash from user_account where id = :id", id=user_id)
    world.scalar(
        "insert into password_reset (token_hash, user_id, bound_to, expires_at)"
        " values (:token, :id, :bound, :end) returning 1",
        token=web_sessions.token_hash(token),
        id=user_id,
        bound=hashlib.sha256(stored.encode()).digest(),
        end=NOON + timedelta(minutes=5),
    )
    world.client.cookies.clear()
    world.client.get(f"/reset-password?token={token}")
    return Call({"new_password": "quite another long password"}, login="half open")


def _user_with_factor(world: World) -> int:
    user_id = world.fresh_user()
    world.factor(user_id)
    return user_id


def _with_factor(world: World, login: str) -> Call:
    world.factor(world.estate.users[login])
    return Call({}, login=login)


def _first_code(world: World) -> Call:
    seed = second_factor.new_seed()
    world.scalar("with d as (delete from totp_factor) select 1")
    return Call({"code": pyotp.TOTP(seed).at(NOON)}, login="analyst", seed=seed)


def _own_session(world: World) -> dict[str, object]:
    session_of(world.database, world.clock, world.estate, "admin")
    return {"session_id": world.scalar("select max(id) from web_session")}


def _saml_form(world: World) -> dict[str, str]:
    return {
        "name": f"Provider {next(world.numbers)}",
        "entity_id": "https://idp.example.org",
        "sso_url": "https://idp.example.org/sso",
        "certificates": keys("idp").certificate.pem,
        "skew_seconds": "60",
    }


CHANGES: dict[str, Callable[[World], Call]] = {
    "POST /api/v1/receipts/{receipt_id}/confirmation": lambda w: Call(
        address={"receipt_id": w.held_report()}
    ),
    "PATCH /api/v1/assets/{asset_id}": lambda w: Call(
        {"criticality": 1 if w.scalar("select criticality from asset where id = :a", a=w.asset) != 1 else 2},
        {"asset_id": w.asset},
    ),
    "POST /api/v1/identification/corrections": lambda w: Call(_correction_body(w)),
    "DELETE /api/v1/identification/corrections/{correction_id}": lambda w: Call(
        address={"correction_id": w.correction()}
    ),
    "POST /api/v1/possibly-affected/dismissals": lambda w: Call(
        {**w.possible(dismissed=False), "reason": "That part is not used."}
    ),
    "POST /api/v1/possibly-affected/restorals": lambda w: Call(w.possible(dismissed=True)),
    "POST /api/v1/feeds/{name}/{decision}": lambda w: Call(
        {}, {"name": w.rolled_back_feed(), "decision": "release"}
    ),
    "POST /api/v1/api-keys": lambda _: Call({"name": "A scanner", "scopes": ["findings:read"]}),
    "POST /api/v1/api-keys/{key_id}/rotation": lambda w: Call({"overlap_hours": 1}, {"key_id": w.key()}),
    "POST /api/v1/tokens": lambda _: Call(
        {"name": "A script", "scopes": ["findings:read"], "expires_at": TOKEN_END}
    ),
    "DELETE /api/v1/tokens/{key_id}": lambda w: Call(address={"key_id": w.token()}),
    "DELETE /api/v1/api-keys/{key_id}": lambda w: Call(address={"key_id": w.key()}),
    "POST /api/v1/members": lambda w: Call({"login": w.login_of(w.fresh_user()), "role": "viewer"}),
    "PATCH /api/v1/members/{user_id}": lambda w: Call({"role": "analyst"}, {"user_id": w.member()}),
    "DELETE /api/v1/members/{user_id}": lambda w: Call(address={"user_id": w.member()}),
    "POST /api/v1/roles": lambda w: Call(
        {"name": f"Role {next(w.numbers)}", "permissions": ["inventory:read"]}
    ),
    "PATCH /api/v1/roles/{role_id}": lambda w: Call({"description": "Other."}, {"role_id": w.role()}),
    "DELETE /api/v1/roles/{role_id}": lambda w: Call(address={"role_id": w.role()}),
    "POST /roles": lambda w: Call({"name": f"Role {next(w.numbers)}", "permissions": "inventory:read"}),
    "POST /roles/{role_id}": lambda w: Call(
        {"name": f"Role {next(w.numbers)}", "permissions": "audit:read"}, {"role_id": w.role()}
    ),
    "POST /roles/{role_id}/delete": lambda w: Call({}, {"role_id": w.role()}),
    "POST /api/v1/users": lambda w: Call({"login": f"new-{next(w.numbers)}", "display_name": "New"}),
    "PATCH /api/v1/users/{user_id}": lambda w: Call({"disabled": True}, {"user_id": w.fresh_user()}),
    "POST /api/v1/users/{user_id}/password": lambda w: Call(address={"user_id": w.fresh_user()}),
    "POST /api/v1/users/{user_id}/erasure": lambda w: Call(address={"user_id": w.fresh_user()}),
    "DELETE /api/v1/users/{user_id}/sessions": lambda w: Call(address={"user_id": w.fresh_user()}),
    "POST /api/v1/organizations": lambda w: Call({"slug": f"org-{next(w.numbers)}", "name": "New"}),
    "PATCH /api/v1/organizations/{organization_id}": lambda w: Call(
        {"name": f"Other {next(w.numbers)}"}, {"organization_id": w.estate.other}
    ),
    "POST /api/v1/bundles/{bundle_id}/{verdict}": lambda w: Call(
        {}, {"bundle_id": w.waiting_bundle(), "verdict": "reject"}
    ),
    "POST /bundles/decision": lambda w: Call({"bundle": str(w.waiting_bundle()), "decision": "reject"}),
    "POST /api/v1/identity-providers": lambda w: Call(
        {"kind": "ldap", "name": f"Directory {next(w.numbers)}", "settings": DIRECTORY}
    ),
    "PATCH /api/v1/identity-providers/{provider_id}": lambda w: Call({"provisioning": False}, w.directory()),
    "DELETE /api/v1/identity-providers/{provider_id}": lambda w: Call(address=w.directory()),
    "PUT /api/v1/identity-providers/{provider_id}/rules": lambda w: Call(
        {"rules": [{"group": "admins", "installation_admin": True}]}, w.directory()
    ),
    "POST /api/v1/identity-providers/{provider_id}/test": lambda w: Call({}, w.directory()),
    "POST /api/v1/identity-providers/{provider_id}/sync": lambda w: Call({}, w.directory()),
    "POST /identity-providers": lambda w: Call({**DIRECTORY_FORM, "name": f"Directory {next(w.numbers)}"}),
    "POST /identity-providers/{provider_id}": lambda w: Call(
        {**DIRECTORY_FORM, "name": f"Directory {next(w.numbers)}"}, w.directory()
    ),
    "POST /identity-providers/{provider_id}/test": lambda w: Call({}, w.directory()),
    "POST /identity-providers/{provider_id}/sync": lambda w: Call({}, w.directory()),
    "POST /identity-providers/{provider_id}/rules": lambda w: Call(
        {"action": "add", "group": "staff", "organization": "acme", "role": "viewer"}, w.directory()
    ),
    "POST /identity-providers/{provider_id}/delete": lambda w: Call(
        {"name": "To be removed"}, w.directory("To be removed")
    ),
    "POST /identity-providers/saml": lambda w: Call(_saml_form(w)),
    "POST /identity-providers/{provider_id}/saml": lambda w: Call(_saml_form(w), w.saml()),
    "POST /identity-providers/saml/keys": lambda w: Call(
        {"action": "retire" if w.scalar("select count(*) from saml_key where state = 'next'") else "prepare"}
    ),
    "POST /members": lambda w: Call({"login": w.login_of(w.fresh_user()), "role": "viewer"}),
    "POST /members/{user_id}/role": lambda w: Call({"role": "analyst"}, {"user_id": w.member()}),
    "POST /members/{user_id}/remove": lambda w: Call({}, {"user_id": w.member()}),
    "POST /users": lambda w: Call({"login": f"new-{next(w.numbers)}", "display_name": "New"}),
    "POST /users/{user_id}/password": lambda w: Call({}, {"user_id": w.fresh_user()}),
    "POST /users/{user_id}/erase": _erased_user,
    "POST /users/{user_id}/sign-out": lambda w: Call({}, {"user_id": w.fresh_user()}),
    "POST /users/{user_id}/second-factor": lambda w: Call({}, {"user_id": _user_with_factor(w)}),
    "POST /users/{user_id}/disabled": lambda w: Call({"wanted": "yes"}, {"user_id": w.fresh_user()}),
    "POST /users/{user_id}/installation-admin": lambda w: Call(
        {"wanted": "yes"}, {"user_id": w.fresh_user()}
    ),
    "POST /users/{user_id}/membership": lambda w: Call(
        {"organization": "acme", "role": "viewer"}, {"user_id": w.fresh_user()}
    ),
    "POST /organizations": lambda w: Call(
        {"slug": f"org-{next(w.numbers)}", "name": "New", "time_zone": "UTC"}
    ),
    "POST /organizations/{organization_id}": lambda w: Call(
        {"name": f"Other {next(w.numbers)}", "time_zone": "UTC"}, {"organization_id": w.estate.other}
    ),
    "POST /sign-in": lambda _: Call({"login": "viewer", "password": PASSWORD}, login=None),
    "POST /sign-out": lambda _: Call({}),
    "POST /sign-in/new-password": _new_password,
    "POST /sign-in/second-factor": _second_factor,
    "POST /reset-password": _mailed_link,
    "POST /sign-in/set-up": _demanded_factor,
    "POST /profile/second-factor/set-up": _first_code,
    "POST /profile/second-factor/codes": lambda w: _with_factor(w, "manager"),
    "POST /profile/second-factor/remove": lambda w: _with_factor(w, "manager"),
    "POST /profile/sessions/end-others": lambda _: Call({}),
    "DELETE /api/v1/me/sessions": lambda _: Call(),
    "DELETE /api/v1/me/sessions/{session_id}": lambda w: Call(address=_own_session(w)),
    "POST /confirm": lambda _: Call({"password": PASSWORD, "next": "/"}),
    "DELETE /api/v1/users/{user_id}/second-factor": lambda w: Call(address={"user_id": _user_with_factor(w)}),
    "POST /possibly-affected/dismissals": lambda w: Call(
        _form_of(w.possible(dismissed=False), reason="That part is not used.")
    ),
    "POST /possibly-affected/restorals": lambda w: Call(_form_of(w.possible(dismissed=True))),
    "POST /assets/{asset_id}": lambda w: Call(
        {
            "exposure": "public"
            if w.scalar("select exposure from asset where id = :a", a=w.asset) != "public"
            else "internal"
        },
        {"asset_id": w.asset},
    ),
    "POST /assets/{asset_id}/receipts/{receipt_id}/confirmation": lambda w: Call(
        {}, {"asset_id": w.asset, "receipt_id": w.held_report()}
    ),
    "POST /identification/decisions": lambda w: Call(_correction_body(w)),
    "POST /identification/corrections/{correction_id}/withdrawal": lambda w: Call(
        {}, {"correction_id": w.correction()}
    ),
    "POST /feeds/decision": lambda w: Call({"feed": w.rolled_back_feed(), "decision": "release", "run": ""}),
    "POST /api-keys": lambda _: Call({"name": "A scanner", "scopes": "findings:read", "days": "90"}),
    "POST /api-keys/{key_id}/rotate": lambda w: Call({}, {"key_id": w.key()}),
    "POST /tokens": lambda _: Call({"name": "A script", "scopes": "findings:read", "days": "90"}),
    "POST /tokens/{key_id}/revoke": lambda w: Call({}, {"key_id": w.token()}),
    "POST /api-keys/{key_id}/revoke": lambda w: Call({}, {"key_id": w.key()}),
    "POST /profile/password": lambda _: Call(
        {"current_password": PASSWORD, "new_password": LONG_SINCE}, login="both"
    ),
    "POST /profile/sessions/{session_id}/end": lambda w: Call({}, _own_session(w)),
}


@pytest.fixture(scope="module")
def app(database_server: SharedServer) -> Iterator[FastAPI]:
    """The application on a database of this module alone."""
    name = f"logged_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    yield create_app(SETTINGS, database_server.clone_template(name), clock=FrozenClock(NOON))
    database_server.drop(name)


@pytest.fixture(scope="module")
def world(app: FastAPI) -> Iterator[World]:
    """People, a feed, and a machine with a report."""
    clock = FrozenClock(NOON)
    database = Database(app.state.database.url, application_name="test")
    estate = people(database, clock)
    feeds(database, clock)
    asset = report(database, clock, estate.acme, "web-03", SOFTWARE)
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        yield World(database, clock, estate, client, asset)
    database.close()


def changing(app: FastAPI) -> list[str]:
    """Every route that may change something, as METHOD path."""
    return [
        f"{method} {entrance.path}"
        for entrance in entrances(app)
        for method in entrance.methods
        if method not in {"GET", "HEAD", "OPTIONS"}
    ]


@cache
def routes() -> list[str]:
    """The same before any database runs: pytest asks for the names when it collects."""
    return changing(create_app(Settings(), "postgresql://nobody@127.0.0.1:1/none"))


def test_every_changing_route_is_tried_or_excused() -> None:
    """Write a call that succeeds into CHANGES; only what changes nothing of anybody's belongs into NOT_LOGGED."""
    known = {*CHANGES, *NOT_LOGGED}

    assert [route for route in routes() if route not in known] == []
    assert [route for route in known if route not in routes()] == []


@pytest.mark.parametrize("route", [route for route in routes() if route in CHANGES])
def test_a_change_is_logged_and_does_not_happen_unlogged(route: str, world: World) -> None:
    method, path = route.split(" ")
    call = CHANGES[route](world)
    address = path.format(**call.address)
    if call.login == "half open":
        _try_half_open(world, call, address)
        return

    with unlogged(world):
        before = state_of(world)
        refused = world.send(call, address, method)
        assert refused.status_code == 500, refused.text
        assert changed(before, state_of(world)) == set()

    entries = newest(world)
    answer = world.send(call, address, method)
    assert answer.status_code < 400, answer.text
    assert_logged(world, entries)


def _try_half_open(world: World, call: Call, address: str) -> None:
    """Answer what a half-open sign-in asks, whose cookie the browser already holds."""

    def send() -> Response:
        page = world.client.get(address)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token is not None, page.text
        return world.client.post(address, data={**(call.body or {}), "csrf_token": token[1]})

    with unlogged(world):
        before = state_of(world)
        assert send().status_code == 500
        assert changed(before, state_of(world)) == set()
    entries = newest(world)
    assert send().status_code < 400
    assert_logged(world, entries)


def assert_logged(world: World, since: int) -> None:
    """Time, address, author and object stand in the new entries, and the chains hold."""
    with world.database.as_system() as session:
        rows = session.execute(
            text(
                "select organization_id, at, actor, action, object, address from audit_entry where id > :id"
            ),
            {"id": since},
        ).all()
        assert rows, "nothing was logged"
        for row in rows:
            assert re.fullmatch(r"user:\d+", row.actor), row
            assert re.fullmatch(r"[a-z_]+:.+", row.object), row
            assert row.address == "testclient", row
            assert row.at >= NOON
            assert row.organization_id in {0, world.estate.acme}
        assert verify(session, 0).holds
        assert verify(session, world.estate.acme).holds


@contextmanager
def unlogged(world: World) -> Iterator[None]:
    """While this lasts nobody may write to the audit log; the program's own log is not rendered, which is slow."""

    def tell(statement: str) -> None:
        with world.database.engine.begin() as owner:
            owner.execute(text(statement))

    tell("revoke insert on audit_entry from sentrikat_application, sentrikat_system")
    try:
        with capture_logs():
            yield
    finally:
        tell("grant insert on audit_entry to sentrikat_application, sentrikat_system")


def newest(world: World) -> int:
    """Give the newest entry's id."""
    return int(world.scalar("select coalesce(max(id), 0) from audit_entry"))


def state_of(world: World) -> dict[str, str]:
    """Give a fingerprint of every table but those of public knowledge, which is large and not changed by people."""
    with world.database.engine.connect() as owner:
        names = owner.scalars(
            text(
                "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
                " and pg_table_size(oid) < 256 * 1024 order by 1"
            )
        ).all()
    query = " union all ".join(
        f"select '{name}' as name, coalesce(md5(string_agg(t::text, ',' order by t::text)), '') as digest from \"{name}\" t"
        for name in names
        if name not in KEPT_ANYWAY
    )
    with world.database.as_system() as session:
        session.execute(text("reset role"))  # the queue is nobody's but the owner's
        session.execute(text("set local row_security = off"))
        return {row.name: row.digest for row in session.execute(text(query))}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Give the tables that differ."""
    return {name for name in before if after.get(name) != before[name]}


def test_the_fingerprint_sees_a_change(world: World) -> None:
    before = state_of(world)
    user = world.member()

    found = changed(before, state_of(world))

    assert {"membership", "user_account", "audit_entry"} <= found
    with world.database.as_system() as session:
        assert session.get_one(UserAccount, user).login.startswith("fresh-")
