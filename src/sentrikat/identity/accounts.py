"""Accounts of people. They belong to the installation; organizations have members (members.py)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, MemberRole, Permission
from sentrikat.identity import members, owner_mail, passwords, throttle, web_sessions
from sentrikat.identity.models import UserAccount
from sentrikat.identity.one_line import one_line
from sentrikat.identity.owner_mail import Change
from sentrikat.infra.database.locks import advisory_lock
from sentrikat.infra.mail import is_address

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_ERASED = re.compile(r"erased-[0-9]+")
FIRST_LOGIN = "admin"


def create_account(
    session: Session,
    caller: Caller,
    *,
    login: str,
    display_name: str,
    password: str,
    installation_admin: bool = False,
    must_change_password: bool = False,
    now: datetime,
) -> UserAccount:
    """Add a person; where they may do what is said by `set_role`.

    Whoever gives a password that they have seen themselves says `must_change_password`.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    login = normal_login(login)
    if not is_login(login):
        raise InvalidInput(
            f"The account was not created: “{login}” cannot be a login name.",
            hint="Use letters, digits and . _ @ + -, at most 100.",
            fields={"login": "Use letters, digits and . _ @ + -, at most 100."},
        )
    display_name = normal_display_name(display_name) or login
    advisory_lock(session, f"login:{login}")  # of two who choose it at once, the second is told
    if session.scalar(select(UserAccount.id).where(UserAccount.login == login)) is not None:
        raise Conflict(
            f"The account was not created: the login name “{login}” is taken.",
            hint="Choose another one, or reset that account's password.",
            fields={"login": "This login name is taken."},
        )
    user = UserAccount(
        login=login,
        display_name=display_name,
        password_hash=passwords.hash_password(password),
        password_changed_at=now,
        must_change_password=must_change_password,
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
        must_change_password=True,  # it was printed, and may stand in a log
        now=now,
    )
    return password


def set_role(
    session: Session,
    caller: Caller,
    user: UserAccount,
    organization_id: int,
    role: MemberRole,
    *,
    now: datetime,
) -> None:
    """Make a person a member of an organization, or change what they are there."""
    caller.require(Permission.MEMBERS_MANAGE)
    _require_person(user, "made a member")
    if organization_id != caller.organization_id:
        # Whoever administers one organization is nobody in another.
        caller.require(Permission.INSTALLATION_MANAGE)
    members.put_role(
        session,
        replace(caller, organization_id=organization_id),
        user_id=user.id,
        login=user.login,
        role=role,
        now=now,
    )


def change_password(
    session: Session,
    caller: Caller,
    user: UserAccount,
    *,
    new_password_hash: str,
    but_session: int | None,
    must_change: bool = False,
    now: datetime,
) -> None:
    """Store a new password and end every other session of the account.

    `must_change` when it was not the person who chose it: it then opens the door once, to choose another one.

    Takes the hash, not the password: hashing takes a quarter of a second, in which no transaction should
    wait. The door checks `password_rules.require_good` first.
    """
    session.execute(
        update(UserAccount)
        .where(UserAccount.id == user.id)
        .values(password_hash=new_password_hash, password_changed_at=now, must_change_password=must_change)
    )
    web_sessions.end_all(session, user.id, but=but_session)
    # Whoever had the password before guesses codes no longer; the owner need not wait for what they guessed.
    throttle.forget_factor(session, user.id, None)
    _record(session, caller, "account.password_changed", user, now)
    owner_mail.tell(session, Change.PASSWORD, user, caller, now)


