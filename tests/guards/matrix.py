"""Every route as every kind of caller, as a table: python -m tests.guards.matrix writes it.

The answers are the application's own, on a furnished database; `test_routes.py` makes them again, compares them
with the committed table, and holds each against what the route and the caller declare.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from sentrikat.api.router import API_PREFIX, Entrance, entrances
from sentrikat.app import create_app
from sentrikat.domain.permissions import Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import PEPPER, WEB_03, Estate, furnish, report, session_of
from tests.guards.callers import Kind, browser, callers
from tests.guards.targets import BODIES, Targets
from tests.postgres import SharedServer
from tests.tenants import fill

TARGET = Path(__file__).parent.parent.parent / "docs" / "security" / "access-matrix.md"

# Beside what a route declares: all that HTTP and its extensions know, and one that nobody knows.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "NONSENSE")
# Below these addresses people change their own session.
OWN_SESSION = ("/sign-out", "/profile", "/confirm")
# A title that only our organization reports; what is public about it must not show that.
TITLE = "Zqours Rapportierung"


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer."""

    method: str
    path: str
    address: str
    kind: Kind
    status: int
    text: str  # headers and body


@dataclass(slots=True)
class Sweep:
    """A furnished application, everybody who may call it, and what each was answered."""

    app: FastAPI
    client: TestClient
    database: Database
    estate: Estate
    kinds: list[Kind]
    targets: Targets
    cells: list[Cell] = field(default_factory=list)
    undeclared: list[Cell] = field(default_factory=list)

    @property
    def routes(self) -> list[tuple[str, str, Permission | None]]:
        """Give method, path and permission of every route."""
        return [(method, e.path, e.permission) for e in entrances(self.app) for method in e.methods]

    def call(self, kind: Kind, method: str, path: str) -> Cell:
        """Make one call and keep the answer."""
        address = self.targets.address(path)
        self.client.cookies.clear()  # what one answer set is not what the next caller sends
        body = BODIES.get((method, path))
        form, sent = (None, body) if path.startswith(API_PREFIX) else (body, None)
        answer = self.client.request(method, address, headers=kind.headers, data=form, json=sent)
        if method == "POST" and path.startswith(OWN_SESSION) and kind.login is not None:
            # It may have signed the caller out, or given them another cookie.
            cookie = session_of(self.database, FrozenClock(NOON), self.estate, kind.login)
            kind.headers.update(browser(self.client, cookie))
        return Cell(method, path, address, kind, refused(answer), _whole(answer))


def refused(answer: Response) -> int:
    """The status as an outsider sees it: a page sends people who are not signed in to do so."""
    if answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"):
        return 401
    return answer.status_code


def run(sweep: Sweep) -> None:
    """Call everything as everybody."""
    for kind in sweep.kinds:
        for method, path, _ in sweep.routes:
            sweep.cells.append(sweep.call(kind, method, path))
    known = [(set(e.methods), _pattern(e)) for e in entrances(sweep.app)]
    for place, path in enumerate(sorted({entrance.path for entrance in entrances(sweep.app)})):
        address = re.sub(r"{\w+}", "1", path)
        declared = {m for methods, pattern in known if pattern.fullmatch(address) for m in methods}
        for turn, method in enumerate(METHODS):
            if method in declared:
                continue
            # A method is refused before anybody asks who calls, so an eighth of the callers asks for each.
            for kind in sweep.kinds[(place + turn) % 8 :: 8]:
                sweep.client.cookies.clear()
                answer = sweep.client.request(method, address, headers=kind.headers)
                sweep.undeclared.append(Cell(method, path, address, kind, answer.status_code, _whole(answer)))


@contextmanager
def swept(database: Database) -> Iterator[Sweep]:
    """Furnish a database, put everybody before it, and yield the application."""
    clock = FrozenClock(NOON)
    estate = furnish(database, clock)
    ours = [*WEB_03[:2], {"type": "application", "name": TITLE, "version": "1"}]
    report(database, clock, estate.acme, "zqours-laptop", ours)
    fill(database.url, {"ours": estate.acme, "theirs": estate.other})
    # Thousands of requests in one frozen moment are more than any client is granted.
    unlimited = Settings(
        rate_limit_api_per_hour=0,
        rate_limit_api_per_day=0,
        rate_limit_agents_per_hour=0,
        rate_limit_agents_per_day=0,
        rate_limit_sign_in_per_hour=0,
        rate_limit_sign_in_per_day=0,
    )
    app = create_app(unlimited, database.url, clock=clock)
    with TestClient(app, follow_redirects=False) as client:
        client.headers["X-Request-ID"] = "access-sweep"
        kinds = callers(database, client, estate)
        yield Sweep(app, client, database, estate, kinds, Targets(database, estate, clock.now()))


def document(sweep: Sweep) -> str:
    """Give the table as a page."""
    answers = {(cell.method, cell.path, cell.kind.name): cell.status for cell in sweep.cells}
    names = [kind.name for kind in sweep.kinds]
    size = (
        f"**{len(sweep.routes)} routes x {len(names)} callers = {len(sweep.cells):,} answers.** Besides,"
        f" {len(sweep.undeclared):,} calls with methods that a route does not declare ({', '.join(METHODS)}):"
        " each is answered 405, whoever calls; every pair of method and route is asked for by two callers."
    )
    lines = [
        "# Who is answered what",
        "",
        "Written by `python -m tests.guards.matrix` from the answers of the application itself; `tests/guards/test_routes.py` asks all of it",
        "again, compares it with this page, and holds each answer against what the route and the caller declare. Addresses name things of",
        "one organization (`ours`). Requests carry the session's token and mostly no fields: 422 means that the caller was let in and the",
        "form was empty, 404 that there is no such thing for this caller. 401 stands for the way to the sign-in page as well.",
        "",
        size,
        "",
        "| caller | |",
        "|---|---|",
        *(f"| {kind.name} | {kind.words} |" for kind in sweep.kinds),
        "",
        f"| method | route | permission | {' | '.join(names)} |",
        "|---" * (3 + len(names)) + "|",
    ]
    for method, path, permission in sweep.routes:
        row = " | ".join(str(answers[method, path, name]) for name in names)
        lines.append(f"| {method} | `{path}` | {permission or '-'} | {row} |")
    return "\n".join(lines) + "\n"


def _whole(answer: Response) -> str:
    return "\n".join(f"{name}: {value}" for name, value in answer.headers.items()) + "\n\n" + answer.text


def _pattern(entrance: Entrance) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", "[^/]+", entrance.path))


def main() -> None:
    """Write the page."""
    os.environ["SENTRIKAT_API_KEY_PEPPER"] = PEPPER.decode()  # as tests/conftest.py does
    with tempfile.TemporaryDirectory() as folder, SharedServer(Path(folder)) as server:
        database = Database(server.clone_template("sweep"), application_name="sweep")
        try:
            with swept(database) as sweep:
                run(sweep)
                TARGET.parent.mkdir(exist_ok=True)
                TARGET.write_text(document(sweep), encoding="utf-8")
        finally:
            database.close()
    sys.stdout.write(f"{TARGET}\n")


if __name__ == "__main__":
    main()
