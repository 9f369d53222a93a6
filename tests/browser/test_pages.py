"""The pages as people use them: nothing refused by the policy, accessible, and of use without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.flows.estate import PASSWORD

PAGES = [
    "/",
    "/findings",
    "/findings?q=color:red+software:nothing",
    "/findings/1",
    "/vulnerabilities",
    "/vulnerabilities/CVE-2023-5217?asset=clean-01",
    "/assets",
    "/assets/1",
    "/possibly-affected",
    "/search?q=lib",
    "/search?q=no+such+thing",
    "/unidentified",
    "/identification",
    "/feeds",
    "/api-keys",
    "/profile",
    "/privacy",
    "/audit?check=true",
    "/members",
    "/roles",
    "/roles/1",
    "/roles/2",
]
# What an installation administrator sees beside them.
INSTALLATION_PAGES = [
    "/audit/installation",
    "/users",
    "/users/1",
    "/users/2",
    "/organizations",
    "/organizations/1",
    "/identity-providers",
    "/identity-providers/new",
    "/identity-providers/saml/new",
]


def sign_in(page: Page, server: str, login: str = "administrator") -> None:
    page.goto(f"{server}/sign-in")
    page.get_by_label("Login name").fill(login)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server}/")


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: str) -> Iterator[BrowserContext]:
    """A browser in which the administrator is signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    sign_in(page, server)
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    """A page that fails the test when the browser complains."""
    page = signed_in.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def violations(page: Page) -> list[Any]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]


# What axe lets pass: a table without a name, a column that does not say it heads one, two headings of a page, none.
_SHAPE = """() => [
  ...[...document.querySelectorAll('table:not([aria-label])')].map(one => 'no name: ' + one.innerText.slice(0, 40)),
  ...[...document.querySelectorAll('th:not([scope])')].map(one => 'no scope: ' + one.innerText),
  ...[...document.querySelectorAll('h1')].length === 1 ? [] : ['h1'],
  ...[...document.querySelectorAll('nav.side [aria-current=page]')].length > 1 ? ['two current pages'] : [],
]"""


@pytest.mark.parametrize("path", PAGES)
def test_a_page_breaks_no_policy_and_no_rule_of_access(page: Page, server: str, path: str) -> None:
    page.goto(server + path)

    assert violations(page) == []
    assert page.evaluate(_SHAPE) == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_pages_of_the_installation_fit_and_break_no_rule_of_access(
    browser: Browser, server: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, server, "admin")
    wrong = {}
    for path in INSTALLATION_PAGES:
        page.goto(server + path)
        found = violations(page) + page.evaluate(_SHAPE)
        if found or page.evaluate("document.documentElement.scrollWidth") > width:
            wrong[path] = found
    context.close()

    assert wrong == {}


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_pages_fit_small_screens_and_the_dark(browser: Browser, server: str, width: int, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, server)
    wide = {}
    for path in PAGES:
        page.goto(server + path)
        extent = page.evaluate("document.documentElement.scrollWidth")
        if extent > width:
            wide[path] = extent
        # Said once at whatever width, on every page that speaks of an organization.
        spoken = page.get_by_text("Times in").filter(visible=True).count()
        assert spoken == page.locator("nav.side").count(), path
        if path == "/findings" and scheme == "dark":  # the rules on colors; the others were held above
            assert violations(page) == []
    context.close()

    assert wide == {}


def test_the_sign_in_page_is_accessible_and_says_what_is_wrong(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server}/findings?q=exploited:yes")
    assert violations(page) == []
    page.get_by_label("Login name").fill("administrator")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The login name or the password is not right.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/findings?q=exploited:yes")
    context.close()


def test_a_password_can_be_looked_at_while_it_is_typed(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server}/sign-in")
    field = page.get_by_label("Password")
    field.fill("four random words here")
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Show").click()
    expect(field).to_have_attribute("type", "text")
    expect(field).to_have_value("four random words here")
    assert violations(page) == []
    page.get_by_role("button", name="Hide").click()
    expect(field).to_have_attribute("type", "password")
    context.close()


def test_a_new_password_is_measured_while_it_is_chosen(page: Page, server: str) -> None:
    page.goto(f"{server}/profile")
    field, meter = page.get_by_label("New password", exact=True), page.locator("meter")
    expect(meter).to_be_hidden()
    for typed, words in (
        ("aaaaaaaaaaaaaaaa", "Weak"),
        ("Tr0ub4dor&3", "Weak"),
        ("four random words here", "Strong"),
    ):
        field.fill(typed)
        expect(page.locator("[data-strength]")).to_contain_text(words)
    assert violations(page) == []


def test_a_finding_opens_beside_its_list_and_closes(page: Page, server: str) -> None:
    page.goto(f"{server}/findings")
    page.get_by_role("link", name="CVE-2023-38545").click()
    panel = page.get_by_role("complementary", name="Details")
    expect(panel.locator(".sentence")).to_contain_text("7.88.1-10+deb12u1 < 7.88.1-10+deb12u4")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert page.url == f"{server}/findings"


def test_the_list_follows_the_query_as_it_is_typed(page: Page, server: str) -> None:
    page.goto(f"{server}/findings")
    page.keyboard.press("/")
    page.keyboard.type("severity:critical")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert page.url.endswith("?q=severity%3Acritical")


