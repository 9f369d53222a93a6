"""What a request must look like before anything of it is used: its target, its Host, its headers, its way here.

A proxy before us, our router and a log must read the same thing in a request. What two readers would read
differently (two lengths, a dot segment, a backslash, bytes that are no UTF-8) is refused and the connection closed.
So is a request of another machine over plain HTTP where there should be TLS: the next one would carry a password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from sentrikat.api.problems import problem_answer
from sentrikat.domain.errors import Forbidden, InvalidInput, SentriKatError
from sentrikat.infra.settings import Settings

LARGEST_HEAD = 32 * 1024  # bytes of all headers; a browser with our cookies and a long query sends 4 KiB
MOST_HEADERS = 100
LONGEST_TARGET = 8 * 1024  # what servers are asked to take at least (RFC 9110 section 4.1)

# host or [address], and a port
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# Asked by load balancers and supervisors, which know an address and no name; they answer with no link.
_BY_ANY_NAME = ("/healthz", "/api/v1/health/")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def own_hosts(settings: Settings) -> frozenset[str] | None:
    """Give the names this server goes by; None: it has not been told, and answers to each."""
    if settings.public_url is None:
        return None
    netloc = urlsplit(settings.public_url).netloc.rpartition("@")[2].lower()
    more = (settings.allowed_hosts or "").lower().replace(",", " ").split()
    return frozenset({netloc, _HOST_ONLY.sub("", netloc), *more}) | _LOOPBACK


_HOST_ONLY = re.compile(r":[0-9]+$")


class FrontGate:
    """Refuse what can be misread; hand everything else on unchanged."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] | None, https_only: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts) if hosts is not None else None
        self._https_only = https_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._look(scope)
        if refused is None:
            await self._app(scope, receive, send)
            return
        status, error = refused
        answer = problem_answer(
            status,
            error,
            request_id=scope.get("state", {}).get("request_id"),
            headers={"Connection": "close"},
        )
        await answer(scope, receive, send)

    def _look(self, scope: Scope) -> tuple[int, SentriKatError] | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if (
            len(headers) > MOST_HEADERS
            or sum(len(name) + len(value) for name, value in headers) > LARGEST_HEAD
        ):
            return 431, _bad(
                f"its headers are more than {MOST_HEADERS}, or larger than {LARGEST_HEAD:,} bytes"
            )
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        query: bytes = scope["query_string"]
        if len(path) + len(query) > LONGEST_TARGET:
            return 414, _bad(f"its address is longer than {LONGEST_TARGET:,} bytes")
        if why := _misreadable(path, query) or _two_lengths(headers):
            return 400, _bad(why)
        return self._host(scope, [value for name, value in headers if name == b"host"])

    def _host(self, scope: Scope, given: list[bytes]) -> tuple[int, SentriKatError] | None:
        if len(given) != 1:
            return 400, _bad(f"it names {len(given)} hosts, and must name one")
        host = given[0].decode("latin-1").lower()
        found = _HOST.fullmatch(host)
        if found is None:
            return 400, _bad("its Host is no name of a host")
        if scope["path"].startswith(_BY_ANY_NAME):
            return None
        # A connection from this machine that names it so came past every proxy and over no network. One that names
        # us otherwise came by a proxy, which did not say that it came over TLS.
        here = found["name"] in _LOOPBACK and _is_loopback(scope.get("client"))
        if self._https_only and scope["scheme"] != "https" and not here:
            return 403, Forbidden(
                "The request was refused: it came over plain HTTP, and this server is used over HTTPS alone.",
                hint="Use the https address. Behind a proxy with TLS, name its address in SENTRIKAT_TRUSTED_PROXIES and "
                "let it send X-Forwarded-Proto (docs/admin/reverse-proxy.md). Nothing was changed; a password or key "
                "that was sent this way has been readable on the network and should be exchanged.",
                code="https_required",
            )
        if self._hosts is None or host in self._hosts or found["name"] in self._hosts:
            return None
        return 421, InvalidInput(
            f"The request was refused: this server does not go by the name {host}.",
            hint="Use the address in SENTRIKAT_PUBLIC_URL, or name this one in SENTRIKAT_ALLOWED_HOSTS. Nothing was changed.",
            code="unknown_host",
        )


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        address = ipaddress.ip_address(client[0] if client is not None else "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _bad(why: str) -> InvalidInput:
    return InvalidInput(
        f"The request was refused: {why}.", hint="Nothing was changed.", code="unreadable_request"
    )


def _misreadable(path: bytes, query: bytes) -> str | None:
    """Say what about an address would be read differently by somebody else."""
    if not path.startswith(b"/") or path.startswith(b"//"):
        return "its address must begin with one slash"
    plain = unquote_to_bytes(path)
    if _CONTROL.search(plain) or _CONTROL.search(query):
        return "its address holds a control character"
    if b"\\" in plain:
        return "its address holds a backslash"
    if any(part in {b".", b".."} for part in plain.split(b"/")):
        return "its address holds a dot segment"
    try:
        plain.decode()
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return "its address is not UTF-8"
    return None


def _two_lengths(headers: list[tuple[bytes, bytes]]) -> str | None:
    lengths = [name for name, _value in headers if name in {b"content-length", b"transfer-encoding"}]
    return "it says twice how long it is" if len(lengths) > 1 else None
