"""A directory set up, tested and signed in with, in a real browser against a real OpenLDAP."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_pages import sign_in
from tests.peers.openldap import BASE, OpenLdap, password_of


def watched(page: Page) -> list[str]:
    """Collect what the browser complains about: a refused form is no complaint of ours."""
    complaints: list[str] = []
    page.on(
        "console",
        lambda m: complaints.append(m.text) if m.type == "error" and "401" not in m.text else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def test_an_administrator_adds_a_directory_and_somebody_signs_in_with_it(
    browser: Browser, server: str, openldap: OpenLdap
) -> None:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        complaints = watched(page)
        sign_in(page, server, "admin")
        page.goto(f"{server}/identity-providers")
        page.get_by_role("main").get_by_role("link", name="Add a directory").first.click()
        page.get_by_label("Name", exact=True).fill("Head office")
        page.get_by_label("OpenLDAP and others").check()
        page.get_by_label("Servers").fill(f"127.0.0.1:{openldap.tls_port}")
        page.get_by_label("Certificate authority", exact=True).fill(openldap.ca_pem)
        page.get_by_label("Search base", exact=True).fill(BASE)
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Without a service account").fill(f"uid={{login}},ou=people,{BASE}")
        page.get_by_role("button", name="Add directory").click()
        expect(page.get_by_role("heading", name="Head office", level=1)).to_be_visible()

        page.get_by_label("Group", exact=True).fill("staff")
        page.get_by_label("Organization", exact=True).select_option("acme")
        page.get_by_label("Role", exact=True).select_option("analyst")
        page.get_by_role("button", name="Add rule").click()
        page.get_by_label("Somebody to look for").fill("jane")
        page.get_by_label("Their password").fill(password_of("jane"))
        page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_text("1 of 1 apply: “staff”.")).to_be_visible()
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        assert complaints == []

    with browser.new_context() as context:
        page = context.new_page()
        complaints = watched(page)
        page.goto(f"{server}/sign-in")
        page.get_by_label("Login name").fill("jane")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("The login name or the password is not right.")).to_be_visible()
        page.get_by_label("Password").fill(password_of("jane"))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{server}/")
        expect(page.get_by_text("Jane Müller-Example").first).to_be_visible()
        assert complaints == []
