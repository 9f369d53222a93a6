"""Signed-in browsers: a random token in a cookie, only its hash in the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity.models import TOTP_PURPOSE, HalfOpenSignIn, UserAccount, WebSession
from sentrikat.infra.encryption import Vault

# Writing the last use on every click would make every page a write; a minute is exact enough.
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lives: since its last use, and in any case."""

    idle: timedelta
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Opened:
    """A session was opened; `token` goes into the cookie and is not known to us afterwards."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedInSession:
    """A valid session and whose it is."""

    id: int
    user_id: int
    login: str
    display_name: str
    installation_admin: bool
    organization_id: int | None
    csrf_token: str
    created_at: datetime
    previous_visit_at: datetime | None
    method: str
    provider_id: int | None
    authenticated_at: datetime
    factor: str | None  # the second one, if it was given in this session
    break_glass: bool


def open_session(
    session: Session,
    user: UserAccount,
    organization_id: int | None,
    limits: SessionLimits,
    *,
    now: datetime,
    address: str | None,
    user_agent: str | None,
    method: str = "password",
    provider_id: int | None = None,
    factor: str | None = None,
) -> Opened:
    """Open a session with a new token; a token that existed before sign-in is never taken over."""
    token = secrets.token_urlsafe(32)
    expires_at = now + limits.lifetime
    session.execute(
        insert(WebSession).values(
            token_hash=token_hash(token),
            user_id=user.id,
            organization_id=organization_id,
            csrf_secret=secrets.token_bytes(32),
            created_at=now,
            last_used_at=now,
            expires_at=expires_at,
            previous_visit_at=user.last_sign_in_at,
            address=address,
            user_agent=printable(user_agent),
            method=method,
            provider_id=provider_id,
            authenticated_at=now,
            factor=factor,
        )
    )
    return Opened(token, expires_at)


# Asked at every request: put together once, and columns instead of objects, which cost as much as the query.
_RESUMED = (
    select(
        WebSession.id,
        WebSession.user_id,
        UserAccount.login,
        UserAccount.display_name,
        UserAccount.installation_admin,
        WebSession.organization_id,
        WebSession.csrf_secret,
        WebSession.created_at,
        WebSession.last_used_at,
        WebSession.previous_visit_at,
        WebSession.method,
        WebSession.provider_id,
        WebSession.authenticated_at,
        WebSession.factor,
        UserAccount.break_glass,
    )
    .join(UserAccount, UserAccount.id == WebSession.user_id)
    .where(
        WebSession.token_hash == bindparam("token_hash"),
        WebSession.expires_at > bindparam("now"),
        WebSession.last_used_at > bindparam("used_after"),
        UserAccount.disabled_at.is_(None),
    )
)


def resume(session: Session, token: str, limits: SessionLimits, now: datetime) -> SignedInSession | None:
    """Give the session of a cookie, or None when it ended, timed out, or its user was disabled."""
    values = {"token_hash": token_hash(token), "now": now, "used_after": now - limits.idle}
    row = session.execute(_RESUMED, values).one_or_none()
    if row is None:
        return None
    if now - row.last_used_at > _USE_IS_NOTED_EVERY:
        session.execute(update(WebSession).where(WebSession.id == row.id).values(last_used_at=now))
    return SignedInSession(
        id=row.id,
        user_id=row.user_id,
        login=row.login,
        display_name=row.display_name,
        installation_admin=row.installation_admin,
        organization_id=row.organization_id,
        csrf_token=base64.urlsafe_b64encode(row.csrf_secret).decode().rstrip("="),
        created_at=row.created_at,
        previous_visit_at=row.previous_visit_at,
        method=row.method,
        provider_id=row.provider_id,
        authenticated_at=row.authenticated_at,
        factor=row.factor,
        break_glass=row.break_glass,
    )


def is_csrf_token(signed_in: SignedInSession, given: str | None) -> bool:
    """Say whether a form or a header carries the session's token."""
    return given is not None and hmac.compare_digest(given.encode(), signed_in.csrf_token.encode())


