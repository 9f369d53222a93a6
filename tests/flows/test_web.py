"""The pages over HTTP: signing in and out, tokens, headers, and figures that lead to what they count."""

from __future__ import annotations

import html
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from sentrikat.api.problems import Problem
from sentrikat.app import create_app
from sentrikat.feeds.snapshot import FEEDS as SNAPSHOT_FEEDS
from sentrikat.identity.models import UserAccount
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.web.headers import HEADERS
from tests.builders import NOON, WINDOWS, report
from tests.flows.estate import PASSWORD, Estate, session_of


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def sign_in(client: TestClient, login: str, password: str = PASSWORD, next_path: str = "/") -> int:
    token = token_of(client.get("/sign-in").text)
    answer = client.post(
        "/sign-in", data={"csrf_token": token, "login": login, "password": password, "next": next_path}
    )
    return answer.status_code


@pytest.fixture
def analyst(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """The analyst's browser."""
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "analyst"))
    return client


def test_signing_in_gives_a_new_cookie_and_ends_the_old_session(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    planted = session_of(database, clock, estate, "viewer")
    client.cookies.set("sentrikat_session", planted)
    page = client.get("/sign-in", headers={"Cookie": ""})
    token = token_of(page.text)
    visitor = page.cookies["sentrikat_visitor"]
    answer = client.post(
        "/sign-in",
        data={"csrf_token": token, "login": "analyst", "password": PASSWORD, "next": "/findings"},
        headers={"Cookie": f"sentrikat_session={planted}; sentrikat_visitor={visitor}"},
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/findings")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert planted not in cookie
    assert client.get("/", headers={"Cookie": f"sentrikat_session={planted}"}).status_code == 303


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/findings?q=日本", "/findings?q=%E6%97%A5%E6%9C%AC"),
        ("/vulnerabilities?q=é", "/vulnerabilities?q=%C3%A9"),
        ("/findings?q=%C3%A9#a", "/findings?q=%C3%A9#a"),  # what is written out already stays
        ("/\x7f", "/"),  # no character of a header
    ],
)
def test_a_path_with_letters_of_any_language_is_gone_on_to(
    analyst: TestClient, wanted: str, led_to: str
) -> None:
    answer = analyst.get("/sign-in", params={"next": wanted})

    assert (answer.status_code, answer.headers["location"]) == (303, led_to)


def test_a_directory_that_does_not_answer_keeps_nobody_waiting_whose_password_is_here(
    client: TestClient,
) -> None:
    asked, answer = threading.Semaphore(0), threading.Event()

    def silent(_login: str, _password: str) -> None:
        asked.release()
        answer.wait(30)

    cast("FastAPI", client.app).state.password_sources = lambda _address: [silent]
    page = client.get("/sign-in")
    cookie = {"Cookie": f"sentrikat_visitor={page.cookies['sentrikat_visitor']}"}
    form = {"csrf_token": token_of(page.text)}

    def try_to(login: str, password: str) -> int:
        return client.post(
            "/sign-in", data={**form, "login": login, "password": password}, headers=cookie
        ).status_code

    with ThreadPoolExecutor(7) as threads:
        try:
            waiting = [threads.submit(try_to, f"unknown{number}", "wrong") for number in range(6)]
            assert all(asked.acquire(timeout=20) for _ in range(3))
            assert threads.submit(try_to, "admin", PASSWORD).result(timeout=20) == 303
            assert not any(one.done() for one in waiting)
        finally:
            answer.set()
        assert [one.result(timeout=30) for one in waiting] == [401] * 6


