"""Sign-in with a local password, in three steps.

    begin(session)      count the attempt, read the hash        short transaction
    check(attempt)      bcrypt, a quarter of a second           no transaction waits for it
    complete(session)   open a session, or log the refusal      short transaction

The answers are values: a wrong password is no exception.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity import passwords, throttle, web_sessions
from sentrikat.identity.accounts import normal_login
from sentrikat.identity.models import UserAccount
from sentrikat.identity.queries import organizations_of
from sentrikat.identity.web_sessions import Opened, SessionLimits


class Reason(StrEnum):
    """Why a sign-in was refused, as far as the person may know."""

    WRONG = "wrong"  # no such account, wrong password, or disabled: the answer is the same
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody was signed in."""

    reason: Reason
    retry_after: timedelta = timedelta(0)

    @property
    def sentence(self) -> str:
        """Say it to the person."""
        if self.reason is Reason.WRONG:
            return "The login name or the password is not right."
        minutes = max(1, -(-int(self.retry_after.total_seconds()) // 60))
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        return f"Too many attempts failed. Try again in {span}."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session was opened."""

    user_id: int
    session: Opened


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted attempt whose password is still to be checked."""

    login: str
    address: str | None
    password_hash: str | None
    right: bool = False


def begin(session: Session, login: str, address: str | None, now: datetime) -> Attempt | Refused:
    """Count an attempt and look up the account, which may not exist."""
    login = normal_login(login)
    if blocked := throttle.count_attempt(session, login, address, now):
        return Refused(Reason.THROTTLED, blocked.retry_after)
    password_hash = session.scalar(
        select(UserAccount.password_hash).where(UserAccount.login == login, UserAccount.disabled_at.is_(None))
    )
    return Attempt(login, address, password_hash)


def check(attempt: Attempt, password: str) -> Attempt:
    """Check the password; as slow for an unknown account as for a known one."""
    return replace(attempt, right=passwords.is_right(password, attempt.password_hash))


def complete(
    session: Session, attempt: Attempt, limits: SessionLimits, *, now: datetime, user_agent: str | None
) -> SignedIn | Refused:
    """Open a session after the right password; log either way."""
    user = session.scalar(
        select(UserAccount).where(UserAccount.login == attempt.login, UserAccount.disabled_at.is_(None))
    )
    # The hash must still be the one that was checked: the password may have been changed meanwhile.
    if not attempt.right or user is None or user.password_hash != attempt.password_hash:
        record(
            session,
            Caller(0, "visitor", frozenset(), attempt.address),
            "sign_in.refused",
            f"login:{attempt.login[:100]}",
            now=now,
        )
        return Refused(Reason.WRONG)
    throttle.forget(session, attempt.login, attempt.address)
    # People sign in often enough to sweep out what has ended.
    throttle.purge(session, now)
    web_sessions.purge(session, limits, now)
    organizations = organizations_of(session, user.id, installation_admin=user.installation_admin)
    opened = web_sessions.open_session(
        session,
        user,
        organizations[0].id if organizations else None,
        limits,
        now=now,
        address=attempt.address,
        user_agent=user_agent,
    )
    session.execute(update(UserAccount).where(UserAccount.id == user.id).values(last_sign_in_at=now))
    record(
        session,
        Caller(0, f"user:{user.id}", frozenset(), attempt.address),
        "sign_in",
        f"user:{user.id}",
        {"login": user.login},
        now=now,
    )
    return SignedIn(user.id, opened)
