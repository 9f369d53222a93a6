"""Accounts of people, and where they are members."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission, Role
from sentrikat.identity import passwords, web_sessions
from sentrikat.identity.models import Membership, UserAccount

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
FIRST_LOGIN = "admin"


def create_account(
    session: Session,
    caller: Caller,
    *,
    login: str,
    display_name: str,
    password: str,
    installation_admin: bool = False,
    now: datetime,
) -> UserAccount:
    """Add a person; where they may do what is said by `set_role`."""
    caller.require(Permission.INSTALLATION_MANAGE)
    login = normal_login(login)
    if not _LOGIN.fullmatch(login):
        raise InvalidInput(
            f"The account was not created: “{login}” cannot be a login name.",
            hint="Use letters, digits and . _ @ + -, at most 100.",
            fields={"login": "letters, digits and . _ @ + -"},
        )
    if session.scalar(select(UserAccount.id).where(UserAccount.login == login)) is not None:
        raise Conflict(
            f"The account was not created: the login name “{login}” is taken.",
            hint="Choose another one, or reset that account's password.",
            fields={"login": "taken"},
        )
    user = UserAccount(
        login=login,
        display_name=display_name.strip() or login,
        password_hash=passwords.hash_password(password),
        password_changed_at=now,
        installation_admin=installation_admin,
        created_at=now,
    )
    session.add(user)
    session.flush()
    _record(session, caller, "account.created", user, now, installation_admin=installation_admin)
    return user


def create_first_administrator(session: Session, *, now: datetime) -> str | None:
    """Make the account `admin` on an installation without accounts; give its password, known only now.

    None when there is an account already: a second start changes nothing.
    """
    if session.scalar(select(UserAccount.id).limit(1)) is not None:
        return None
    password = passwords.random_password()
    create_account(
        session,
        Caller(0, "system", frozenset({Permission.INSTALLATION_MANAGE})),
        login=FIRST_LOGIN,
        display_name="Administrator",
        password=password,
        installation_admin=True,
        now=now,
    )
    return password


def set_role(
    session: Session, caller: Caller, user: UserAccount, organization_id: int, role: Role, *, now: datetime
) -> None:
    """Make a person a member of an organization, or change what they are there."""
    caller.require(Permission.MEMBERS_MANAGE)
    session.execute(
        insert(Membership)
        .values(organization_id=organization_id, user_id=user.id, role=role.value, created_at=now)
        .on_conflict_do_update(
            index_elements=[Membership.organization_id, Membership.user_id], set_={"role": role.value}
        )
    )
    record(
        session,
        replace(caller, organization_id=organization_id),
        "membership.set",
        f"user:{user.id}",
        {"login": user.login, "role": role.value},
        now=now,
    )


def change_password(
    session: Session,
    caller: Caller,
    user: UserAccount,
    *,
    new_password_hash: str,
    but_session: int | None,
    now: datetime,
) -> None:
    """Store a new password and end every other session of the account.

    Takes the hash, not the password: hashing takes a quarter of a second, in which no transaction should
    wait. The door checks `passwords.require_good` first.
    """
    session.execute(
        update(UserAccount)
        .where(UserAccount.id == user.id)
        .values(password_hash=new_password_hash, password_changed_at=now)
    )
    web_sessions.end_all(session, user.id, but=but_session)
    _record(session, caller, "account.password_changed", user, now)


def disable_account(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> None:
    """Shut a person out at once: no sign-in, every session ended."""
    caller.require(Permission.INSTALLATION_MANAGE)
    if user.installation_admin:
        others = session.scalar(
            select(UserAccount.id)
            .where(
                UserAccount.installation_admin, UserAccount.disabled_at.is_(None), UserAccount.id != user.id
            )
            .limit(1)
        )
        if others is None:
            raise Conflict(
                f"The account “{user.login}” was not disabled: it is the last installation administrator.",
                hint="Make another one first.",
            )
    if user.disabled_at is None:
        session.execute(update(UserAccount).where(UserAccount.id == user.id).values(disabled_at=now))
        web_sessions.end_all(session, user.id)
        _record(session, caller, "account.disabled", user, now)


def get_account(session: Session, login: str) -> UserAccount:
    """Give the account of a login name."""
    user = session.scalar(select(UserAccount).where(UserAccount.login == normal_login(login)))
    if user is None:
        raise NotFound(f"There is no account “{login}”.", hint="List them with: sentrikat users list")
    return user


def normal_login(login: str) -> str:
    """Give the one spelling of a login name."""
    return login.strip().casefold()


def _record(
    session: Session, caller: Caller, action: str, user: UserAccount, now: datetime, **detail: bool
) -> None:
    # Accounts belong to the installation, so their entries stand in its chain.
    installation = replace(caller, organization_id=0)
    record(session, installation, action, f"user:{user.id}", {"login": user.login, **detail}, now=now)
