"""Recognizable secrets everywhere, and none of them comes out but where it is shown once.

One installation is driven through what people and programs do with secrets, what goes wrong included, with the log
at debug level. Then every text that came out of it is searched for every secret.
"""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyotp
import pytest
import structlog
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import SecretStr
from sqlalchemy import text

from sentrikat.api.router import entrances
from sentrikat.app import create_app
from sentrikat.cli import run
from sentrikat.identity import password_reset
from sentrikat.identity.models import UserAccount
from sentrikat.identity.saml.keys import key_pairs
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import open_vault
from sentrikat.infra.logging import configure
from sentrikat.infra.settings import Settings
from tests.flows.estate import PASSWORD, Estate, session_of
from tests.flows.test_second_factor import codes_of, seed_of
from tests.flows.test_web import sign_in, token_of
from tests.smtp_peer import PASSWORD as SMTP_PASSWORD
from tests.smtp_peer import USER as SMTP_USER
from tests.smtp_peer import mail_server

LDAP_PASSWORD = "canary-of-the-directory-3f1d"
WRONG_PASSWORD = "canary-typed-wrong-77ab"
DATABASE_PASSWORD = "canary-of-the-database-91cc"
NVD_KEY = "canary-of-nvd-5d2e-44aa"
PEPPER = "canary-pepper-0123456789-0123456789"
ENCRYPTION_KEY = Fernet.generate_key().decode()