def test_a_password_that_somebody_else_has_seen_opens_the_door_to_choose_another_one_only(
    client: TestClient, database: Database, estate: Estate
) -> None:
    with database.as_system() as session:
        session.get_one(UserAccount, estate.users["nowhere"]).must_change_password = True

    assert sign_in(client, "nowhere", next_path="/profile") == 303
    assert "sentrikat_session" not in client.cookies
    assert client.get("/profile").headers["location"].startswith("/sign-in")
    page = client.get("/sign-in/new-password")
    assert page.status_code == 200
    for given, token, status in (
        ("short", token_of(page.text), 422),
        (PASSWORD, token_of(page.text), 422),
        ("four random words here", "guess", 403),
        ("four random words here", token_of(page.text), 303),
    ):
        answer = client.post("/sign-in/new-password", data={"csrf_token": token, "new_password": given})
        assert answer.status_code == status
    assert answer.headers["location"] == "/profile"
    assert client.get("/profile").status_code == 200
    assert "sentrikat_sign_in" not in client.cookies
    assert client.get("/sign-in/new-password").headers["location"] == "/sign-in"


def test_over_https_cookies_are_secure_and_bound_to_the_host(database: Database, clock: FrozenClock) -> None:
    app = create_app(Settings(public_url="https://kat.example"), database.url, clock=clock)
    with TestClient(app, base_url="https://kat.example", follow_redirects=False) as client:
        answer = client.get("/sign-in")

    assert answer.headers["set-cookie"].startswith("__Host-sentrikat_visitor=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "spoil",
    [
        {"csrf_token": ""},
        {"csrf_token": "guess"},
    ],
)
def test_a_sign_in_form_from_elsewhere_is_refused(client: TestClient, spoil: dict[str, str]) -> None:
    token = token_of(client.get("/sign-in").text)
    data = {"csrf_token": token, "login": "analyst", "password": PASSWORD, **spoil}

    assert client.post("/sign-in", data=data).status_code == 403


def test_the_browser_s_own_word_on_where_a_form_comes_from_counts(client: TestClient) -> None:
    token = token_of(client.get("/sign-in").text)
    data = {"csrf_token": token, "login": "analyst", "password": PASSWORD}

    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.post("/sign-in", data=data, headers=headers).status_code == 403


def test_after_too_many_failures_the_page_says_how_long_to_wait(client: TestClient) -> None:
    statuses = [sign_in(client, "nobody-at-all", "wrong") for _ in range(11)]

    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize("token", [None, "guess"])
def test_a_form_without_its_token_changes_nothing(
    analyst: TestClient, database: Database, estate: Estate, token: str | None
) -> None:
    asset = estate.assets[next(iter(estate.assets))]
    data = {"exposure": "public"} | ({"csrf_token": token} if token else {})

    assert analyst.post(f"/assets/{asset}", data=data).status_code == 403
    with database.as_system() as session:
        query = text("select exposure from asset where id = :id")
        assert session.execute(query, {"id": asset}).scalar_one() == "unknown"


@pytest.mark.parametrize(
    "path",
    ["/", "/sign-in", "/nothing", "/findings/999999", "/assets?exposure=x", "/api/v1/me", "/api/v1/nothing"],
)
def test_every_answer_carries_the_security_headers(analyst: TestClient, path: str) -> None:
    answer = analyst.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]


def test_even_a_fault_of_ours_is_worded_and_carries_the_headers(
    database: Database, clock: FrozenClock
) -> None:
    app = create_app(Settings(), database.url, clock=clock)

    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    app.add_api_route("/api/v1/broken", broken)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/broken")

    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert Problem.model_validate(answer.json()).request_id == answer.headers["x-request-id"]
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_a_database_that_does_not_answer_is_said_plainly(clock: FrozenClock) -> None:
    app = create_app(Settings(), "postgresql://nobody@127.0.0.1:1/nothing", clock=clock)
    with TestClient(app) as client:
        answer = client.get("/api/v1/me", headers={"Authorization": "Bearer sk_aaaaaaaaaa_" + "A" * 43})
        ready = client.get("/api/v1/health/ready")

    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"
    assert ready.status_code == 503


