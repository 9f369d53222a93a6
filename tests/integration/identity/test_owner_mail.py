"""Whoever owns an account is told when what they sign in with was changed, by whom, and with no secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.permissions import COMMAND_LINE, Caller
from sentrikat.identity import accounts, second_factor
from sentrikat.identity.models import UserAccount
from sentrikat.identity.owner_mail import mail_owner
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import open_vault
from sentrikat.infra.settings import Settings
from tests.smtp_peer import PASSWORD, USER, Mailbox, mail_server


def made(
    database: Database, clock: FrozenClock, login: str = "jane", email: str | None = "jane@acme.example"
) -> int:
    with database.as_system() as session:
        user = accounts.create_account(
            session,
            COMMAND_LINE,
            login=login,
            display_name="Jane",
            password="correct horse battery",
            now=clock.now(),
        )
        user.email = email
        return user.id


def waiting_in(database: Database) -> list[dict[str, Any]]:
    with database.engine.begin() as owner:
        query = "delete from procrastinate_jobs where task_name = 'mail_owner' returning args"
        return list(owner.scalars(text(query)))


def settings_for(box: Mailbox) -> Settings:
    return Settings(
        smtp_host="127.0.0.1",
        smtp_port=box.port,
        smtp_user=USER,
        smtp_password=SecretStr(PASSWORD),
        smtp_from="sentrikat@acme.example",
        ca_file=box.ca_file,
    )


def own(user: UserAccount) -> Caller:
    return Caller(0, f"user:{user.id}", frozenset(), "192.0.2.7")


def change_own_password(session: Session, user: UserAccount, clock: FrozenClock) -> None:
    accounts.change_password(
        session, own(user), user, new_password_hash="$2b$", but_session=None, now=clock.now()
    )


def reset_password(session: Session, user: UserAccount, clock: FrozenClock) -> None:
    accounts.reset_password(session, COMMAND_LINE, user, new_password_hash="$2b$", now=clock.now())


def change_address(session: Session, user: UserAccount, clock: FrozenClock) -> None:
    accounts.set_email(session, COMMAND_LINE, user, "other@acme.example", now=clock.now())


def set_factor_up(session: Session, user: UserAccount, clock: FrozenClock) -> None:
    seed = second_factor.new_seed()
    code = pyotp.TOTP(seed).at(clock.now())
    vault = open_vault(Settings())
    assert second_factor.set_up(
        session, own(user), vault, user, seed=seed, code=code, but_session=None, now=clock.now()
    )


def remove_factor(session: Session, user: UserAccount, clock: FrozenClock) -> None:
    set_factor_up(session, user, clock)
    assert second_factor.remove(session, own(user), user, but_session=None, now=clock.now())


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of this test alone."""
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("do", "told", "by"),
    [
        (
            change_own_password,
            "The password of your account “jane” was changed.",
            "Somebody signed in as you",
        ),
        (reset_password, "The password of your account “jane” was changed.", "An administrator, or a link"),
        (change_address, "go to another address", "An administrator"),  # told at the address of before
        (set_factor_up, "A second factor was set up", "Somebody signed in as you"),
        (remove_factor, "was removed", "Somebody signed in as you"),
    ],
)
def test_the_owner_is_told_by_mail(
    database: Database,
    clock: FrozenClock,
    tmp_path: Path,
    do: Callable[[Session, UserAccount, FrozenClock], None],
    told: str,
    by: str,
) -> None:
    jane = made(database, clock)
    with database.as_system() as session:
        do(session, session.get_one(UserAccount, jane), clock)
    with mail_server(tmp_path) as box:
        for what in waiting_in(database):
            mail_owner(settings_for(box), clock, **what)

    mail = box.mails[-1]
    assert mail["To"] == "jane@acme.example"
    assert told in mail.get_content()
    assert by in mail.get_content()
    assert (
        "http" not in mail.get_content()
    )  # people who learn to follow links in such mails are led elsewhere


def test_an_account_without_an_address_and_a_change_that_failed_tell_nobody(
    database: Database, clock: FrozenClock
) -> None:
    silent, jane = made(database, clock, "silent", None), made(database, clock)
    with database.as_system() as session:
        change_own_password(session, session.get_one(UserAccount, silent), clock)
    with pytest.raises(ZeroDivisionError), database.as_system() as session:
        change_own_password(session, session.get_one(UserAccount, jane), clock)
        raise ZeroDivisionError

    assert waiting_in(database) == []


def test_without_a_mail_server_nothing_is_tried(database: Database, clock: FrozenClock) -> None:
    jane = made(database, clock)
    with database.as_system() as session:
        change_own_password(session, session.get_one(UserAccount, jane), clock)
    (what,) = waiting_in(database)

    mail_owner(Settings(), clock, **what)