def disable_account(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> None:
    """Shut a person out at once: no sign-in, every session ended."""
    caller.require(Permission.INSTALLATION_MANAGE)
    if caller.actor == f"user:{user.id}":
        raise Conflict(
            f"The account “{user.login}” was not disabled: it is your own.",
            hint="Another installation administrator can do it. Nothing was changed.",
        )
    if user.installation_admin:
        require_another_administrator(session, user, "disabled")
    if user.disabled_at is None:
        session.execute(update(UserAccount).where(UserAccount.id == user.id).values(disabled_at=now))
        web_sessions.end_all(session, user.id)
        _record(session, caller, "account.disabled", user, now)


def enable_account(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> None:
    """Let a disabled person sign in again, with the password and the roles they had."""
    caller.require(Permission.INSTALLATION_MANAGE)
    _require_person(user, "enabled")
    if user.disabled_at is not None:
        session.execute(update(UserAccount).where(UserAccount.id == user.id).values(disabled_at=None))
        _record(session, caller, "account.enabled", user, now)


def set_installation_admin(
    session: Session, caller: Caller, user: UserAccount, wanted: bool, *, now: datetime
) -> None:
    """Let a person run the installation, or no longer; counts from their next click."""
    caller.require(Permission.INSTALLATION_MANAGE)
    _require_person(user, "changed")
    if user.installation_admin == wanted:
        return
    if not wanted:
        require_another_administrator(session, user, "taken off the installation")
    session.execute(update(UserAccount).where(UserAccount.id == user.id).values(installation_admin=wanted))
    _record(session, caller, "account.installation_admin", user, now, installation_admin=wanted)


def require_resettable(caller: Caller, user: UserAccount) -> None:
    """Raise unless the caller may give the account a new password; a door asks before it hashes one."""
    caller.require(Permission.INSTALLATION_MANAGE)
    _require_person(user, "given a password")
    if caller.actor == f"user:{user.id}":
        raise Conflict(
            f"The password of “{user.login}” was not reset: it is your own account.",
            hint="Change it under Profile. Nothing was changed.",
        )
    if user.provider_id is not None:
        raise Conflict(
            f"The password of “{user.login}” was not reset: the account belongs to a directory or SAML provider.",
            hint="Change the password there. Nothing was changed.",
        )


def reset_password(
    session: Session, caller: Caller, user: UserAccount, *, new_password_hash: str, now: datetime
) -> None:
    """Store a password that somebody else has seen: every session ends, and it opens the door only once."""
    require_resettable(caller, user)
    change_password(
        session,
        caller,
        user,
        new_password_hash=new_password_hash,
        but_session=None,
        must_change=True,
        now=now,
    )


def end_sessions(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> None:
    """Sign a person out everywhere."""
    caller.require(Permission.INSTALLATION_MANAGE)
    web_sessions.end_all(session, user.id)
    _record(session, caller, "account.sessions_ended", user, now)


def set_break_glass(
    session: Session, caller: Caller, user: UserAccount, wanted: bool, *, now: datetime
) -> None:
    """Make a local account one for emergencies, or no longer."""
    caller.require(Permission.INSTALLATION_MANAGE)
    if wanted and user.password_hash is None:
        raise Conflict(
            f"The account “{user.login}” was not made an emergency account: it has no local password.",
            hint="Take an account made here; directories and providers are what may be missing. "
            "Nothing was changed.",
        )
    if user.break_glass != wanted:
        user.break_glass = wanted
        session.flush()
        _record(session, caller, "account.break_glass", user, now, break_glass=wanted)


def set_email(session: Session, caller: Caller, user: UserAccount, email: str, *, now: datetime) -> None:
    """Say where mails to an account go; empty for nowhere.

    Not for its owner: whoever holds a stolen session could have a new password mailed to themselves.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    _require_person(user, "changed")
    email = email.strip().casefold()
    if email and not is_address(email):
        raise InvalidInput(
            f"The mail address of “{user.login}” was not changed: “{email[:100]}” is none.",
            hint="Such as jane@example.org. Nothing was changed.",
            fields={"email": "This is no mail address."},
        )
    if user.email != (email or None):
        owner_mail.tell(session, Change.EMAIL, user, caller, now)  # to the address of before
        user.email = email or None
        session.flush()
        _record(session, caller, "account.email_changed", user, now)


def access_account(session: Session, caller: Caller, user_id: int, permission: Permission) -> UserAccount:
    """Give the account that a door names, to somebody who may see every one."""
    caller.require(permission)
    # Held when it is to be changed: who is made an administrator while being disabled must not count as one.
    changed = permission is Permission.INSTALLATION_MANAGE
    user = session.get(UserAccount, user_id, with_for_update={"key_share": True} if changed else None)
    if user is None:
        raise NotFound(f"There is no account {user_id}.", hint="The list of users names those there are.")
    return user


def get_account(session: Session, login: str) -> UserAccount:
    """Give the account of a login name."""
    user = session.scalar(select(UserAccount).where(UserAccount.login == normal_login(login)))
    if user is None:
        raise NotFound(f"There is no account “{login}”.", hint="List them with: sentrikat users list")
    return user


def normal_login(login: str) -> str:
    """Give the one spelling of a login name."""
    return login.strip().casefold()


def is_login(login: str) -> bool:
    """Say whether a normal login name is one that an account may have."""
    return _LOGIN.fullmatch(login) is not None and _ERASED.fullmatch(login) is None


def pseudonym_of(user_id: int) -> str:
    """Give the login name that an erased account has; nobody else can choose it."""
    return f"erased-{user_id}"


def is_erased(user: UserAccount) -> bool:
    """Say whether the person of an account was taken out of it (personal_data.py)."""
    return user.login == pseudonym_of(user.id)


def _require_person(user: UserAccount, undone: str) -> None:
    if is_erased(user):
        raise Conflict(
            f"The account “{user.login}” was not {undone}: its person was erased.",
            hint="Make a new account. Nothing was changed.",
            code="erased",
        )


def normal_display_name(name: str) -> str:
    """Give a name as others will read it: one line of printable characters, at most 200."""
    name = one_line(name)
    if len(name) > 200:
        raise InvalidInput(
            f"The account was not saved: its name has {len(name)} characters.",
            hint="Use at most 200. Nothing was changed.",
            fields={"display_name": "Use at most 200 characters."},
        )
    return name


def require_another_administrator(session: Session, user: UserAccount, done: str) -> None:
    """Raise Conflict when `user` is the last who runs the installation; the others wait until this is done."""
    # One at a time: two who take each other's rights away in the same moment would both find the other.
    advisory_lock(session, "installation administrators")
    query = select(UserAccount.id).where(
        UserAccount.installation_admin, UserAccount.disabled_at.is_(None), UserAccount.id != user.id
    )
    local = user.provider_id is None
    if local:
        # Those of a directory cannot sign in while it is down, and lose the right when their group does.
        # One that a removed provider left behind has no password until somebody gives it one.
        query = query.where(UserAccount.provider_id.is_(None), UserAccount.password_hash.is_not(None))
    if session.scalar(query.limit(1)) is None:
        last = "last installation administrator" + (" with a local password" if local else "")
        raise Conflict(
            f"The account “{user.login}” was not {done}: it is the {last}.",
            hint="Make another one first. Nothing was changed.",
        )


def _record(
    session: Session, caller: Caller, action: str, user: UserAccount, now: datetime, **detail: bool
) -> None:
    # Accounts belong to the installation, so their entries stand in its chain.
    installation = replace(caller, organization_id=0)
    record(session, installation, action, f"user:{user.id}", {"login": user.login, **detail}, now=now)