def confirm(session: Session, session_id: int, now: datetime, *, factor: str | None = None) -> str:
    """Note that the person has just proven again who they are; give the session's new token.

    From here on more may be done with it, so a token that was seen before is worth nothing.
    """
    token = secrets.token_urlsafe(32)
    values: dict[str, object] = {"token_hash": token_hash(token), "authenticated_at": now}
    if factor is not None:
        values["factor"] = factor
    session.execute(update(WebSession).where(WebSession.id == session_id).values(values))
    return token


def rotate(session: Session, session_id: int) -> str:
    """Give the session a new token: after a change of what its owner signs in with."""
    token = secrets.token_urlsafe(32)
    session.execute(
        update(WebSession).where(WebSession.id == session_id).values(token_hash=token_hash(token))
    )
    return token


def note_factor(session: Session, session_id: int, factor: str | None) -> None:
    """Note the second factor that was set up in this session, or that there is none any more."""
    session.execute(update(WebSession).where(WebSession.id == session_id).values(factor=factor))


def pending_seed(session: Session, session_id: int, vault: Vault) -> str | None:
    """Give the seed of a second factor that this browser is shown, if it has begun to set one up."""
    held = session.scalar(select(WebSession.pending_secret).where(WebSession.id == session_id))
    return None if held is None else vault.decrypt(held, purpose=TOTP_PURPOSE)


def keep_seed(session: Session, session_id: int, vault: Vault, seed: str | None) -> None:
    """Keep the seed that this browser is shown; it belongs to no other one."""
    kept = None if seed is None else vault.encrypt(seed, purpose=TOTP_PURPOSE)
    session.execute(update(WebSession).where(WebSession.id == session_id).values(pending_secret=kept))


def look_at(session: Session, session_id: int, organization_id: int) -> None:
    """Make `organization_id` the one that the session looks at."""
    session.execute(
        update(WebSession).where(WebSession.id == session_id).values(organization_id=organization_id)
    )


def end(session: Session, token: str) -> None:
    """End the session of a cookie, if there is one."""
    session.execute(delete(WebSession).where(WebSession.token_hash == token_hash(token)))


def end_all(
    session: Session, user_id: int, *, but: int | None = None, but_half_open: int | None = None
) -> None:
    """End every session of a user, or every other one, and what was left half open."""
    half_open = delete(HalfOpenSignIn).where(HalfOpenSignIn.user_id == user_id)
    session.execute(
        half_open if but_half_open is None else half_open.where(HalfOpenSignIn.id != but_half_open)
    )
    query = delete(WebSession).where(WebSession.user_id == user_id)
    session.execute(query if but is None else query.where(WebSession.id != but))


def end_others(session: Session, caller: Caller, own: SignedInSession, *, now: datetime) -> None:
    """End every session of a person but the one they are asking from."""
    end_all(session, own.user_id, but=own.id)
    record(
        session,
        replace(caller, organization_id=0),
        "account.sessions_ended",
        caller.actor,
        {"login": own.login},
        now=now,
    )


def end_one(session: Session, user_id: int, session_id: int) -> bool:
    """End one session of a user; say whether there was one."""
    query = delete(WebSession).where(WebSession.user_id == user_id, WebSession.id == session_id)
    return session.scalar(query.returning(WebSession.id)) is not None


def purge(session: Session, limits: SessionLimits, now: datetime) -> int:
    """Delete sessions that timed out; give how many."""
    timed_out = (WebSession.expires_at <= now) | (WebSession.last_used_at <= now - limits.idle)
    return len(session.scalars(delete(WebSession).where(timed_out).returning(WebSession.id)).all())


def token_hash(token: str) -> bytes:
    """Give what is stored of a token. It has 256 random bits, so a plain hash cannot be reversed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def printable(text: str | None) -> str | None:
    """Give what is kept of a browser's own name."""
    return None if text is None else "".join(c for c in text[:300] if c.isprintable())
