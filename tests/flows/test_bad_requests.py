"""Requests that no browser sends, over a real connection: refused in words, and never a reason to fail."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn

from sentrikat.app import create_app
from sentrikat.domain.permissions import Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.infra.web_server import PatientProtocol, server_config
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, key, session_of

NAME = "kat.example"
FORM = "Content-Type: application/x-www-form-urlencoded"


class HurriedProtocol(PatientProtocol):
    """Waits half a second for a head."""

    head_seconds = 0.5


@dataclass(frozen=True)
class Server:
    """A running server, and a key and a session that it knows."""

    port: int
    key: str
    cookie: str
    csrf: str

    def send(self, *parts: bytes, timeout: float = 5.0) -> bytes:
        """Send bytes as they are; give what comes back until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            for part in parts:
                try:
                    connection.sendall(part)
                except (BrokenPipeError, ConnectionResetError):
                    break  # it has refused already
            said = b""
            try:
                while more := connection.recv(65536):
                    said += more
            except (TimeoutError, ConnectionResetError):
                pass
            return said

    def ask(
        self, line: str | bytes, *headers: str | bytes, body: bytes = b"", host: str | None = NAME
    ) -> bytes:
        """Send one request that ends its connection."""
        lines = [line, *([f"Host: {host}"] if host is not None else []), "Connection: close", *headers]
        if body and not any(
            b"ontent-" in _bytes(one) or b"ransfer" in _bytes(one)
            for one in headers
            if b"ength" in _bytes(one)
        ):
            lines.append(f"Content-Length: {len(body)}")
        return self.send(b"\r\n".join(map(_bytes, lines)) + b"\r\n\r\n" + body)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def status(answer: bytes) -> int:
    """Give the status; 0 when the connection was closed without a word."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture(scope="module")
def server(database: Database, estate: Estate) -> Iterator[Server]:
    """The application as `sentrikat serve` runs it, in a hurry."""
    clock = FrozenClock(NOON)
    settings = Settings(
        public_url=f"http://{NAME}",
        request_body_seconds=0.6,
        max_request_bytes=64 * 1024,
        second_factor="optional",
    )
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings, database.url, clock=clock)
    web = uvicorn.Server(server_config(app, settings, http=HurriedProtocol, timeout_keep_alive=1))
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listening]})
    thread.start()
    while not web.started:
        time.sleep(0.02)
    port = listening.getsockname()[1]
    made = key(database, clock, estate, Permission.REPORT_SUBMIT)
    cookie = session_of(database, clock, estate, "administrator")
    asked = Server(port, made.secret, cookie, "")
    me = asked.ask("GET /api/v1/me HTTP/1.1", f"Cookie: sentrikat_session={cookie}")
    csrf = json.loads(me.partition(b"\r\n\r\n")[2])["csrf_token"]
    yield Server(port, made.secret, cookie, csrf)
    web.should_exit = True
    thread.join(10)
    listening.close()


TARGETS = [
    ("http://evil.example/sign-in", 400),  # absolute form: names a host beside Host
    ("*", 400),
    ("//evil.example/sign-in", 400),
    ("/static/../../etc/passwd", 400),
    ("/static/%2e%2e/%2e%2e/etc/passwd", 400),
    ("/static/..%2f..%2fetc%2fpasswd", 400),
    ("/static/%252e%252e%252fetc%252fpasswd", 404),  # decoded once, and then it is only a strange name
    ("/static/x/..%5c..%5cetc%5cpasswd", 400),
    ("/static/x/app.css%00.png", 400),
    ("/static/%c0%ae%c0%ae/etc/passwd", 400),  # a dot written too long
    ("/sign-in%0d%0aSet-Cookie:%20a=b", 400),
    ("/sign-in?next=%ff", 400),
    ("/api/v1/assets/%ff", 400),
    ("/sign-in?next=" + "x" * 9000, 414),
    ("/api/v1/nothing", 404),
    ("/nothing", 404),
]


@pytest.mark.parametrize(("target", "expected"), TARGETS, ids=[str(number) for number in range(len(TARGETS))])
def test_an_address_that_can_be_misread_is_refused(server: Server, target: str, expected: int) -> None:
    answer = server.ask(f"GET {target} HTTP/1.1")

    assert status(answer) == expected
    assert b"content-security-policy" in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (NAME, 200),
        (f"{NAME}:80", 200),
        ("KAT.example", 200),
        ("127.0.0.1:8420", 200),  # whoever sits at the machine
        ("evil.example", 421),
        (f"{NAME}.evil.example", 421),
        (f"{NAME}@evil.example", 400),
        (f"{NAME}/", 400),
        ("[::1", 400),
        ("", 400),
        (None, 400),
    ],
)
def test_the_server_answers_to_its_own_names(server: Server, host: str | None, expected: int) -> None:
    answer = server.ask("GET /sign-in HTTP/1.1", "X-Forwarded-Host: evil.example", host=host)

    assert status(answer) == expected
    assert b"evil.example" not in answer.partition(b"\r\n\r\n")[0]


def test_load_balancers_ask_by_any_name(server: Server) -> None:
    assert status(server.ask("GET /api/v1/health/ready HTTP/1.1", host="10.0.0.7:8420")) == 200


def test_two_hosts_are_refused(server: Server) -> None:
    assert status(server.ask("GET /sign-in HTTP/1.1", "Host: evil.example")) == 400


def test_addresses_shown_to_people_are_the_one_that_is_set(server: Server) -> None:
    form = f"csrf_token={server.csrf}&name=shown&scopes=agent:report&expires_days=30"
    page = server.ask(
        "POST /api-keys HTTP/1.1",
        FORM,
        f"Cookie: sentrikat_session={server.cookie}",
        body=form.encode(),
        host="localhost:1",
    )

    assert status(page) == 200
    assert f"http://{NAME}".encode() in page
    assert b"localhost:1" not in page


# A proxy that reads one of the two lengths sends the rest as somebody else's request.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: kat.example\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: 4, 5"],
        ["Content-Length: -1"],
        ["Content-Length: +4"],
        ["Content-Length: 0x4"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding:\x0bchunked"],
        ["X: a\rTransfer-Encoding: chunked"],
    ],
)
def test_a_request_of_two_lengths_is_refused_and_what_follows_is_not_read(
    server: Server, headers: list[str]
) -> None:
    head = "\r\n".join(["POST /sign-in HTTP/1.1", f"Host: {NAME}", *headers])
    answer = server.send(head.encode() + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, timeout=2)

    assert status(answer) in {400, 501}
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS on a port without
        b"GET / HTTP/1.1\r\nHost: kat.example\r\nX Y: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: kat.example\r\n: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: kat.example\r\nX: a\x00b\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: kat.example\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: kat.example\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: kat.example\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(server: Server, request_bytes: bytes) -> None:
    assert status(server.send(request_bytes, timeout=2)) in {0, 400, 431}


@pytest.mark.parametrize(
    "headers",
    [[f"X-{number}: 1" for number in range(150)], ["X: " + "x" * 40_000]],
    ids=["many", "large"],
)
def test_too_many_headers_are_refused(server: Server, headers: list[str]) -> None:
    assert status(server.ask("GET /sign-in HTTP/1.1", *headers)) == 431


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        ("POST /api/v1/me HTTP/1.1", ["X-HTTP-Method-Override: GET"], 405),
        ("POST /api/v1/me?_method=GET HTTP/1.1", [], 405),
        ("GET /sign-out HTTP/1.1", ["X-HTTP-Method-Override: POST", "X-Method-Override: POST"], 405),
        ("TRACE /sign-in HTTP/1.1", [], 405),
        ("TRACK /sign-in HTTP/1.1", [], 405),
        ("BREW /sign-in HTTP/1.1", [], 405),
    ],
)
def test_the_method_is_the_one_of_the_first_line(
    server: Server, line: str, headers: list[str], expected: int
) -> None:
    assert status(server.ask(line, *headers)) == expected


def test_an_upgrade_is_answered_as_if_it_were_not_there(server: Server) -> None:
    answer = server.ask("GET /sign-in HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Key: x")

    assert status(answer) == 200


NESTED = b"[" * 60_000
REPORT = "/api/v1/agent/reports"
BODIES = [
    (NESTED, "application/json"),
    (b'{"name":' * 10_000, "application/json"),
    (b'{"name":"\xff\xfe","scopes":[]}', "application/json"),
    (b'{"name":"\\ud800","scopes":["report:submit"]}', "application/json"),  # half a character
    (b'{"name":"\\u0000","scopes":["report:submit"]}', "application/json"),
    (b'{"name":NaN,"scopes":[1e999]}', "application/json"),
    (b'{"name":' + b"9" * 10_000 + b"}", "application/json"),
    (b'{"__proto__":{},"name":"x"}', "application/json"),
    (b"", "application/json"),
    (b"null", "application/json"),
    (b"name=x", "application/x-www-form-urlencoded"),
    (b"\x1f\x8b", "application/json; charset=utf-7"),
]


@pytest.mark.parametrize(("body", "kind"), BODIES, ids=[str(number) for number in range(len(BODIES))])
@pytest.mark.parametrize("path", ["/api/v1/api-keys", REPORT])
def test_a_body_that_is_no_order_is_refused_in_words(
    server: Server, path: str, body: bytes, kind: str
) -> None:
    way = (
        [f"Authorization: Bearer {server.key}"]
        if path == REPORT
        else [f"Cookie: sentrikat_session={server.cookie}", f"X-CSRF-Token: {server.csrf}"]
    )
    answer = server.ask(f"POST {path} HTTP/1.1", *way, f"Content-Type: {kind}", body=body)

    assert 400 <= status(answer) < 500
    assert b"application/problem+json" in answer


BOUNDARY = "multipart/form-data; boundary=x"
FORMS = [
    (b"&".join(b"a%d=1" % number for number in range(200)), "application/x-www-form-urlencoded"),
    (b"login=%ff%fe&password=%00", "application/x-www-form-urlencoded"),
    (b"\xff=\xfe", "application/x-www-form-urlencoded; charset=utf-16"),
    (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n1\r\n' % n for n in range(200))
        + b"--x--",
        BOUNDARY,
    ),
    (b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n--x--\r\n', BOUNDARY),
    (b"--x\r\nnothing here", BOUNDARY),
    (b"--x", "multipart/form-data"),
]


@pytest.mark.parametrize(("body", "kind"), FORMS, ids=[str(number) for number in range(len(FORMS))])
def test_a_form_that_is_none_of_ours_is_refused(server: Server, body: bytes, kind: str) -> None:
    answer = server.ask("POST /sign-in HTTP/1.1", f"Content-Type: {kind}", body=body)

    assert 400 <= status(answer) < 500


def test_a_body_without_end_is_cut_at_the_limit(server: Server) -> None:
    head = f"POST /sign-in HTTP/1.1\r\nHost: {NAME}\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    answer = server.send(head, *[chunk] * 40)

    assert status(answer) == 413


def test_a_body_that_does_not_come_is_not_waited_for(server: Server) -> None:
    head = f"POST /sign-in HTTP/1.1\r\nHost: {NAME}\r\n{FORM}\r\nContent-Length: 100\r\n\r\n".encode()
    begun = time.monotonic()
    answer = server.send(head, b"login=", timeout=4)

    assert status(answer) == 408
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: kat.example\r\nX: y"]
)
def test_a_head_that_does_not_end_is_not_waited_for(server: Server, begun: bytes) -> None:
    start = time.monotonic()
    answer = server.send(begun, timeout=4)

    assert answer == b""
    assert time.monotonic() - start < 3


def test_a_second_head_is_not_waited_for_either(server: Server) -> None:
    whole = f"GET /healthz HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
    start = time.monotonic()
    answer = server.send(whole + b"GET / HTTP/1.1\r\nX: ", timeout=4)

    assert status(answer) == 200
    assert time.monotonic() - start < 3


def test_nothing_of_a_request_begins_a_header_of_the_answer(server: Server) -> None:
    for target in (
        "/sign-in?next=%2f%0d%0aSet-Cookie:%20a=b",
        "/findings?q=%0d%0aSet-Cookie:%20a=b",
        "/api/v1/findings?cursor=%0d%0aX:%20y",
    ):
        head = server.ask(f"GET {target} HTTP/1.1").partition(b"\r\n\r\n")[0]
        assert b"\r\nSet-Cookie: a=b" not in head
        assert b"\nX: y" not in head


def test_strange_headers_are_read_or_refused(server: Server) -> None:
    for header in (
        b"Cookie: sentrikat_session=\xff\xfe",
        b'Cookie: sentrikat_session="\\777"; ; =; a',
        b"Authorization: Bearer \xff",
        b"Authorization: Basic \xff",
        b"Authorization: bearer sk_",
        b"If-None-Match: \xff",
        b"Accept-Language: \xff, de;q=abc",
        b"User-Agent: \xff\xfe" + b"x" * 5000,
        b"Content-Type: \xff",
        b"X-Request-ID: a\tb",
        b"X-CSRF-Token: \xff",
        b"Referer: http://[",
        b"Origin: http://[",
        b"Sec-Fetch-Site: \xff",
    ):
        for line in (
            "GET /api/v1/me HTTP/1.1",
            "GET / HTTP/1.1",
            "GET /sign-in HTTP/1.1",
            "POST /sign-in HTTP/1.1",
        ):
            assert 200 <= status(server.ask(line, header)) < 500, (line, header)