class Written(io.TextIOWrapper):
    """What stands in for standard output."""

    def getvalue(self) -> str:
        """Give all that was written."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


@dataclass
class Scene:
    """What came out, by where it came out, and what must not have."""

    secrets: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)
    # Where each was shown on purpose; once.
    shown: dict[str, str] = field(default_factory=dict)

    def hear(self, answer: Response, *, shows: str | None = None) -> Response:
        """Keep an answer, its headers included."""
        place = f"{answer.request.method} {answer.request.url.path}"
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        if shows is not None:
            self.shown[shows] = answer.text + headers
        else:
            self.heard.append((place, answer.text + headers))
        return answer

    def leaks(self) -> list[tuple[str, str]]:
        """Name each secret that came out, and where."""
        return [
            (name, place)
            for place, said in self.heard
            for name, secret in self.secrets.items()
            if secret in said
        ]


def secret_settings(**changes: object) -> Settings:
    """Settings that hold one of each secret."""
    return Settings(
        database_url=SecretStr(f"postgresql://kat:{DATABASE_PASSWORD}@127.0.0.1:9/kat"),
        encryption_keys=SecretStr(ENCRYPTION_KEY),
        api_key_pepper=SecretStr(PEPPER),
        nvd_api_key=SecretStr(NVD_KEY),
        smtp_password=SecretStr(SMTP_PASSWORD),
        log_level="debug",
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture
def log() -> Iterator[Written]:
    """Where log lines go; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = Written(io.BytesIO(), write_through=True)
    yield written
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def breaking(app: FastAPI) -> None:
    """Add a page that fails with secrets in its variables and in its words."""

    @app.get("/breaks")
    def breaks() -> None:
        password = LDAP_PASSWORD
        raise RuntimeError(f"no {SMTP_PASSWORD}, no {NVD_KEY}, no {PEPPER}" if password else "")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_comes_out(
    form: str,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    log: Written,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout", log)
    scene = Scene(
        {
            "directory": LDAP_PASSWORD,
            "typed": WRONG_PASSWORD,
            "database": DATABASE_PASSWORD,
            "nvd": NVD_KEY,
            "pepper": PEPPER,
            "encryption": ENCRYPTION_KEY,
            "mail": SMTP_PASSWORD,
            "mail encoded": base64.b64encode(SMTP_PASSWORD.encode()).decode(),
            "password": PASSWORD,
        }
    )
    with mail_server(tmp_path) as box:
        settings = secret_settings(
            public_url="http://testserver",
            second_factor="optional",
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_user=SMTP_USER,
            smtp_from="sentrikat@acme.example",
            ca_file=box.ca_file,
            log_format=form,
        )
        configure(settings, process="web")
        app = create_app(settings, database.url, clock=clock)
        breaking(app)
        with TestClient(
            app, base_url="http://testserver", follow_redirects=False, raise_server_exceptions=False
        ) as client:
            # Each run sets up a second factor of its own.
            _people(scene, client, database, clock, estate, "manager" if form == "json" else "auditor")
            _machines(scene, client, database, clock, estate)
            _reset(scene, client, database, clock, estate, settings, box)
            scene.hear(client.get("/breaks"))
            _every_page(scene, client, app, database, clock, estate)
    with TestClient(
        create_app(settings, settings.database_url.get_secret_value(), clock=clock),  # type: ignore[union-attr]
        raise_server_exceptions=False,
    ) as nowhere:
        assert scene.hear(nowhere.get("/", headers={"Cookie": "sentrikat_session=x"})).status_code in {
            200,
            503,
        }
        assert scene.hear(nowhere.get("/api/v1/health/ready")).status_code == 503
        assert scene.hear(
            nowhere.get("/api/v1/me", headers={"Authorization": "Bearer sk_x"})
        ).status_code in {401, 503}
    with database.as_system() as session:
        vault = open_vault(settings)
        scene.secrets["saml key"] = key_pairs(session, vault, clock.now())[0].private.splitlines()[2]
        for row in session.execute(text("select to_json(e)::text from audit_entry e")).scalars():
            scene.heard.append(("audit entry", row))
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SENTRIKAT_NVD_API_KEY", NVD_KEY)
    monkeypatch.setenv("SENTRIKAT_ENCRYPTION_KEYS", ENCRYPTION_KEY)
    for command in (
        ["doctor"],
        ["audit", "export", "--organization", "acme"],
        ["keys", "status"],
        ["users", "list"],
    ):
        run(command)
        scene.heard.append((" ".join(command), log.getvalue()))
    scene.heard += [
        ("log", log.getvalue()),
        ("settings", repr(settings) + str(settings)),
        ("vault", repr(vault)),
    ]

    assert "request failed" in log.getvalue()
    assert "canary" not in log.getvalue()
    assert len(scene.secrets) > 15
    assert scene.leaks() == []
    assert {name for name, said in scene.shown.items() if scene.secrets[name] not in said} == set()


def _people(
    scene: Scene, client: TestClient, database: Database, clock: FrozenClock, estate: Estate, login: str
) -> None:
    """Wrong and right passwords, a second factor, and what a browser holds."""
    with database.as_system() as session:
        session.execute(text("delete from sign_in_attempt"))
    assert sign_in(client, "viewer", WRONG_PASSWORD) == 401
    token = token_of(client.get("/sign-in").text)
    scene.hear(
        client.post("/sign-in", data={"csrf_token": token, "login": "viewer", "password": WRONG_PASSWORD})
    )
    scene.hear(
        client.post("/sign-in", data={"csrf_token": "x", "login": WRONG_PASSWORD, "password": PASSWORD})
    )
    client.cookies.clear()
    cookie = session_of(database, clock, estate, login)
    scene.secrets["session"] = cookie
    client.cookies.set("sentrikat_session", cookie, domain="testserver.local")
    page = client.get("/profile/second-factor").text
    token = token_of(page)
    scene.hear(client.post("/profile/second-factor/begin", data={"csrf_token": token}))
    shown = scene.hear(client.get("/profile/second-factor"), shows="seed").text
    seed = seed_of(shown)
    scene.secrets["seed"] = " ".join(re.findall(".{4}", seed))
    scene.secrets["seed in one"] = seed
    scene.hear(
        client.post("/profile/second-factor/set-up", data={"csrf_token": token, "code": "000000"}),
        shows="seed in one",
    )
    scene.shown.pop("seed in one")  # the page asks again, with the seed
    done = client.post(
        "/profile/second-factor/set-up",
        data={"csrf_token": token, "code": pyotp.TOTP(seed).at(clock.now())},
    )
    codes = codes_of(done.text)
    assert len(codes) == 10
    scene.secrets |= {"recovery code": codes[0], "last recovery code": codes[-1]}
    scene.hear(done, shows="recovery code")
    client.cookies.clear()


def _machines(
    scene: Scene, client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    """A key is made and used wrongly; a directory that is nowhere is made and tried."""
    cookie = session_of(database, clock, estate, "administrator")
    csrf = client.get("/api/v1/me", headers={"Cookie": f"sentrikat_session={cookie}"}).json()["csrf_token"]
    headers = {"Cookie": f"sentrikat_session={cookie}", "X-CSRF-Token": csrf}
    scene.secrets["administrator's session"] = cookie
    made = client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["inventory:read"]}, headers=headers)
    if made.status_code == 422:
        scope = re.findall(r"[a-z]+:[a-z]+", made.text)[0]
        made = client.post("/api/v1/api-keys", json={"name": "k", "scopes": [scope]}, headers=headers)
    assert made.status_code == 201, made.text
    scene.hear(made, shows="key")
    scene.secrets["key"] = made.json()["key"]
    bearer = {"Authorization": f"Bearer {made.json()['key']}"}
    for path in ("/api/v1/assets", "/api/v1/users", "/api/v1/nothing", "/api/v1/findings?limit=x"):
        scene.hear(client.get(path, headers=bearer))
    scene.hear(client.get("/breaks", headers=bearer))
    scene.hear(client.post("/api/v1/agent/reports", content=b"{", headers=bearer))
    top = session_of(database, clock, estate, "admin")
    csrf = client.get("/api/v1/me", headers={"Cookie": f"sentrikat_session={top}"}).json()["csrf_token"]
    headers = {"Cookie": f"sentrikat_session={top}", "X-CSRF-Token": csrf}
    wanted = {
        "kind": "ldap",
        "name": f"Nowhere {len(scene.heard)}",
        "settings": {
            "directory": "openldap",
            "hosts": ["127.0.0.1:9"],
            "base_dn": "dc=example,dc=test",
            "bind_dn": "cn=service,dc=example,dc=test",
        },
        "secret": LDAP_PASSWORD,
    }
    scene.hear(client.post("/api/v1/identity-providers", json={**wanted, "kind": "tarot"}, headers=headers))
    provider = scene.hear(client.post("/api/v1/identity-providers", json=wanted, headers=headers))
    assert provider.status_code == 201, provider.text
    place = f"/api/v1/identity-providers/{provider.json()['id']}"
    scene.hear(client.get(place, headers=headers))
    scene.hear(client.post(f"{place}/test", json={"login": "jane"}, headers=headers))
    scene.hear(client.delete(place, headers=headers))


