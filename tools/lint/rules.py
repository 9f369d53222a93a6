"""The rules. Each looks at one parsed file and yields (line, message).

A line that must break a rule says so and why: `# allow <rule>: <reason>`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

Finding = tuple[int, str]

# Folders of src/sentrikat that hold rooms: they get a session and never end its transaction.
ROOMS = frozenset({
    "audit", "identity", "licensing", "feeds", "catalogue", "vulnerabilities", "inventory", "findings",
    "remediation", "reports", "notifications", "integrations", "operations",
})  # fmt: skip

_CLOCK_CALLS = frozenset({
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, the files it looks at, and the mistake it remembers."""

    name: str
    because: str
    applies: Callable[[PurePosixPath], bool]
    look: Callable[[ast.Module, PurePosixPath], Iterator[Finding]]


def _in_server(path: PurePosixPath) -> bool:
    return path.parts[:2] == ("src", "sentrikat")


def _in_room(path: PurePosixPath) -> bool:
    return _in_server(path) and len(path.parts) > 3 and path.parts[2] in ROOMS


def _but(*exceptions: str) -> Callable[[PurePosixPath], bool]:
    return lambda path: _in_server(path) and str(path) not in {f"src/sentrikat/{name}" for name in exceptions}


def _dotted(node: ast.expr) -> tuple[str, ...]:
    """Return the last two names of `a.b.c`, or of `b`."""
    if isinstance(node, ast.Attribute):
        return (*_dotted(node.value), node.attr)[-2:]
    return (node.id,) if isinstance(node, ast.Name) else ()


def _clock(tree: ast.Module, _path: PurePosixPath) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) in _CLOCK_CALLS:
            yield node.lineno, "asks the machine for the time; take a Clock or a moment as an argument"


def _environment(tree: ast.Module, _path: PurePosixPath) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and _dotted(node) in {("os", "environ"), ("os", "getenv")}:
            yield node.lineno, "reads the environment; take a setting as an argument"


def _commit(tree: ast.Module, _path: PurePosixPath) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"commit", "rollback"}
            and not node.args
        ):
            yield node.lineno, "ends a transaction it did not open; whoever opened it commits"


def _outbound(tree: ast.Module, _path: PurePosixPath) -> Iterator[Finding]:
    forbidden = {"urllib.request", "requests", "urllib3", "http.client", "smtplib", "ftplib"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _dotted(node.func) in {
            ("httpx2", name) for name in ("Client", "AsyncClient", "get", "post", "stream", "request")
        }:
            yield node.lineno, "makes an HTTP client; infra.http.outbound_client knows the allow-list"
        for name in names:
            if name in forbidden:
                yield node.lineno, f"imports {name}; outbound connections go through infra.http or infra.mail"


_SOCKET_CALLS = frozenset({
    ("socket", "socket"), ("socket", "create_connection"), ("socket", "getaddrinfo"), ("socket", "gethostbyname"),
    ("asyncio", "open_connection"), ("anyio", "connect_tcp"),
})  # fmt: skip


def _connections(tree: ast.Module, _path: PurePosixPath) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) in _SOCKET_CALLS:
            yield (
                node.lineno,
                "opens a connection or asks for an address; infra.outbound judges where it leads",
            )
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "", *(alias.name for alias in node.names)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if isinstance(node, ast.Import | ast.ImportFrom) and any(
            name == "ldap3"
            or (isinstance(node, ast.ImportFrom) and node.module == "socket" and name in _FROM_SOCKET)
            for name in names
        ):
            yield node.lineno, "takes what opens connections; infra.outbound judges where they lead"


_FROM_SOCKET = frozenset(name for module, name in _SOCKET_CALLS if module == "socket")


def _names(_tree: ast.Module, path: PurePosixPath) -> Iterator[Finding]:
    if path.stem in {
        "service",
        "services",
        "utils",
        "util",
        "helpers",
        "helper",
        "manager",
        "common",
        "misc",
    }:
        yield 1, f"{path.name} names nothing, so it never stops growing; name the file for what it does"


RULES = (
    Rule(
        "clock",
        "A deadline job read the machine's clock, and its test failed on the first of each month.",
        _but("infra/clock.py"),
        _clock,
    ),
    Rule(
        "environment",
        "A variable read deep inside was in no documentation, and a typing error in it went unnoticed.",
        _but("infra/settings.py"),
        _environment,
    ),
    Rule(
        "commit",
        "A room committed half of an import, and the error after it left half an inventory.",
        _in_room,
        _commit,
    ),
    Rule(
        "outbound",
        "A library call reached a host nobody had allowed.",
        _but("infra/http.py", "infra/mail.py"),
        _outbound,
    ),
    Rule(
        "connections",
        "A directory's host name led to the metadata service of the cloud, and the page showed what it said.",
        _but("infra/outbound.py", "identity/ldap/connection.py"),
        _connections,
    ),
    Rule(
        "file-name",
        "utils.py had forty functions and three authors who did not know each other's.",
        lambda path: path.parts[0] in {"src", "agent", "license_server", "tools"},
        _names,
    ),
)


def findings(source: str, path: PurePosixPath) -> Iterator[tuple[str, int, str]]:
    """Yield (rule, line, message) for one file of the repository."""
    tree = ast.parse(source)
    lines = source.splitlines()
    for rule in RULES:
        if not rule.applies(path):
            continue
        for line, message in rule.look(tree, path):
            allowed = re.search(rf"# allow {rule.name}: \S", lines[line - 1]) if lines else None
            if not allowed:
                yield rule.name, line, message
