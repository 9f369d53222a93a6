"""The whole way in, as it is shipped: nginx with our file before the server as `sentrikat serve` starts it."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from sentrikat.domain.permissions import Permission
from sentrikat.infra.clock import FrozenClock, SystemClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.infra.web_server import HEAD_SECONDS
from tests.flows.estate import PASSWORD, Estate, key
from tests.peers.certificates import Authority, Files
from tests.peers.nginx import NAME, SHIPPED, Nginx, nginx
from tests.peers.processes import free_port, program, started

# A visitor's address: another of the loopback network's than the proxy's own.
VISITOR = "127.0.0.9"


@dataclass(frozen=True)
class Scene:
    """A running installation behind its proxy."""

    proxy: Nginx
    port: int  # of SentriKat itself
    authority: Authority
    certificate: Files
    key: str  # of an agent

    def client(self, *, address: str = VISITOR) -> httpx2.Client:
        """Give a visitor who trusts the test's authority."""
        trust = ssl.create_default_context(cafile=self.authority.file)
        return httpx2.Client(
            base_url=f"https://127.0.0.1:{self.proxy.https}",
            headers={"Host": NAME},
            transport=httpx2.HTTPTransport(verify=trust, local_address=address),
        )


def ask(client: httpx2.Client, method: str, path: str, **given: object) -> httpx2.Response:
    """Send one request under the proxy's name."""
    return client.request(method, path, extensions={"sni_hostname": NAME}, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scene(
    database: Database, estate: Estate, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """SentriKat on a loopback port, told of its public address, and nginx before it."""
    program("nginx")  # skipped before anything is started
    port, folder = free_port(), tmp_path_factory.mktemp("proxy")
    certificate = authority.issue(NAME, hosts=(NAME,))
    agent = key(database, FrozenClock(SystemClock().now()), estate, Permission.REPORT_SUBMIT)
    server = {
        "SENTRIKAT_DATABASE_URL": database.url,
        "SENTRIKAT_DATA_DIR": str(folder / "data"),
        "SENTRIKAT_PORT": str(port),
        "SENTRIKAT_PUBLIC_URL": f"https://{NAME}",
        "SENTRIKAT_SECURITY_CONTACT": "mailto:security@example.org",
    }
    with ExitStack() as running:
        running.enter_context(
            started(
                [sys.executable, "-m", "sentrikat", "serve"],
                listens=("127.0.0.1", port),
                log=folder / "serve.log",
                env={**os.environ, **server},
            )
        )
        proxy = running.enter_context(nginx(folder / "nginx", certificate, port))
        yield Scene(proxy, port, authority, certificate, agent.secret)


def hello(
    port: int, version: ssl.TLSVersion, ciphers: str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
) -> tuple[str, str] | None:
    """Try a handshake with one version of TLS and some suites; None when it is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=NAME) as spoken:
                suite = spoken.cipher()
                assert suite is not None
                return str(spoken.version()), suite[0]
        except (ssl.SSLError, ConnectionResetError):
            return None


OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("version", OLD, ids=["1.0", "1.1"])
def test_old_versions_of_tls_are_refused(scene: Scene, version: ssl.TLSVersion) -> None:
    assert hello(scene.proxy.https, version) is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_what_is_spoken_has_forward_secrecy_and_authenticated_encryption(
    scene: Scene, version: ssl.TLSVersion
) -> None:
    spoken = hello(scene.proxy.https, version)

    assert spoken is not None
    assert re.fullmatch(
        r"(ECDHE-ECDSA|TLS)[-_]((AES(128|_128|256|_256))[-_]GCM.*|CHACHA20[-_]POLY1305.*)", spoken[1]
    )


def test_of_all_suites_there_are_the_strong_ones_alone_open_the_way(scene: Scene) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    every = [one["name"] for one in context.get_ciphers() if not one["name"].startswith("TLS_")]
    likely = [one for one in every if re.match(r"(ECDHE-ECDSA|AECDH|ADH|NULL|AES|DHE-RSA)", one)]

    open_ones = {
        one for one in likely if hello(scene.proxy.https, ssl.TLSVersion.TLSv1_2, f"{one}:@SECLEVEL=0")
    }

    assert len(likely) > 30
    assert open_ones == {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    }


def test_a_careless_configuration_would_have_been_found(scene: Scene, tmp_path: Path) -> None:
    """The client of these tests does speak what the shipped file refuses."""
    careless = {"ssl_protocols": "TLSv1 TLSv1.1 TLSv1.2", "ssl_ciphers": "ALL:@SECLEVEL=0"}
    with nginx(tmp_path, scene.certificate, scene.port, **careless) as proxy:
        assert all(hello(proxy.https, version) is not None for version in OLD)
        assert hello(proxy.https, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0") is not None


def test_people_are_led_to_https_and_programs_told_off(scene: Scene) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{scene.proxy.http}", headers={"Host": NAME}) as client:
        led = client.get("/findings?priority=now")
        elsewhere = client.get("/", headers={"Host": "evil.example"})
        told = client.post(
            "/api/v1/agent/reports", headers={"Authorization": f"Bearer {scene.key}"}, content=b"{}"
        )

    assert (led.status_code, led.headers["location"]) == (301, f"https://{NAME}/findings?priority=now")
    assert elsewhere.headers["location"] == f"https://{NAME}/"
    assert (told.status_code, told.json()["code"]) == (403, "https_required")


def sign_in(client: httpx2.Client, login: str, **headers: str) -> httpx2.Response:
    page = ask(client, "GET", "/sign-in", headers=headers)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None, page.text
    form = {"login": login, "password": PASSWORD, "csrf_token": token[1]}
    return ask(client, "POST", "/sign-in", data=form, headers={"Origin": f"https://{NAME}", **headers})


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"X-Forwarded-For": "203.0.113.66"},
        {"X-Forwarded-For": "127.0.0.1"},  # a proxy that SentriKat trusts
        {"X-Real-IP": "203.0.113.66", "Forwarded": "for=203.0.113.66;proto=http;host=evil.example"},
    ],
    ids=["nothing", "an address", "the proxy's own", "other spellings"],
)
def test_the_log_knows_who_came_whatever_they_say(
    scene: Scene, database: Database, forged: dict[str, str]
) -> None:
    with scene.client() as client:
        answer = sign_in(client, "viewer", **forged)

    assert answer.status_code == 303, answer.text
    with database.as_system() as session:
        said = session.execute(
            text("select action, address from audit_entry where organization_id = 0 order by id desc limit 1")
        ).one()
    assert (said.action, said.address) == ("sign_in", VISITOR)


def test_cookies_are_secure_and_of_this_host(scene: Scene) -> None:
    with scene.client() as client:
        answer = sign_in(client, "analyst", **{"X-Forwarded-Proto": "http"})
        page = ask(client, "GET", "/profile")

    set_cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in set_cookies if one.startswith("__Host-sentrikat_session="))
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in session.split(";")}
    assert [one for one in set_cookies if "secure" not in one.lower()] == []
    assert page.status_code == 200


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/me", "/nothing", "/.well-known/security.txt"])
def test_every_header_is_said_once(scene: Scene, path: str) -> None:
    with scene.client() as client:
        answer = ask(client, "GET", path)

    names = [name.lower() for name, _ in answer.headers.raw if name.lower() != b"set-cookie"]
    assert len(names) == len(set(names)), names
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "content-encoding" not in answer.headers
    assert not re.search(r"[0-9]", answer.headers["server"])


def test_security_txt_names_the_public_address(scene: Scene) -> None:
    with scene.client() as client:
        said = ask(client, "GET", "/.well-known/security.txt").text

    assert f"Canonical: https://{NAME}/.well-known/security.txt" in said


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("path", "size", "expected"),
    [
        ("/api/v1/agent/reports", 20 * MIB + 1, 413),
        ("/api/v1/agent/reports", 2 * MIB, 422),  # taken in, and no report
        ("/api/v1/members", MIB + 1, 413),
        ("/sign-in", MIB + 1, 413),
    ],
)
def test_a_body_over_the_limit_is_refused_in_words(scene: Scene, path: str, size: int, expected: int) -> None:
    headers = {"Authorization": f"Bearer {scene.key}", "Content-Type": "application/json"}
    with scene.client() as client:
        answer = ask(client, "POST", path, content=b"x" * size, headers=headers)

    assert answer.status_code == expected
    assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000; includeSubDomains"]
    if expected == 413 and path.startswith("/api/"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["status"]) == ("too_large", 413)
    elif expected == 413:
        assert "larger than the proxy allows" in answer.text


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "CONNECT", "OPTIONS"])
def test_methods_that_are_not_served_end_at_the_proxy(scene: Scene, method: str) -> None:
    with scene.client() as client:
        assert ask(client, method, "/sign-in").status_code in {400, 405}


def test_a_name_that_is_not_ours_is_not_answered(scene: Scene) -> None:
    with scene.client() as client:
        assert ask(client, "GET", "/sign-in", headers={"Host": "evil.example"}).status_code == 421


def test_an_upgrade_leads_nowhere(scene: Scene) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x" * 22 + "=="}
    with scene.client() as client:
        assert ask(client, "GET", "/sign-in", headers=upgrade).status_code == 200


def test_a_head_that_does_not_end_is_not_waited_for(scene: Scene, tmp_path: Path) -> None:
    with nginx(tmp_path, scene.certificate, scene.port, client_header_timeout="1s") as proxy:
        trust = ssl.create_default_context(cafile=scene.authority.file)
        with (
            socket.create_connection(("127.0.0.1", proxy.https), timeout=10) as connection,
            trust.wrap_socket(connection, server_hostname=NAME) as spoken,
        ):
            spoken.sendall(b"GET /sign-in HTTP/1.1\r\nHost: ")
            began = time.monotonic()
            said = spoken.recv(1000)

    assert said == b"" or b" 408 " in said
    assert time.monotonic() - began < 8


def test_an_absent_server_is_said_plainly(scene: Scene, tmp_path: Path) -> None:
    with nginx(tmp_path, scene.certificate, free_port()) as proxy:
        away = Scene(proxy, 0, scene.authority, scene.certificate, "")
        with away.client() as client:
            page, api = ask(client, "GET", "/"), ask(client, "GET", "/api/v1/me")

    assert (page.status_code, "does not answer" in page.text) == (503, True)
    assert (api.status_code, api.json()["code"]) == (503, "unavailable")


def test_the_proxy_s_log_holds_no_secret_of_an_address(scene: Scene) -> None:
    with scene.client() as client:
        answer = ask(client, "GET", "/reset-password?token=secret-of-a-mail")
        named = answer.headers["x-request-id"]

    until = time.monotonic() + 10  # the line is written after the answer
    while named not in (logged := scene.proxy.log.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    assert named in logged  # and so the line of SentriKat is found
    assert f'"GET /reset-password" {answer.status_code}' in logged
    assert "secret-of-a-mail" not in logged


@contextmanager
def plain(port: int, source: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(
        base_url=f"http://127.0.0.1:{port}", transport=httpx2.HTTPTransport(local_address=source)
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "forwarded", "expected"),
    [
        ("127.0.0.1", {}, 200),  # somebody on the machine itself
        (NAME, {}, 403),  # a proxy that does not say that it came over TLS
        (NAME, {"X-Forwarded-For": "192.0.2.7"}, 403),
        (NAME, {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http"}, 403),
        (NAME, {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 403),  # a visitor from elsewhere under a local name
    ],
)
def test_what_did_not_come_over_tls_is_refused(
    scene: Scene, host: str, forwarded: dict[str, str], expected: int
) -> None:
    with plain(scene.port, "127.0.0.1") as client:
        answer = client.get("/sign-in", headers={"Host": host, **forwarded})
        health = client.get("/api/v1/health/live", headers={"Host": host, **forwarded})

    assert (answer.status_code, health.status_code) == (expected, 200)
    if expected == 403:
        assert json.loads(answer.content)["code"] == "https_required"


def test_another_machine_cannot_say_that_it_came_over_tls(scene: Scene) -> None:
    """An address that is no trusted proxy, which goes past ours."""
    with plain(scene.port, VISITOR) as client:
        answer = client.get("/sign-in", headers={"Host": NAME, "X-Forwarded-Proto": "https"})

    assert answer.status_code == 403


def test_the_limits_of_the_file_are_those_of_the_settings() -> None:
    shipped, settings = SHIPPED.read_text(encoding="utf-8"), Settings()

    sizes = dict(re.findall(r"client_max_body_size (\d+m);\s*# (SENTRIKAT_\w+)", shipped))
    assert sizes == {
        f"{settings.max_request_bytes // MIB}m": "SENTRIKAT_MAX_REQUEST_BYTES",
        f"{settings.max_report_bytes // MIB}m": "SENTRIKAT_MAX_REPORT_BYTES",
    }
    assert set(re.findall(r"client_header_timeout (\w+);", shipped)) == {f"{HEAD_SECONDS:.0f}s"}
    assert f"server 127.0.0.1:{settings.port};" in shipped
