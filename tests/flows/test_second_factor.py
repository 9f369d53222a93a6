"""Signing in with a second factor, setting one up, and confirming that it is you, as a browser does it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta

import pyotp
import pytest
from cryptography.fernet import Fernet
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, select

from sentrikat.app import create_app
from sentrikat.domain.permissions import Permission
from sentrikat.identity import throttle
from sentrikat.identity.models import RecoveryCode, SignInAttempt, TotpFactor
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.estate import PASSWORD, Estate, key, session_of
from tests.flows.test_web import sign_in, token_of

KEYS = Fernet.generate_key().decode()


def browser(database: Database, clock: FrozenClock, **settings: object) -> Iterator[TestClient]:
    app = create_app(Settings(encryption_keys=KEYS, **settings), database.url, clock=clock)  # type: ignore[arg-type]
    with TestClient(app, base_url="http://testserver", follow_redirects=False) as started:
        yield started


@pytest.fixture
def client(database: Database, clock: FrozenClock) -> Iterator[TestClient]:
    yield from browser(database, clock)


@pytest.fixture
def strict(database: Database, clock: FrozenClock) -> Iterator[TestClient]:
    """An installation that asks everybody for a second factor."""
    yield from browser(database, clock, second_factor="everybody")


@pytest.fixture(autouse=True)
def _nobody_has_one(database: Database) -> None:
    with database.as_system() as session:
        for table in (TotpFactor, RecoveryCode, SignInAttempt):
            session.execute(delete(table))


def seed_of(page: str) -> str:
    found = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page)
    assert found is not None
    return found[1].replace(" ", "")


def codes_of(page: str) -> list[str]:
    return re.findall(r"<li><code>([a-z2-9-]{19})</code></li>", page)


def post(client: TestClient, path: str, page: str, **fields: str) -> tuple[int, str]:
    answer = client.post(path, data={"csrf_token": token_of(page), **fields})
    return answer.status_code, answer.headers.get("location", "") or answer.text


def set_up(client: TestClient, clock: FrozenClock) -> tuple[str, list[str]]:
    """As a signed-in person, under Profile."""
    page = client.get("/profile/second-factor").text
    assert post(client, "/profile/second-factor/begin", page) == (303, "/profile/second-factor")
    page = client.get("/profile/second-factor").text
    assert "<svg" in page
    seed = seed_of(page)
    before = client.cookies["sentrikat_session"]
    status, done = post(client, "/profile/second-factor/set-up", page, code=pyotp.TOTP(seed).at(clock.now()))
    assert status == 200
    assert client.cookies["sentrikat_session"] != before
    clock.advance(timedelta(minutes=1))
    return seed, codes_of(done)


def test_it_is_set_up_asked_for_and_taken_once(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "analyst"), domain="testserver.local"
    )
    other = session_of(database, clock, estate, "analyst")
    seed, codes = set_up(client, clock)
    assert len(codes) == 10
    assert seed not in client.get("/profile/second-factor").text
    assert client.get("/", headers={"Cookie": f"sentrikat_session={other}"}).status_code == 303
    client.cookies.clear()

    assert sign_in(client, "analyst", next_path="/findings") == 303
    assert "sentrikat_session" not in client.cookies
    page = client.get("/sign-in/second-factor").text
    assert post(client, "/sign-in/second-factor", page, code="000000")[0] == 401
    code = pyotp.TOTP(seed).at(clock.now())
    assert post(client, "/sign-in/second-factor", page, code=code) == (303, "/findings")
    assert client.get("/findings").status_code == 200

    client.cookies.clear()
    sign_in(client, "analyst")
    page = client.get("/sign-in/second-factor").text
    assert post(client, "/sign-in/second-factor", page, code=code)[0] == 401
    assert post(client, "/sign-in/second-factor", page, code=codes[0]) == (303, "/")
    assert "9 recovery codes left" in client.get("/profile").text


def test_a_half_open_sign_in_opens_no_page_and_skips_no_question(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "viewer"), domain="testserver.local"
    )
    set_up(client, clock)
    client.cookies.clear()
    sign_in(client, "viewer")
    half_open = client.cookies["sentrikat_sign_in"]

    for path in ("/", "/profile", "/api/v1/me"):
        cookie = {"Cookie": f"sentrikat_session={half_open}; sentrikat_sign_in={half_open}"}
        assert client.get(path, headers=cookie).status_code in {303, 401}
    for path in ("/sign-in/new-password", "/sign-in/set-up"):
        assert client.get(path).headers["location"] == "/sign-in/second-factor"
        page = client.get("/sign-in/second-factor").text
        assert post(client, path, page, new_password="four random words here", code="000000") == (
            303,
            "/sign-in/second-factor",
        )


def test_guessing_codes_is_throttled_and_the_password_does_not_clear_it(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "manager"), domain="testserver.local"
    )
    seed, _ = set_up(client, clock)
    client.cookies.clear()
    statuses = []
    for _ in range(11):
        client.cookies.clear()
        assert sign_in(client, "manager") == 303
        page = client.get("/sign-in/second-factor").text
        statuses.append(post(client, "/sign-in/second-factor", page, code="000000")[0])

    assert statuses == [401] * 10 + [429]
    code = pyotp.TOTP(seed).at(clock.now())
    assert post(client, "/sign-in/second-factor", page, code=code)[0] == 429


def test_where_everybody_needs_one_the_next_sign_in_sets_it_up(
    strict: TestClient, clock: FrozenClock
) -> None:
    assert sign_in(strict, "nowhere", next_path="/profile") == 303
    page = strict.get("/sign-in/set-up").text
    seed = seed_of(page)
    assert seed_of(strict.get("/sign-in/set-up").text) == seed
    assert post(strict, "/sign-in/set-up", page, code="000000")[0] == 422
    status, done = post(strict, "/sign-in/set-up", page, code=pyotp.TOTP(seed).at(clock.now()))

    assert status == 200
    assert len(codes_of(done)) == 10
    assert 'href="/profile"' in done
    assert strict.get("/profile").status_code == 200


def test_what_is_sensitive_asks_again_after_a_while_and_the_cookie_changes(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "administrator"), domain="testserver.local"
    )
    clock.advance(timedelta(minutes=16))
    page = client.get("/api-keys").text
    fields = {"name": "agents", "scopes": "agent:report", "days": ""}
    answer = client.post(
        "/api-keys",
        data={"csrf_token": token_of(page), **fields},
        headers={"Referer": "http://testserver/api-keys?x=1"},
    )
    assert answer.headers["location"] == "/confirm?next=%2Fapi-keys%3Fx%3D1"
    page = client.get(answer.headers["location"]).text
    assert "Nothing was changed yet, and what you typed into a form is not kept" in page
    before = client.cookies["sentrikat_session"]

    assert post(client, "/confirm", page, next="/api-keys?x=1", password="wrong")[0] == 401
    assert post(client, "/confirm", page, next="/api-keys?x=1", password=PASSWORD) == (303, "/api-keys?x=1")
    after = client.cookies["sentrikat_session"]
    assert after != before
    assert client.get("/", headers={"Cookie": f"sentrikat_session={before}"}).status_code == 303
    assert post(client, "/api-keys", client.get("/api-keys").text, **fields)[0] == 200


def test_confirming_leads_nowhere_else(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "analyst"), domain="testserver.local"
    )
    page = client.get("/confirm?next=https://evil.example/").text

    assert 'name="next" value="/"' in page
    assert post(client, "/confirm", page, next="//evil.example/", password=PASSWORD) == (303, "/")


def test_a_code_confirms_as_well_as_the_password(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "auditor"), domain="testserver.local"
    )
    seed, _ = set_up(client, clock)
    clock.advance(timedelta(minutes=30))
    page = client.get("/profile/second-factor").text
    assert post(client, "/profile/second-factor/remove", page)[1].startswith("/confirm?next=")
    page = client.get("/confirm?next=/profile/second-factor").text
    code = pyotp.TOTP(seed).at(clock.now())

    assert post(client, "/confirm", page, next="/profile/second-factor", code=code)[0] == 303
    page = client.get("/profile/second-factor").text
    assert post(client, "/profile/second-factor/remove", page) == (303, "/profile?saved=factor-removed")
    assert "second factor was removed" in html.unescape(client.get("/profile?saved=factor-removed").text)


def test_a_right_password_beside_a_wrong_code_clears_no_guess_at_codes(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "nowhere"), domain="testserver.local"
    )
    for _guess in range(3):
        page = client.get("/confirm").text
        assert post(client, "/confirm", page, password=PASSWORD, code="000000")[0] == 303

    subject = throttle.factor_subject(estate.users["nowhere"])
    with database.as_system() as session:
        counted = select(func.count()).where(SignInAttempt.subject == subject)
        assert session.scalar(counted) == 3


def test_a_session_of_the_api_is_told_to_confirm_and_a_key_is_not_asked(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    cookie = session_of(database, clock, estate, "admin")
    clock.advance(timedelta(minutes=16))
    headers = {"Cookie": f"sentrikat_session={cookie}"}
    headers["X-CSRF-Token"] = client.get("/api/v1/me", headers=headers).json()["csrf_token"]
    answer = client.post("/api/v1/users", json={"login": "new"}, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["code"] == "step_up_required"
    assert client.get("/api/v1/users", headers=headers).status_code == 200
    made = key(database, clock, estate, Permission.FINDINGS_READ)
    asked = client.post(
        "/api/v1/users", json={"login": "new"}, headers={"Authorization": f"Bearer {made.secret}"}
    )
    assert asked.json()["code"] == "key_scope"


def test_a_lost_factor_is_reset_over_the_api(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set(
        "sentrikat_session", session_of(database, clock, estate, "both"), domain="testserver.local"
    )
    set_up(client, clock)
    client.cookies.clear()
    headers = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, 'admin')}"}
    headers["X-CSRF-Token"] = client.get("/api/v1/me", headers=headers).json()["csrf_token"]
    path = f"/api/v1/users/{estate.users['both']}/second-factor"

    assert client.delete(path, headers=headers).status_code == 204
    assert client.delete(path, headers=headers).status_code == 404
    assert sign_in(client, "both", next_path="/profile") == 303
    assert client.get("/profile").status_code == 200


def hold(client: TestClient, token: str) -> None:
    """Give the browser a session, in the place of another."""
    client.cookies.clear()
    client.cookies.set("sentrikat_session", token, domain="testserver.local", path="/")


@pytest.fixture
def guarded(database: Database, clock: FrozenClock) -> Iterator[TestClient]:
    """An installation that asks administrators for a second factor."""
    yield from browser(database, clock, second_factor="administrators")


@pytest.mark.parametrize("login", ["admin", "administrator"])
def test_a_session_from_before_the_rule_changes_nothing_an_administrator_changes(
    guarded: TestClient, database: Database, clock: FrozenClock, estate: Estate, login: str
) -> None:
    """Who became an administrator in the middle of a session, or whose session is older than the rule."""
    hold(guarded, session_of(database, clock, estate, login))
    csrf = guarded.get("/api/v1/me").json()["csrf_token"]
    member = {"login": "viewer", "role": "analyst"}

    by_page = guarded.post("/members", data={"csrf_token": csrf, **member})
    by_api = guarded.post("/api/v1/members", json=member, headers={"X-CSRF-Token": csrf})
    read = guarded.get("/members")

    assert (by_page.status_code, by_api.status_code, read.status_code) == (403, 403, 200)
    assert by_api.json()["code"] == "second_factor_required"
    assert "Set one up under Profile" in by_page.text

    set_up(guarded, clock)  # under Profile, which is open to them
    csrf = guarded.get("/api/v1/me").json()["csrf_token"]
    allowed = guarded.post("/api/v1/members", json=member, headers={"X-CSRF-Token": csrf})

    assert allowed.status_code != 403, allowed.text


def test_a_code_at_the_confirmation_is_a_second_factor_too(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    hold(client, session_of(database, clock, estate, "admin"))
    seed, _codes = set_up(client, clock)
    hold(client, session_of(database, clock, estate, "admin"))

    page = client.get("/confirm").text
    assert post(client, "/confirm", page, code=pyotp.TOTP(seed).at(clock.now()))[0] == 303

    listed = client.get("/api/v1/me/sessions").json()["items"]
    assert {one["factor"] for one in listed if one["current"]} == {"totp"}


def test_without_the_factor_the_session_is_one_of_a_password_again(
    guarded: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    hold(guarded, session_of(database, clock, estate, "admin"))
    set_up(guarded, clock)
    page = guarded.get("/profile/second-factor").text
    assert post(guarded, "/profile/second-factor/remove", page)[0] == 303

    csrf = guarded.get("/api/v1/me").json()["csrf_token"]
    answer = guarded.post("/api/v1/users", json={"login": "new"}, headers={"X-CSRF-Token": csrf})

    assert answer.json()["code"] == "second_factor_required"
