"""Chromium walks to a real SimpleSAMLphp and back, over plain http, as a small installation has it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from cryptography.fernet import Fernet
from playwright.sync_api import Browser, Page
from pydantic import SecretStr

from sentrikat.app import create_app
from sentrikat.identity.saml.names import POST
from sentrikat.infra.clock import FrozenClock, SystemClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import furnish
from tests.flows.saml_scene import add_provider, configured
from tests.peers.simplesamlphp import PEOPLE, SimpleSamlPhp, simplesamlphp
from tests.postgres import SharedServer


@dataclass(frozen=True)
class Site:
    """Our server, the peer, and the numbers of two providers: by redirect, and by form."""

    url: str
    peer: SimpleSamlPhp
    redirect: int
    form: int
    database: Database


@pytest.fixture(scope="module")
def site(database_server: SharedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server on a furnished database, known to the peer."""
    name = f"saml_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    estate = furnish(database, FrozenClock(NOON))
    listening = socket.create_server(("127.0.0.1", 0))
    # Another host name than the peer's: cookies are kept by host, and ports make no difference to them.
    url = f"http://localhost:{listening.getsockname()[1]}"
    settings = Settings(public_url=url, encryption_keys=SecretStr(Fernet.generate_key().decode()))
    app = create_app(settings, database.url, clock=SystemClock())
    web = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listening]})
    with simplesamlphp(tmp_path_factory.mktemp("simplesamlphp")) as peer:
        clock = FrozenClock(SystemClock().now())
        rules = {"analysts": (estate.acme, "analyst")}
        metadata = peer.metadata()
        redirect = add_provider(database, configured(metadata, encrypted=True), "Company", clock, rules)
        form = add_provider(
            database,
            configured(metadata, login_attribute="mail", sso_binding=POST, slo_binding=POST),
            "By form",
            clock,
            rules,
        )
        thread.start()
        while not web.started:
            time.sleep(0.02)
        import httpx2

        for provider in (redirect, form):
            peer.trust(httpx2.get(f"{url}/saml/{provider}/metadata").content)
        yield Site(url, peer, redirect, form, database)
        web.should_exit = True
        thread.join(10)
    listening.close()
    database.close()
    database_server.drop(name)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh browser, which must not be hindered by our content security policy."""
    context = browser.new_context()
    opened = context.new_page()
    hindered: list[str] = []
    opened.on("console", lambda said: hindered.append(said.text) if "Content Security" in said.text else None)
    yield opened
    context.close()
    assert hindered == []


def shoot(page: Page, name: str) -> None:
    """Keep a picture, where somebody wants to look."""
    if folder := os.environ.get("SHOTS", ""):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def at_the_provider(page: Page) -> None:
    page.fill("input[name=username]", "jane")
    page.fill("input[name=password]", PEOPLE["jane"][0])
    page.click("button[type=submit], input[type=submit], button")


@pytest.mark.parametrize("button", ["Sign in with Company", "Sign in with By form"])
def test_somebody_signs_in_and_out_with_the_provider(site: Site, page: Page, button: str) -> None:
    page.goto(f"{site.url}/sign-in?next=%2Fassets")
    shoot(page, f"saml-{button[-4:].strip()}-1-sign-in")
    page.click(f"text={button}")
    page.wait_for_selector("input[name=password]")
    at_the_provider(page)
    page.wait_for_url(f"{site.url}/assets")
    shoot(page, f"saml-{button[-4:].strip()}-2-signed-in")
    assert page.inner_text("header .menu-right summary") == "Jane Ångström"

    page.click("header .menu-right summary")
    page.click("text=Sign out")
    page.wait_for_url(f"{site.url}/sign-in")
    # Their session at the provider has ended as well: it asks again.
    page.click(f"text={button}")
    page.wait_for_selector("input[name=password]")


def test_the_way_goes_without_javascript_too(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/sign-in")
    page.click("text=Sign in with By form")
    page.click("text=Continue")
    at_the_provider(page)
    # The provider's own page that carries the answer has a button as well.
    page.locator("input[type=submit]:visible, button[type=submit]:visible").first.click()
    page.wait_for_url(f"{site.url}/")
    context.close()


def test_a_link_with_another_persons_answer_signs_nobody_in(site: Site, browser: Browser) -> None:
    theirs, ours = browser.new_context(), browser.new_context()
    page = theirs.new_page()
    tickets: list[str] = []
    page.on("request", lambda asked: tickets.append(asked.url) if "/finish?" in asked.url else None)
    page.route("**/finish?**", lambda route: route.abort())
    page.goto(f"{site.url}/saml/{site.redirect}/start")
    at_the_provider(page)
    page.wait_for_timeout(1_500)
    victim = ours.new_page()
    answer = victim.goto(tickets[0])
    shoot(victim, "saml-refused")

    assert answer is not None
    assert answer.status == 403
    assert not [cookie for cookie in ours.cookies() if cookie.get("name") == "sentrikat_session"]
    for context in (theirs, ours):
        context.close()