def test_the_keyboard_goes_everywhere(page: Page, server: str) -> None:
    page.goto(server)
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.wait_for_url("**/findings")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 2
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_exposure_is_saved_as_soon_as_it_is_chosen(page: Page, server: str) -> None:
    page.goto(f"{server}/assets/1")
    page.get_by_label("Internal").check()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.reload()
    expect(page.get_by_label("Internal")).to_be_checked()


def test_what_was_not_saved_is_not_said_to_be(browser: Browser, server: str) -> None:
    """A session that ended answers with the sign-in page, which is an answer, and none that saves."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, server)
    page.goto(f"{server}/assets/1")
    context.clear_cookies()
    page.get_by_label("Public: reachable from the internet").check()
    expect(page.get_by_role("status")).to_have_text("Not saved. Reload the page and try again.")
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    context.close()


def test_what_people_set_comes_first_on_a_small_screen(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    sign_in(page, server)
    page.goto(f"{server}/assets/1")
    places = {
        name: page.get_by_role("heading", name=name, exact=True).bounding_box()
        for name in ("What you know of it", "Findings", "Software", "Identity")
    }
    tops = [place["y"] for place in places.values() if place is not None]
    context.close()

    assert (len(tops), tops) == (4, sorted(tops))


def test_the_dark_stays_chosen(page: Page, server: str) -> None:
    page.goto(server)
    page.locator("summary", has_text="Administrator").click()
    page.get_by_role("button", name="Dark or light").click()
    page.goto(f"{server}/findings")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.context.clear_cookies(name="theme")


def test_a_key_is_made_shown_once_and_revoked_without_scripts(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, server)
    page.get_by_role("link", name="API keys").click()
    page.get_by_label("Who uses it").fill("agents of the test")
    page.get_by_role("button", name="Create key").click()
    secret = page.locator("#new-key").inner_text()
    assert secret.startswith("sk_")
    page.goto(f"{server}/api-keys")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke agents of the test").click()
    expect(page.locator("tr", has_text="agents of the test")).to_contain_text("Revoked")
    context.close()


def test_findings_are_filtered_read_and_left_without_scripts(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, server, "viewer")
    page.get_by_role("link", name="2 findings").first.click()
    page.get_by_label("Filter findings").fill("exploited:yes asset:web")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="CVE-2023-5217").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CVE-2023-5217 on web-03")
    expect(page.get_by_role("heading", name="Deadline")).to_be_visible()
    page.locator("summary", has_text="Viewer").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{server}/findings")
    assert "/sign-in" in page.url
    context.close()


def test_somebody_in_two_organizations_changes_between_them(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, server, "both")
    page.locator("summary", has_text="Acme").click()
    page.get_by_role("button", name="Other Ltd").click()
    page.goto(f"{server}/assets")
    expect(page.get_by_role("link", name="theirs")).to_be_visible()
    expect(page.get_by_role("link", name="web-03")).to_have_count(0)
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_waiting_bundles_can_be_read_and_decided_on_any_screen(
    browser: Browser, server: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, server, "admin")
    page.goto(f"{server}/feeds")
    page.get_by_role("link", name="3 bundles wait for a second person").click()
    page.wait_for_url(f"{server}/bundles")

    assert page.get_by_role("button", name="Approve").count() == 1  # the others were brought by the reader
    assert page.get_by_role("button", name="Reject").count() == 3
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize("login", ["viewer", "analyst", "manager", "auditor", "administrator", "admin"])
def test_nobody_sees_a_page_that_breaks_the_policy(browser: Browser, server: str, login: str) -> None:
    """Errors that pages are refused with are pages, too; the browser calls their status an error of its own."""
    context = browser.new_context()
    context.add_init_script(
        "window.broken = []; document.addEventListener('securitypolicyviolation',"
        " event => window.broken.push(event.violatedDirective + ' ' + event.blockedURI));"
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    sign_in(page, server, login)
    broken = {}
    for path in [*PAGES, *INSTALLATION_PAGES, "/nothing"]:
        page.goto(server + path)
        if found := page.evaluate("window.broken"):
            broken[path] = found
    context.close()

    assert broken == {}
    assert [words for words in said if "status of 40" not in words] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_name_of_a_role_pushes_no_button_out_of_sight(
    browser: Browser, server: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    sign_in(page, server)
    page.goto(f"{server}/members")
    boxes = [
        page.get_by_role("button", name=name, exact=True).bounding_box()
        for name in ("Change the role of both", "Remove both")
    ]
    context.close()

    assert all(box is not None and box["x"] + box["width"] <= width for box in boxes)


def test_a_role_is_made_changed_and_deleted_without_scripts(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, server)
    page.goto(f"{server}/members")
    page.get_by_role("link", name="Roles", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill("By hand")
    page.get_by_label("read the audit log").check()
    page.get_by_role("button", name="Create role").click()
    page.get_by_role("link", name="Change By hand").click()
    page.get_by_label("read the audit log").uncheck()
    page.get_by_label("see which API keys there are").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("rowheader", name="By hand").get_by_role("link").click()
    expect(page.get_by_label("see which API keys there are")).to_be_checked()
    expect(page.get_by_label("read the audit log")).not_to_be_checked()
    page.get_by_role("button", name="Delete role").click()
    expect(page.get_by_role("link", name="By hand")).to_have_count(0)
    context.close()
