"""Emergency accounts, closed local sign-in, and the mails that administrators get, by command and by real mail."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from sentrikat.cli import run
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity import accounts, notices
from sentrikat.identity.accounts import create_account
from sentrikat.identity.admission import (
    Arrival,
    Proven,
    Refused,
    SignedIn,
    SignInMethod,
    SignInRules,
    finish,
)
from sentrikat.identity.jobs import mail_notice
from sentrikat.identity.models import SecurityNotice, UserAccount
from sentrikat.identity.notices import Kind
from sentrikat.identity.web_sessions import SessionLimits
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.smtp_peer import PASSWORD, USER, Mailbox, mail_server

LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))


@pytest.fixture
def people(database: Database, clock: FrozenClock) -> dict[str, int]:
    """Two administrators, of whom one has a mail address, and an ordinary person who has one."""
    made = {}
    with database.as_system() as session:
        for login, email in (("root", "root@acme.example"), ("silent", None), ("jane", "jane@acme.example")):
            user = create_account(
                session,
                COMMAND_LINE,
                login=login,
                display_name=login,
                password="correct horse battery",
                installation_admin=login != "jane",
                now=clock.now(),
            )
            user.email = email
            made[login] = user.id
    return made


def settings_for(box: Mailbox, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": box.port,
        "smtp_user": USER,
        "smtp_password": SecretStr(PASSWORD),
        "smtp_from": "sentrikat@acme.example",
        "public_url": "https://kat.acme.example",
        "ca_file": box.ca_file,
        **changes,
    }
    return Settings(**values)


def tell(database: Database, clock: FrozenClock, login: str) -> int:
    with database.as_system() as session:
        assert notices.tell(session, Kind.LIMIT, login, "198.51.100.7", once_in=None, now=clock.now())
        return session.scalars(select(SecurityNotice.id).order_by(SecurityNotice.id.desc())).first() or 0


@pytest.mark.usefixtures("people")
def test_the_mail_about_a_directory_says_where_to_look(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with database.as_system() as session:
        notices.tell_outage(session, "Head office", now=clock.now())
        notice_id = session.scalars(select(SecurityNotice.id)).one()
    with mail_server(tmp_path) as box:
        mail_notice(database, settings_for(box), clock, notice_id=notice_id)

    (mail,) = box.mails
    assert mail["Subject"] == "SentriKat: a directory is out of order"
    body = mail.get_content()
    assert "The directory “Head office” is out of order" in body
    assert "\nSince 20" in body
    assert "https://kat.acme.example/identity-providers" in body


@pytest.mark.usefixtures("people")
def test_administrators_with_an_address_get_a_mail_and_nobody_else(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    known, unknown = tell(database, clock, "jane"), tell(database, clock, "nobody")
    with mail_server(tmp_path) as box:
        for notice_id in (known, unknown, 999):
            mail_notice(database, settings_for(box), clock, notice_id=notice_id)
        mail_notice(database, settings_for(box, smtp_host=None), clock, notice_id=known)

    (mail,) = box.mails
    assert mail["To"] == "root@acme.example"
    assert mail["Subject"] == "SentriKat: many failed sign-ins"
    body = mail.get_content()
    assert "“jane”" in body
    assert "198.51.100.7" in body
    assert "https://kat.acme.example/audit" in body


def test_a_notice_is_queued_for_the_worker(
    database: Database, clock: FrozenClock, people: dict[str, int]
) -> None:
    assert people
    notice_id = tell(database, clock, "jane")

    with database.engine.connect() as owner:
        query = text("select args from procrastinate_jobs where task_name = 'mail_notice'")
        assert list(owner.scalars(query)) == [{"notice_id": notice_id}]


@pytest.mark.parametrize(
    ("method", "break_glass", "expected"),
    [
        (SignInMethod.PASSWORD, False, Refused),
        (SignInMethod.PASSWORD, True, SignedIn),
        (SignInMethod.LDAP, False, SignedIn),
        (SignInMethod.SAML, False, SignedIn),
    ],
)
def test_closed_local_sign_in_leaves_directories_and_emergency_accounts(
    database: Database,
    clock: FrozenClock,
    people: dict[str, int],
    method: SignInMethod,
    break_glass: bool,
    expected: type,
) -> None:
    rules = SignInRules(LIMITS, local_sign_in="break_glass_only")
    with database.as_system() as session:
        user = session.get_one(UserAccount, people["jane"])
        user.break_glass = break_glass
        outcome = finish(session, user, Proven(user.id, method), rules, Arrival(None), now=clock.now())
        told = session.scalars(select(SecurityNotice.kind)).all()

    assert isinstance(outcome, expected)
    assert told == (["break_glass"] if break_glass else [])


def test_the_command_line_makes_emergency_accounts_and_says_where_mails_go(
    database: Database, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)
    with database.as_system() as session:
        session.get_one(UserAccount, people["silent"]).password_hash = None

    assert run(["users", "break-glass", "jane"]) == 0
    assert run(["users", "break-glass", "silent"]) != 0  # a directory knows its password
    assert run(["users", "set-email", "silent", "Silent@Acme.example"]) == 0
    assert run(["users", "set-email", "jane", "no address"]) != 0
    assert run(["users", "reset-second-factor", "jane"]) != 0  # there is none
    with database.as_system() as session:
        assert accounts.get_account(session, "jane").break_glass
        assert accounts.get_account(session, "jane").email == "jane@acme.example"
        assert accounts.get_account(session, "silent").email == "silent@acme.example"
    assert run(["users", "break-glass", "jane", "--off"]) == 0
    with database.as_system() as session:
        assert not accounts.get_account(session, "jane").break_glass
