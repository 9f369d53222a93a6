"""What people are told before they sign in: what is kept about them, and the installation's own words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from sentrikat.app import create_app
from sentrikat.domain.errors import InvalidInput
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings, load
from tests.flows.test_web import token_of

BANNER = """You are using a system of Acme <b>Holdings</b>.

* Use may be monitored & recorded.
* Unauthorized use is forbidden."""


@pytest.fixture
def noticed(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[TestClient]:
    """An installation that says its own words."""
    file = tmp_path / "banner.txt"
    file.write_bytes(b"\xef\xbb\xbf" + BANNER.replace("\n", "\r\n").encode())
    settings = Settings(
        sign_in_banner_file=file,
        privacy_notice_url="https://acme.example/privacy?for=staff",
        session_idle_minutes=45,
        session_lifetime_hours=9,
    )
    app = create_app(settings, database.url, clock=clock)
    with TestClient(app, base_url="http://testserver", follow_redirects=False) as started:
        yield started


def test_the_banner_is_shown_as_written_before_anybody_signs_in(noticed: TestClient) -> None:
    page = noticed.get("/sign-in").text

    shown = BANNER.replace("<b>", "&lt;b&gt;").replace("</b>", "&lt;/b&gt;").replace(" & ", " &amp; ")
    assert shown in page
    assert page.index("monitored") < page.index('name="password"')
    assert "Accept and sign in" in page
    assert "says that you have read the notice above and accept it" in page


def test_a_failed_sign_in_shows_it_again(noticed: TestClient) -> None:
    token = token_of(noticed.get("/sign-in").text)
    answer = noticed.post("/sign-in", data={"csrf_token": token, "login": "viewer", "password": "wrong"})

    assert (answer.status_code, "monitored" in answer.text) == (401, True)


def test_without_a_banner_the_page_is_short(client: TestClient) -> None:
    page = client.get("/sign-in").text

    assert "Notice before signing in" not in page
    assert ">Sign in</button>" in page
    assert 'href="/privacy"' in page


def test_what_is_kept_is_told_to_everybody_with_this_installation_s_times(noticed: TestClient) -> None:
    page = noticed.get("/privacy")

    assert page.status_code == 200
    for words in ("Login name", "audit log", "9 hours at most, 45 minutes without use", "cookies"):
        assert words in page.text
    assert 'href="https://acme.example/privacy?for=staff"' in page.text


def test_without_an_own_notice_the_administrators_are_named(client: TestClient) -> None:
    assert "Whom to ask: the administrators of this installation." in client.get("/privacy").text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"  \n", "is empty"),
        (b"x" * 20_000, "is larger than 16,384 bytes"),
        (b"\xff\xfe", "can't decode"),
    ],
)
def test_a_banner_that_cannot_be_shown_is_said_at_the_start(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "banner.txt"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidInput, match="SENTRIKAT_SIGN_IN_BANNER_FILE") as refused:
        load(sign_in_banner_file=file)
    assert why in refused.value.message


@pytest.mark.parametrize("address", ["http://acme.example/privacy", "javascript:alert(1)", "https://a\nb"])
def test_an_own_notice_has_an_https_address(address: str) -> None:
    with pytest.raises(InvalidInput, match="SENTRIKAT_PRIVACY_NOTICE_URL"):
        load(privacy_notice_url=address)