def _reset(
    scene: Scene,
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    settings: Settings,
    box: object,
) -> None:
    """A link to choose a new password is asked for, mailed, followed, and used wrongly."""
    with database.as_system() as session:
        session.get_one(UserAccount, estate.users["analyst"]).email = "analyst@acme.example"
    token = token_of(client.get("/forgot-password").text)
    scene.hear(client.post("/forgot-password", data={"csrf_token": token, "login": "analyst"}))
    password_reset.mail_links(database, settings, clock, text="analyst")
    found = re.search(r"token=(\S{43})", box.mails[-1].get_content())  # type: ignore[attr-defined]
    assert found is not None
    scene.secrets["reset link"] = found[1]
    answer = client.get(f"/reset-password?token={found[1]}")
    scene.shown["reset link"] = "\n".join(answer.headers.get_list("set-cookie"))
    page = scene.hear(client.get("/reset-password"))
    scene.hear(
        client.post("/reset-password", data={"csrf_token": token_of(page.text), "new_password": "short"})
    )
    client.cookies.clear()


def _every_page(
    scene: Scene, client: TestClient, app: FastAPI, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    """Every page and read of the API, as who sees most."""
    values = {"name": "debian", "vulnerability": "CVE-2023-5217"}
    for login in ("admin", "administrator"):
        cookie = session_of(database, clock, estate, login)
        scene.secrets[f"{login}'s last session"] = cookie
        for entrance in entrances(app):
            if "GET" in entrance.methods:
                path = re.sub(r"{(\w+)(:\w+)?}", lambda found: values.get(found[1], "1"), entrance.path)
                scene.hear(client.get(path, headers={"Cookie": f"sentrikat_session={cookie}"}))