def test_an_unknown_page_is_worded_like_the_api_s_problem(analyst: TestClient) -> None:
    page = html.unescape(analyst.get("/findings/999999").text)

    assert "There is no finding 999999 in this organization." in page
    assert "not_found" in page


def test_names_are_shown_as_text_and_never_as_markup(analyst: TestClient, estate: Estate) -> None:
    page = analyst.get(f"/assets/{estate.assets['web-03']}").text

    assert "Hausverwaltung Pro &lt;Client&gt;" in page
    assert "<Client>" not in page


def test_every_figure_of_the_overview_leads_to_as_many_findings(analyst: TestClient) -> None:
    page = analyst.get("/").text
    links = re.findall(r'href="(/findings\?q=[^"]+)"[^>]*>\+? ?([\d,]+)', page)
    assert len(links) >= 2
    wrong = {}
    for href, figure in links:
        listed = analyst.get(html.unescape(href)).text
        count = re.search(r"<strong>([\d,]+)</strong> finding", listed)
        if (count[1] if count else "0") != figure:
            wrong[href] = (figure, count and count[1])

    assert wrong == {}


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("cve-2023-5217", "/vulnerabilities/CVE-2023-5217"),
        ("web-03", "/assets?hostname=web-03"),
        ("cve-1999-99999", "/vulnerabilities/CVE-1999-99999"),  # which says that no feed names it
        ("exploited:yes", "/findings?q=exploited%3Ayes"),
        ("", "/findings"),
        ("\x00", "/findings"),
    ],
)
def test_search_goes_to_what_the_words_name(analyst: TestClient, words: str, target: str) -> None:
    assert analyst.get("/search", params={"q": words}).headers["location"] == target


def test_search_finds_installed_software_whether_or_not_it_has_findings(analyst: TestClient) -> None:
    """Unknown is never shown as safe: what nobody could judge has no findings, and is found with that said."""
    judged = analyst.get("/search", params={"q": "LIBVPX"}).text
    unknown = html.unescape(analyst.get("/search", params={"q": "hausverwaltung"}).text)

    assert 'href="/findings?q=software%3A%22libvpx%22"' in judged
    assert re.search(r'href="/assets/\d+\?software=libvpx#software">web-03</a>', judged)
    assert "1.12.0-1" in judged
    assert "Hausverwaltung Pro <Client> Ümläut & Söhne" in unknown
    assert '<a class="state state-warning" href="/unidentified">No</a>' in unknown


def test_search_takes_no_letter_for_a_wildcard_and_says_when_nothing_is_called_so(
    analyst: TestClient,
) -> None:
    for words in ("%", "_", "lib_px", "\\", "no such thing"):
        page = html.unescape(analyst.get("/search", params={"q": words}).text)
        assert f"Nothing here is called “{words}”" in page


def test_search_shows_no_software_of_other_organizations(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "theirs"))
    page = client.get("/search", params={"q": "openssl"}).text
    assert ">theirs</a>" in page
    assert "web-03" not in page


def test_the_strip_says_why_figures_are_qualified(analyst: TestClient) -> None:
    page = html.unescape(analyst.get("/findings").text)

    assert re.search(r"Never loaded: [^<]*FIRST EPSS", page)
    assert '<a href="/unidentified">1 product not judged</a>' in page


def test_what_no_source_told_is_unknown_and_not_nothing(analyst: TestClient) -> None:
    page = analyst.get("/").text

    assert "no feed has told when support ends" in page
    assert "nothing is known to be past its end" not in page


def test_a_person_without_an_organization_sees_their_account_only(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "nowhere"))

    assert client.get("/").status_code == 403
    assert client.get("/profile").status_code == 200


