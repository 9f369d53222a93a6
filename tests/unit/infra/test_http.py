"""The way out: named hosts only, on every hop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sentrikat.domain.errors import Unavailable
from sentrikat.infra.http import USER_AGENT, allowed_hosts, outbound_client
from sentrikat.infra.settings import load


class _Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.example/data")
            self.end_headers()
            return
        body = self.headers["User-Agent"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_allowed_host_is_reached_under_our_name(upstream: str) -> None:
    with outbound_client(load(), {"127.0.0.1"}) as client:
        assert client.get(f"{upstream}/data").text == USER_AGENT


def test_another_host_is_refused_before_anything_is_sent() -> None:
    with outbound_client(load(), {"127.0.0.1"}) as client:
        with pytest.raises(Unavailable, match=r"Nothing was sent to elsewhere\.example") as refused:
            client.get("http://elsewhere.example/data")
        assert refused.value.code == "host_not_allowed"


def test_a_redirect_leads_nowhere_else(upstream: str) -> None:
    with (
        outbound_client(load(), {"127.0.0.1"}) as client,
        pytest.raises(Unavailable, match=r"elsewhere\.example"),
    ):
        client.get(f"{upstream}/away", follow_redirects=True)


def test_with_a_mirror_nothing_but_the_mirror_is_reached() -> None:
    settings = load(feed_base_url="https://mirror.example.org/feeds")
    assert allowed_hosts(settings, {"www.cisa.gov"}) == {"mirror.example.org"}


def test_proxy_variables_of_the_environment_are_not_read(
    upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with outbound_client(load(), {"127.0.0.1"}) as client:
        assert client.get(f"{upstream}/data").status_code == 200
