"""A real server on a real port, and Chromium looking at it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import text

from sentrikat.app import create_app
from sentrikat.domain.permissions import CHOOSABLE, COMMAND_LINE
from sentrikat.identity import custom_roles
from sentrikat.identity.accounts import set_role
from sentrikat.identity.models import UserAccount
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, furnish
from tests.postgres import SharedServer


def bring_bundles(database: Database, person: int) -> None:
    """Let three bundles wait, of which one was in vain, and four be decided; their files are nowhere."""
    states = ("pending", "pending", "pending", "pending", "imported", "incomplete", "rejected", "importing")
    with database.as_system() as session:
        session.execute(
            text(
                "insert into bundle_root (origin, name, version, document, pinned_at, changed_at) values (:origin,"
                " 'Ministry of Long Names, Department of Connected Computers, Third Building', 1, '', :now, :now)"
            ),
            {"origin": "5f" * 16, "now": NOON},
        )
        for number, state in enumerate(states, start=1):
            held = [
                {"feed": name, "documents": 25 * number, "bytes": 123_456_789} for name in ("nvd", "nvd_cpe")
            ]
            session.execute(
                text(
                    "insert into bundle_import (sha256, origin, sequence, made_at, state, file, offered_at, offered_by,"
                    " decided_at, decided_by, outcomes, bytes, holds, trouble) values (:sha256, :origin, :number, :now,"
                    " :state, :file, :now, :brought, :decided, :by, cast(:outcomes as jsonb), 91234567,"
                    " cast(:holds as jsonb), :trouble)"
                ),
                {
                    "sha256": f"{number}c" * 32,
                    "origin": "5f" * 16,
                    "number": 40 + number,
                    "now": NOON,
                    "state": state,
                    "file": "x.bundle" if state == "pending" else None,
                    "brought": "user:1000" if number == 1 else f"user:{person}",
                    "decided": NOON if number > 3 else None,
                    "by": "a-very-long-login-name.of-somebody@subsidiary.example" if number > 3 else None,
                    "outcomes": '{"nvd": "succeeded", "redhat_data": "held", "endoflife": "refused"}',
                    "holds": json.dumps(held),
                    "trouble": "The bundle was not imported: its manifest does not end."
                    if number == 2
                    else None,
                },
            )


def make_roles(database: Database, estate: Estate) -> None:
    """Make a role that nobody holds, and one with the longest name there can be, which somebody holds."""
    with database.as_system() as session:
        custom_roles.create_role(
            session,
            estate.caller(),
            name="Night shift",
            description="Looks at what is found, and decides nothing.",
            permissions=["findings:read", "inventory:read"],
            now=NOON,
        )
        long = custom_roles.create_role(
            session,
            estate.caller(),
            name="Inventarverantwortungsübernahmebeauftragte-der-Außenstellen",
            permissions=CHOOSABLE,
            now=NOON,
        )
        user = session.get_one(UserAccount, estate.users["both"])
        set_role(session, COMMAND_LINE, user, estate.acme, long.role, now=NOON)


@pytest.fixture(scope="module")
def browsed(database_server: SharedServer) -> Iterator[Database]:
    """A furnished database."""
    name = f"browsed_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    estate = furnish(database, FrozenClock(NOON))
    bring_bundles(database, estate.users["admin"])
    make_roles(database, estate)
    yield database
    database.close()
    database_server.drop(name)


@pytest.fixture(scope="module")
def server(browsed: Database) -> Iterator[str]:
    """The address of the application on it."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(Settings(), browsed.url, clock=FrozenClock(NOON))
    web = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listening]})
    thread.start()
    while not web.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    web.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, from the system; of one module, because its event loop stays in this thread until it ends."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # Containers run as root, where Chromium's own sandbox cannot be set up; it only sees our pages.
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()
