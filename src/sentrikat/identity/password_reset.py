"""A new password by mail: a link that works once, for half an hour, for local accounts with a mail address.

    request(session, text)              queue the search; the same for a name that nobody has
    mail_links(database, ..., text)     the worker: find accounts, make tokens, send
    redeem(session, token, ...)         take the token and store the new password

The page that asks answers the same for everybody, and so long: what differs happens in the worker. A token is
bound to the password it replaces, so a password that was changed meanwhile voids it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity import accounts
from sentrikat.identity.accounts import normal_login
from sentrikat.identity.admission import keep
from sentrikat.identity.models import PasswordReset, UserAccount
from sentrikat.identity.web_sessions import token_hash
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.jobs import enqueue
from sentrikat.infra.mail import Message, can_send, is_address, send
from sentrikat.infra.settings import Settings

VALID_FOR = timedelta(minutes=30)
MAIL_JOB = "mail_password_reset"
_ACCOUNTS = 5  # that share one mail address; more are no family


def is_offered(settings: Settings) -> bool:
    """Say whether links can be sent: there is a mail server, and we know our own address without asking anybody.

    A request's Host header is the sender's word; a link made of it would carry the token to them.
    """
    return can_send(settings) and settings.public_url is not None


def request(session: Session, text: str, address: str | None, now: datetime) -> None:
    """Ask for links to every account that goes by a login name or mail address."""
    text = normal_login(text)[:200]
    visitor = Caller(0, "visitor", frozenset(), address)
    record(session, visitor, "password_reset.requested", f"login:{text[:100]}", now=now)
    enqueue(session, MAIL_JOB, queueing_lock=f"{MAIL_JOB}:{text}", text=text)


def mail_links(database: Database, settings: Settings, clock: Clock, *, text: str) -> None:
    """Send the links. Tokens are made here, so that none ever stands in the queue."""
    if not is_offered(settings):
        return
    with database.as_system() as session:
        now = clock.now()
        session.execute(delete(PasswordReset).where(PasswordReset.expires_at <= now))
        messages = list(_messages(session, settings, text, now))
    for message in messages:
        send(settings, message, clock)


def holder(session: Session, token: str | None, settings: Settings, now: datetime) -> UserAccount | None:
    """Give the account that a token is for, if it is still good."""
    if not token or len(token) > 200:
        return None
    row = session.execute(
        select(PasswordReset, UserAccount)
        .join(UserAccount, UserAccount.id == PasswordReset.user_id)
        .where(PasswordReset.token_hash == token_hash(token), PasswordReset.expires_at > now)
    ).one_or_none()
    if row is None:
        return None
    reset, user = row
    return user if _may_reset(user, settings) and reset.bound_to == _bound_to(user) else None


def redeem(
    session: Session,
    token: str,
    settings: Settings,
    *,
    new_password_hash: str,
    address: str | None,
    now: datetime,
) -> bool:
    """Store the new password and end every session; False when the token is no longer good."""
    user = holder(session, token, settings, now)
    if user is not None:
        keep(session, user.id)  # before the log: a sign-in in the same moment takes both in this order
    taken = session.scalar(
        delete(PasswordReset)
        .where(PasswordReset.token_hash == token_hash(token))
        .returning(PasswordReset.user_id)
    )
    if user is None or taken is None:
        return False
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    own = Caller(0, f"user:{user.id}", frozenset(), address)
    record(session, own, "password_reset.used", f"user:{user.id}", {"login": user.login}, now=now)
    accounts.change_password(
        session, own, user, new_password_hash=new_password_hash, but_session=None, now=now
    )
    return True


def _messages(session: Session, settings: Settings, text: str, now: datetime) -> Iterator[Message]:
    users = session.scalars(
        select(UserAccount)
        .where(or_(UserAccount.login == text, UserAccount.email == text))
        .order_by(UserAccount.id)
        .limit(_ACCOUNTS)
    ).all()
    for user in users:
        if not _may_reset(user, settings) or user.email is None or not is_address(user.email):
            continue
        token = secrets.token_urlsafe(32)
        session.execute(
            insert(PasswordReset).values(
                token_hash=token_hash(token),
                user_id=user.id,
                bound_to=_bound_to(user),
                expires_at=now + VALID_FOR,
            )
        )
        link = f"{settings.public_url}/reset-password?token={token}"
        yield Message(
            user.email,
            "SentriKat: choose a new password",
            f"Somebody asked for a new password of the account {user.login}.\n\n{link}\n\n"
            "The link works once, within 30 minutes. If it was not you, do nothing: the password stays.\n",
        )


def _may_reset(user: UserAccount, settings: Settings) -> bool:
    local = user.password_hash is not None and user.provider_id is None and user.disabled_at is None
    return local and (settings.local_sign_in == "everybody" or user.break_glass)


def _bound_to(user: UserAccount) -> bytes:
    return hashlib.sha256((user.password_hash or "").encode()).digest()
