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
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity import notices, second_factor, throttle, web_sessions
from sentrikat.identity.models import TOTP_PURPOSE, HalfOpenSignIn, UserAccount
from sentrikat.identity.queries import is_administrator_somewhere, organizations_of
from sentrikat.identity.second_factor import Factor
from sentrikat.identity.throttle import Blocked
from sentrikat.identity.web_sessions import Opened, SessionLimits, printable, token_hash
from sentrikat.infra.encryption import Vault
from sentrikat.infra.settings import Settings

HALF_OPEN_FOR = timedelta(minutes=10)  # time to find the phone and scan a code


# A password that somebody else has seen: time for a note to reach its owner (ASVS 2.3.1).
FIRST_PASSWORD_FOR = timedelta(days=7)


class SignInMethod(StrEnum):
    """How somebody proved who they are."""

    PASSWORD = "password"  # noqa: S105 - a local one, checked here
    LDAP = "ldap"
    SAML = "saml"


class Step(StrEnum):
    """What is still asked of a person who has proven who they are, in this order."""

    SECOND_FACTOR = "second_factor"
    ENROLLMENT = "enrollment"  # the installation asks for a second factor, and there is none yet
    NEW_PASSWORD = "new_password"  # noqa: S105 - somebody else has seen the present one


class Reason(StrEnum):
    """Why a sign-in was refused, as far as the person may know."""

    WRONG = "wrong"  # no such account, wrong password, or disabled: the answer is the same
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class SignInRules:
    """What the installation asks of whoever signs in."""

    limits: SessionLimits
    second_factor: Literal["off", "optional", "administrators", "everybody"] = "optional"
    local_sign_in: Literal["everybody", "break_glass_only"] = "everybody"

    def demands_factor(self, method: SignInMethod, *, break_glass: bool, administers: bool) -> bool:
        """Say whether an account must have a second factor; `administers`: the installation or an organization.

        A SAML provider asks for its own. An account for emergencies must open when a phone is what is missing.
        """
        if method is SignInMethod.SAML or break_glass:
            return False
        if self.second_factor == "administrators":
            return administers
        return self.second_factor == "everybody"


@dataclass(frozen=True, slots=True)
class Proven:
    """Who somebody is, and who says so: `provider_id` is None for a local password."""

    user_id: int
    method: SignInMethod
    provider_id: int | None = None
    factor: Factor | None = None

    def having(self, factor: Factor | None) -> Proven:
        """Give the same person with the second factor that they gave besides."""
        return self if factor is None else replace(self, factor=factor)


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
        return Blocked(self.retry_after).sentence


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


def keep(session: Session, user_id: int) -> UserAccount | None:
    """Give an account as it is now, and keep it so until the transaction ends; None when there is none.

    Whoever opens a session holds the account first. Else a password that is changed, or an account that is disabled,
    in the same moment would end every session but the one that was being opened with the old one.
    """
    return session.get(UserAccount, user_id, with_for_update={"key_share": True})


def rules_of(settings: Settings) -> SignInRules:
    """Read from the settings what is asked."""
    return SignInRules(
        SessionLimits(
            timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_lifetime_hours)
        ),
        second_factor=settings.second_factor_of,
        local_sign_in=settings.local_sign_in,
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
    closed = proven.method is SignInMethod.PASSWORD and rules.local_sign_in == "break_glass_only"
    seen = proven.method is SignInMethod.PASSWORD and user.must_change_password
    run_out = seen and now - user.password_changed_at > FIRST_PASSWORD_FOR
    if user.disabled_at is not None or (closed and not user.break_glass) or run_out:
        log_refusal(session, user.login, arrival, now)
        return Refused(Reason.WRONG)
    step = _asked(session, user, proven, rules)
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
            factor=proven.factor,
        )
    )
    return HalfOpen(user.id, step, token)


def resume(session: Session, token: str | None, rules: SignInRules, now: datetime) -> Resumed | None:
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
    factor = Factor(held.factor) if held.factor is not None else None
    proven = Proven(user.id, SignInMethod(held.method), held.provider_id, factor)
    step = _asked(session, user, proven, rules)
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


def pending_seed(session: Session, resumed: Resumed, vault: Vault) -> str:
    """Give the seed that this browser is shown to set up a second factor; made at the first look.

    It belongs to this sign-in alone: one that somebody else was shown before is never confirmed.
    """
    held = session.scalar(
        select(HalfOpenSignIn.pending_secret).where(HalfOpenSignIn.id == resumed.id).with_for_update()
    )
    if held is not None:
        return vault.decrypt(held, purpose=TOTP_PURPOSE)
    seed = second_factor.new_seed()
    session.execute(
        update(HalfOpenSignIn)
        .where(HalfOpenSignIn.id == resumed.id)
        .values(pending_secret=vault.encrypt(seed, purpose=TOTP_PURPOSE))
    )
    return seed


def log_refusal(session: Session, login: str, arrival: Arrival, now: datetime) -> None:
    """Enter a refused sign-in into the installation's log."""
    record(
        session,
        Caller(0, "visitor", frozenset(), arrival.address),
        "sign_in.refused",
        f"login:{login[:100]}",
        now=now,
    )


def _asked(session: Session, user: UserAccount, proven: Proven, rules: SignInRules) -> Step | None:
    if proven.factor is None:
        if second_factor.is_set_up(session, user.id):
            return Step.SECOND_FACTOR
        administers = user.installation_admin or is_administrator_somewhere(session, user.id)
        if rules.demands_factor(proven.method, break_glass=user.break_glass, administers=administers):
            return Step.ENROLLMENT
    if user.must_change_password and proven.method is SignInMethod.PASSWORD:
        return Step.NEW_PASSWORD
    return None


def _open(
    session: Session, user: UserAccount, proven: Proven, rules: SignInRules, arrival: Arrival, now: datetime
) -> SignedIn:
    # People sign in often enough to sweep out what has ended.
    throttle.purge(session, now)
    notices.purge(session, now)
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
        factor=proven.factor,
    )
    session.execute(update(UserAccount).where(UserAccount.id == user.id).values(last_sign_in_at=now))
    record(
        session,
        Caller(0, f"user:{user.id}", frozenset(), arrival.address),
        "sign_in",
        f"user:{user.id}",
        {"login": user.login, "method": proven.method.value, "factor": proven.factor},
        now=now,
    )
    if user.break_glass and proven.method is SignInMethod.PASSWORD:
        notices.tell(session, notices.Kind.BREAK_GLASS, user.login, arrival.address, once_in=None, now=now)
    return SignedIn(user.id, opened, arrival.next_path)
