"""From a proven person to an open session: the one way in, whoever vouched for them.

    finish(session, user, proven, ...)    may they enter? what is still asked? open
    resume(session, token)                the sign-in that was left half open
    claim(session, half_open)             take it, answer what was asked, and `finish` again

What is still asked is kept on the server, under a cookie of its own, for ten minutes: a browser that holds
it is not signed in.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity import throttle, web_sessions
from sentrikat.identity.models import HalfOpenSignIn, UserAccount
from sentrikat.identity.queries import organizations_of
from sentrikat.identity.web_sessions import Opened, SessionLimits, printable, token_hash
from sentrikat.infra.settings import Settings

HALF_OPEN_FOR = timedelta(minutes=10)  # time to find the phone and scan a code


class SignInMethod(StrEnum):
    """How somebody proved who they are."""

    PASSWORD = "password"  # noqa: S105 - a local one, checked here
    LDAP = "ldap"
    SAML = "saml"


class Step(StrEnum):
    """What is still asked of a person who has proven who they are."""

    NEW_PASSWORD = "new_password"  # noqa: S105 - somebody else has seen the present one


class Reason(StrEnum):
    """Why a sign-in was refused, as far as the person may know."""

    WRONG = "wrong"  # no such account, wrong password, or disabled: the answer is the same
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class SignInRules:
    """What the installation asks of whoever signs in."""

    limits: SessionLimits


@dataclass(frozen=True, slots=True)
class Proven:
    """Who somebody is, and who says so: `provider_id` is None for a local password."""

    user_id: int
    method: SignInMethod
    provider_id: int | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a sign-in comes from, and which page it was on its way to."""

    address: str | None
    user_agent: str | None = None
    next_path: str = "/"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody was signed in."""

    reason: Reason
    retry_after: timedelta = timedelta(0)
    unanswered: bool = False

    @property
    def sentence(self) -> str:
        """Say it to the person."""
        if self.reason is Reason.WRONG:
            also = (
                " A directory did not answer; if yours is there, try again later." if self.unanswered else ""
            )
            return f"The login name or the password is not right.{also}"
        minutes = max(1, -(-int(self.retry_after.total_seconds()) // 60))
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        return f"Too many attempts failed. Try again in {span}."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session was opened."""

    user_id: int
    session: Opened
    next_path: str = "/"


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Nobody is signed in yet: `step` is asked first. `token` goes into a cookie of its own."""

    user_id: int
    step: Step
    token: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A sign-in that was left half open, found again by its cookie."""

    id: int
    user: UserAccount
    proven: Proven
    arrival: Arrival
    step: Step
    csrf_token: str


def rules_of(settings: Settings) -> SignInRules:
    """Read from the settings what is asked."""
    return SignInRules(
        SessionLimits(
            timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_lifetime_hours)
        )
    )


def finish(
    session: Session,
    user: UserAccount,
    proven: Proven,
    rules: SignInRules,
    arrival: Arrival,
    *,
    now: datetime,
) -> SignedIn | HalfOpen | Refused:
    """Open a session for a proven person, or say what is asked first."""
    if user.disabled_at is not None:
        log_refusal(session, user.login, arrival, now)
        return Refused(Reason.WRONG)
    step = _asked(user, proven)
    if step is None:
        return _open(session, user, proven, rules, arrival, now)
    token = secrets.token_urlsafe(32)
    session.execute(
        insert(HalfOpenSignIn).values(
            token_hash=token_hash(token),
            user_id=user.id,
            method=proven.method.value,
            provider_id=proven.provider_id,
            csrf_secret=secrets.token_bytes(32),
            created_at=now,
            expires_at=now + HALF_OPEN_FOR,
            address=arrival.address,
            user_agent=printable(arrival.user_agent),
            next_path=arrival.next_path,
        )
    )
    return HalfOpen(user.id, step, token)


def resume(session: Session, token: str | None, now: datetime) -> Resumed | None:
    """Give the half-open sign-in of a cookie, or None when it ended or its user was disabled."""
    if not token or len(token) > 200:
        return None
    row = session.execute(
        select(HalfOpenSignIn, UserAccount)
        .join(UserAccount, UserAccount.id == HalfOpenSignIn.user_id)
        .where(
            HalfOpenSignIn.token_hash == token_hash(token),
            HalfOpenSignIn.expires_at > now,
            UserAccount.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    held, user = row
    proven = Proven(user.id, SignInMethod(held.method), held.provider_id)
    step = _asked(user, proven)
    if step is None:
        return None  # answered elsewhere: signing in again opens the session
    return Resumed(
        id=held.id,
        user=user,
        proven=proven,
        arrival=Arrival(held.address, held.user_agent, held.next_path),
        step=step,
        csrf_token=base64.urlsafe_b64encode(held.csrf_secret).decode().rstrip("="),
    )


def is_form_of(resumed: Resumed, given: str | None) -> bool:
    """Say whether a form carries the token of the half-open sign-in."""
    return given is not None and hmac.compare_digest(given.encode(), resumed.csrf_token.encode())


def claim(session: Session, resumed: Resumed) -> bool:
    """Take a half-open sign-in out, to answer its question and `finish`; False when another request was first."""
    gone = session.scalar(
        delete(HalfOpenSignIn).where(HalfOpenSignIn.id == resumed.id).returning(HalfOpenSignIn.id)
    )
    return gone is not None


def log_refusal(session: Session, login: str, arrival: Arrival, now: datetime) -> None:
    """Enter a refused sign-in into the installation's log."""
    record(
        session,
        Caller(0, "visitor", frozenset(), arrival.address),
        "sign_in.refused",
        f"login:{login[:100]}",
        now=now,
    )


def _asked(user: UserAccount, proven: Proven) -> Step | None:
    if user.must_change_password and proven.method is SignInMethod.PASSWORD:
        return Step.NEW_PASSWORD
    return None


def _open(
    session: Session, user: UserAccount, proven: Proven, rules: SignInRules, arrival: Arrival, now: datetime
) -> SignedIn:
    # People sign in often enough to sweep out what has ended.
    throttle.purge(session, now)
    web_sessions.purge(session, rules.limits, now)
    session.execute(delete(HalfOpenSignIn).where(HalfOpenSignIn.expires_at <= now))
    organizations = organizations_of(session, user.id, installation_admin=user.installation_admin)
    opened = web_sessions.open_session(
        session,
        user,
        organizations[0].id if organizations else None,
        rules.limits,
        now=now,
        address=arrival.address,
        user_agent=arrival.user_agent,
        method=proven.method.value,
        provider_id=proven.provider_id,
    )
    session.execute(update(UserAccount).where(UserAccount.id == user.id).values(last_sign_in_at=now))
    record(
        session,
        Caller(0, f"user:{user.id}", frozenset(), arrival.address),
        "sign_in",
        f"user:{user.id}",
        {"login": user.login, "method": proven.method.value},
        now=now,
    )
    return SignedIn(user.id, opened, arrival.next_path)