def test_a_changed_password_needs_the_present_one_and_signs_others_out(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    other = session_of(database, clock, estate, "manager")
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "manager"))
    token = token_of(client.get("/profile").text)

    def change(current: str, new: str) -> int:
        data = {"csrf_token": token, "current_password": current, "new_password": new}
        return client.post("/profile/password", data=data).status_code

    assert change("wrong", "a much better password") == 422
    assert change(PASSWORD, "short") == 422
    assert change(PASSWORD, "a much better password") == 303
    assert client.get("/profile").status_code == 200
    assert client.get("/", headers={"Cookie": f"sentrikat_session={other}"}).status_code == 303


def test_signing_out_ends_the_session_on_the_server(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    cookie = session_of(database, clock, estate, "auditor")
    headers = {"Cookie": f"sentrikat_session={cookie}"}
    token = token_of(client.get("/profile", headers=headers).text)

    assert client.post("/sign-out", data={"csrf_token": token}, headers=headers).status_code == 303
    assert client.get("/", headers=headers).status_code == 303


def test_nobody_may_look_at_an_organization_they_are_no_member_of(
    analyst: TestClient, estate: Estate
) -> None:
    token = token_of(analyst.get("/profile").text)
    data = {"csrf_token": token, "organization": str(estate.other)}

    assert analyst.post("/organization", data=data).status_code == 404


def test_a_first_page_says_that_feeds_are_loading_only_while_shipped_ones_are(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "theirs"))
    retire = "update asset set retired_at = :at where organization_id = :o"
    pages = []
    with database.as_system() as session:
        session.execute(text(retire), {"o": estate.other, "at": clock.now()})
        session.commit()
        pages.append(client.get("/").text)
        made = session.scalars(
            text(
                "insert into feed (name, last_attempt_at, last_success_at) select unnest(cast(:names as text[])), :now,"
                " :now on conflict (name) do nothing returning name"
            ),
            {"names": sorted(SNAPSHOT_FEEDS), "now": clock.now()},
        ).all()
        session.commit()
        pages.append(client.get("/").text)
        session.execute(text("delete from feed where name = any(:names)"), {"names": list(made)})
        session.execute(text(retire), {"o": estate.other, "at": None})

    assert made
    assert ["The first start loads the feeds" in page for page in pages] == [True, False]


def test_a_first_page_without_assets_says_what_to_do(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    with database.as_system() as session:
        session.execute(
            text("update asset set retired_at = now() where organization_id = :o"), {"o": estate.other}
        )
        session.commit()
        client.cookies.set("sentrikat_session", session_of(database, clock, estate, "theirs"))
        page = client.get("/").text
        session.execute(
            text("update asset set retired_at = null where organization_id = :o"), {"o": estate.other}
        )

    assert "Nothing reports yet" in page
    assert "/api/v1/agent/reports" in page


def test_a_list_of_software_not_judged_that_is_cut_says_more_than(
    analyst: TestClient, database: Database, estate: Estate
) -> None:
    many = [{"type": "windows", "name": f"Unheard Of {number}", "version": "1"} for number in range(1001)]
    found = report(database, FrozenClock(NOON), estate.acme, "full-of-it", many, os=WINDOWS)
    page = analyst.get("/unidentified").text
    with database.as_system() as session:
        session.execute(
            text("update install set removed_at = now() where asset_id = :asset"), {"asset": found.asset_id}
        )
        session.execute(
            text("update asset set retired_at = now() where id = :asset"), {"asset": found.asset_id}
        )

    assert "<strong>More than 1,000</strong> products on your assets could not be judged" in page


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/assets/abc", 404, "There is nothing at /assets/abc."),
        ("/findings/1e9", 404, "There is nothing at /findings/1e9."),
        ("/audit?since=soon", 422, "in its address “soon” is no value of “since”."),
        ("/assets?exposure=loud", 422, "in its address “loud” is no value of “exposure”."),
    ],
)
def test_a_wrong_address_is_refused_in_words_of_the_page(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    path: str,
    status: int,
    words: str,
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "administrator"))
    answer = client.get(path)

    assert answer.status_code == status
    assert words in html.unescape(answer.text)
    assert "Input should be" not in answer.text
