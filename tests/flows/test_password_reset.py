"""A lost password, from the form over the mail to the new one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import delete, select, text

from sentrikat.app import create_app
from sentrikat.identity import accounts, password_reset
from sentrikat.identity.models import PasswordReset, SignInAttempt, UserAccount
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.estate import Estate, session_of
from tests.flows.test_web import sign_in, token_of
from tests.smtp_peer import PASSWORD, USER, Mailbox, mail_server

NEW = "four random words here"
PUBLIC = "http://testserver"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    with mail_server(tmp_path) as started:
        yield started


def settings_for(box: Mailbox, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "public_url": PUBLIC,
        "smtp_host": "127.0.0.1",
        "smtp_port": box.port,
        "smtp_user": USER,
        "smtp_password": SecretStr(PASSWORD),
        "smtp_from": "sentrikat@acme.example",
        "ca_file": box.ca_file,
        **changes,
    }
    return Settings(**values)


@pytest.fixture
def client(database: Database, clock: FrozenClock, box: Mailbox) -> Iterator[TestClient]:
    app = create_app(settings_for(box), database.url, clock=clock)
    with TestClient(app, base_url=PUBLIC, follow_redirects=False) as started:
        yield started


@pytest.fixture(autouse=True)
def analyst(database: Database, estate: Estate) -> int:
    """The analyst has a mail address."""
    waiting_in(database)
    with database.as_system() as session:
        session.execute(delete(SignInAttempt))
        session.execute(delete(PasswordReset))
        user = session.get_one(UserAccount, estate.users["analyst"])
        user.email, user.disabled_at, user.break_glass = "analyst@acme.example", None, False
        return user.id


def ask(client: TestClient, login: str, **headers: str) -> tuple[int, str]:
    page = client.get("/forgot-password", headers=headers).text
    answer = client.post(
        "/forgot-password", data={"csrf_token": token_of(page), "login": login}, headers=headers
    )
    return answer.status_code, re.sub(r'value="[^"]+"', "", answer.text)


def waiting_in(database: Database) -> list[dict[str, Any]]:
    """Take what waits out of the queue, as its owner."""
    with database.engine.begin() as owner:
        query = "delete from procrastinate_jobs where task_name = 'mail_password_reset' returning args"
        return list(owner.scalars(text(query)))


def work(database: Database, box: Mailbox, clock: FrozenClock, **changes: Any) -> None:
    """Do what waits in the queue, as the worker does."""
    for given in waiting_in(database):
        password_reset.mail_links(database, settings_for(box, **changes), clock, **given)


def link_in(box: Mailbox) -> str:
    found = re.search(r"http\S+", box.mails[-1].get_content())
    assert found is not None
    return found[0]


def test_the_link_opens_the_account_once_and_signs_everybody_out(
    client: TestClient, database: Database, clock: FrozenClock, box: Mailbox, estate: Estate
) -> None:
    other = session_of(database, clock, estate, "analyst")
    assert ask(client, "Analyst")[0] == 200
    work(database, box, clock)
    link = link_in(box)
    token = link.partition("token=")[2]
    assert link.startswith(f"{PUBLIC}/reset-password?token=")
    assert len(token) == 43
    with database.as_system() as session:
        assert token.encode() not in session.scalars(select(PasswordReset.token_hash)).one()

    answer = client.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/reset-password")
    assert answer.headers["referrer-policy"] == "no-referrer"
    page = client.get("/reset-password")
    assert token not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    data = {"csrf_token": token_of(page.text), "new_password": "analyst123456"}
    assert client.post("/reset-password", data=data).status_code == 422
    data["new_password"] = NEW
    assert client.post("/reset-password", data=data).headers["location"] == "/sign-in?changed=true"
    assert client.get("/", headers={"Cookie": f"sentrikat_session={other}"}).status_code == 303

    client.get(link)
    assert client.get("/reset-password").status_code == 410
    assert sign_in(client, "analyst", NEW) == 303
    assert "sentrikat_session" in client.cookies


def test_nobody_learns_from_the_form_who_has_an_account(
    client: TestClient, database: Database, clock: FrozenClock, box: Mailbox
) -> None:
    def jobs() -> int:
        with database.engine.connect() as owner:
            return int(owner.scalar(text("select count(*) from procrastinate_jobs")) or 0)

    answers, queued = [], []
    for login in ("analyst", "analyst@acme.example", "nobody", "viewer", "nobody@acme.example"):
        before = jobs()
        answers.append(ask(client, login))
        queued.append(jobs() - before)

    assert len(set(answers)) == 1
    assert queued == [1] * 5
    work(database, box, clock)
    assert [mail["To"] for mail in box.mails] == ["analyst@acme.example"] * 2


@pytest.mark.parametrize("end", ["expired", "password changed", "newer link used", "disabled", "directory's"])
def test_a_link_that_is_no_longer_good_changes_nothing(
    client: TestClient, database: Database, clock: FrozenClock, box: Mailbox, analyst: int, end: str
) -> None:
    ask(client, "analyst")
    work(database, box, clock)
    client.get(link_in(box))
    page = client.get("/reset-password").text
    with database.as_system() as session:
        user = session.get_one(UserAccount, analyst)
        before = user.password_hash
        match end:
            case "expired":
                clock.advance(timedelta(minutes=30))
            case "password changed":
                user.password_hash = before = f"{before}x"
            case "newer link used":
                session.execute(delete(PasswordReset))
            case "disabled":
                user.disabled_at = clock.now()
            case _:
                user.password_hash = None
    answer = client.post("/reset-password", data={"csrf_token": token_of(page), "new_password": NEW})

    assert answer.status_code == 410
    with database.as_system() as session:
        user = session.get_one(UserAccount, analyst)
        assert user.password_hash == (None if end == "directory's" else before)
        user.password_hash = before


@pytest.mark.parametrize("token", ["\u2603", "a;b", "\x7f", "x" * 201])
def test_a_link_that_was_never_ours_is_no_longer_good_either(client: TestClient, token: str) -> None:
    answer = client.get("/reset-password", params={"token": token})

    assert answer.status_code == 303
    assert client.get("/reset-password").status_code == 410


def test_of_two_who_use_a_link_at_once_one_succeeds(
    client: TestClient, database: Database, clock: FrozenClock, box: Mailbox
) -> None:
    ask(client, "analyst")
    work(database, box, clock)
    token = link_in(box).partition("token=")[2]
    settings = settings_for(box)
    with database.as_system() as first:
        done = password_reset.redeem(
            first, token, settings, new_password_hash="$2b$12$one", address=None, now=clock.now()
        )
    with database.as_system() as second:
        again = password_reset.redeem(
            second, token, settings, new_password_hash="$2b$12$two", address=None, now=clock.now()
        )

    assert (done, again) == (True, False)


def test_the_link_names_the_host_of_the_settings_whatever_the_request_says(
    client: TestClient, database: Database, clock: FrozenClock, box: Mailbox
) -> None:
    ask(client, "analyst", **{"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"})
    work(database, box, clock)

    assert "evil" not in box.mails[-1].as_string()


@pytest.mark.parametrize("missing", [{"public_url": None}, {"smtp_host": None}])
def test_without_mail_or_a_public_address_it_is_not_offered(
    database: Database, clock: FrozenClock, box: Mailbox, missing: dict[str, None]
) -> None:
    app = create_app(settings_for(box, **missing), database.url, clock=clock)
    with TestClient(app, base_url=PUBLIC, follow_redirects=False) as plain:
        assert plain.get("/forgot-password").status_code == 404
        assert "forgot-password" not in plain.get("/sign-in").text
    with database.as_system() as session:
        password_reset.request(session, "analyst", None, clock.now())
    work(database, box, clock, **missing)
    assert box.mails == []


def test_where_only_emergency_accounts_sign_in_here_only_they_get_links(
    client: TestClient, database: Database, clock: FrozenClock, box: Mailbox
) -> None:
    ask(client, "analyst")
    work(database, box, clock, local_sign_in="break_glass_only")
    assert box.mails == []

    with database.as_system() as session:
        accounts.get_account(session, "analyst").break_glass = True
    ask(client, "analyst")
    work(database, box, clock, local_sign_in="break_glass_only")
    assert len(box.mails) == 1


def test_asking_is_throttled(client: TestClient) -> None:
    statuses = [ask(client, "somebody")[0] for _ in range(11)]

    assert statuses == [200] * 10 + [429]
