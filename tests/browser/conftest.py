"""A real server on a real port, and Chromium looking at it."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from sentrikat.app import create_app
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import furnish
from tests.postgres import SharedServer


@pytest.fixture(scope="module")
def server(database_server: SharedServer) -> Iterator[str]:
    """The address of the application on a furnished database."""
    name = f"browsed_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    furnish(database, FrozenClock(NOON))
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(Settings(), database.url, clock=FrozenClock(NOON))
    web = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listening]})
    thread.start()
    while not web.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    web.should_exit = True
    thread.join(10)
    listening.close()
    database.close()
    database_server.drop(name)


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
