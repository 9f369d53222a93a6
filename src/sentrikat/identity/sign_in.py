"""Signing in with a login name and a password: whose they are.

    begin(session)            count the attempt, read the hash         short transaction
    check(attempt, sources)   bcrypt, then directories in turn         no transaction waits for it;
                              `check_here` and `ask` are its two halves
    complete(session)         hand over to `finish`, or log a refusal  short transaction

A local account is asked first, then every directory in its order. The answers are values: a wrong password
is no exception. What is asked beyond the password, and the session, are admission.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Unavailable
from sentrikat.domain.permissions import Caller
from sentrikat.identity import notices, password_rules, passwords, throttle
from sentrikat.identity.accounts import normal_login
from sentrikat.identity.admission import (
    Arrival,
    HalfOpen,
    Proven,
    Reason,
    Refused,
    SignedIn,
    SignInMethod,
    SignInRules,
    finish,
    keep,
    log_refusal,
)
from sentrikat.identity.models import UserAccount

log = structlog.get_logger()

PasswordSource = Callable[[str, str], Proven | None]
"""A directory: takes a login name as it was typed and a password, and gives the account they prove.

None: it does not know the name, or the password is wrong. Unavailable: it does not answer; the next one is
asked. It opens its own transactions, and makes or updates the account that it vouches for.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted attempt whose password is still to be checked; afterwards, what it proved."""

    login: str
    address: str | None
    user_id: int | None
    password_hash: str | None
    proven: Proven | None = None
    known: bool = False  # the password is one that nobody may choose: others would try it
    unanswered: bool = False  # a directory that might have known did not answer

    @property
    def right(self) -> bool:
        """Say whether somebody was proven."""
        return self.proven is not None


def begin(session: Session, login: str, address: str | None, now: datetime) -> Attempt | Refused:
    """Count an attempt and look up the account, which may not exist."""
    login = normal_login(login)
    if blocked := throttle.count_attempt(session, login, address, now):
        notices.tell(session, notices.Kind.LIMIT, login, address, once_in=throttle.WINDOW, now=now)
        return Refused(Reason.THROTTLED, blocked.retry_after)
    found = session.execute(
        select(UserAccount.id, UserAccount.password_hash).where(
            UserAccount.login == login, UserAccount.disabled_at.is_(None)
        )
    ).one_or_none()
    return Attempt(login, address, *(found or (None, None)))


def check(
    attempt: Attempt, password: str, sources: Sequence[PasswordSource] = (), *, list_file: Path | None = None
) -> Attempt:
    """Find out whose the password is; as slow for an unknown account as for a known one.

    Directories are asked after a wrong local password as they are for an unknown name, so that their time
    does not tell the two apart.
    """
    attempt = check_here(attempt, password, list_file=list_file)
    return attempt if attempt.right else ask(attempt, password, sources)


def check_here(attempt: Attempt, password: str, *, list_file: Path | None = None) -> Attempt:
    """Find out whether it is the password of the local account; the same for one that is not there."""
    if passwords.is_right(password, attempt.password_hash) and attempt.user_id is not None:
        known = _is_known(password, list_file)
        return replace(attempt, proven=Proven(attempt.user_id, SignInMethod.PASSWORD), known=known)
    return attempt


def ask(attempt: Attempt, password: str, sources: Sequence[PasswordSource]) -> Attempt:
    """Ask the directories in turn."""
    unanswered = False
    if not password:
        return attempt  # many directories take a bind without a password for an anonymous one
    for source in sources:
        try:
            proven = source(attempt.login, password)
        except Unavailable as error:
            log.warning("directory did not answer at a sign-in", error=error.message)
            unanswered = True
            continue
        if proven is not None:
            return replace(attempt, proven=proven)
    return replace(attempt, unanswered=unanswered)


def _is_known(password: str, list_file: Path | None) -> bool:
    try:
        return password_rules.is_known(password, list_file)
    except OSError as error:
        # Nobody stays outside because a file of the customer's went away; choosing a password still says so.
        log.warning("list of refused passwords not read", file=str(list_file), error=str(error))
        return password_rules.is_known(password, None)


def complete(
    session: Session, attempt: Attempt, rules: SignInRules, *, now: datetime, arrival: Arrival
) -> SignedIn | HalfOpen | Refused:
    """Go on with whoever was proven; log a refusal."""
    proven = attempt.proven
    user = keep(session, proven.user_id) if proven is not None else None
    # The hash must still be the one that was checked: the password may have been changed meanwhile.
    stale = (
        proven is not None
        and proven.method is SignInMethod.PASSWORD
        and (user is None or user.password_hash != attempt.password_hash)
    )
    if proven is None or user is None or stale:
        log_refusal(session, attempt.login, arrival, now)
        return Refused(Reason.WRONG, unanswered=attempt.unanswered)
    throttle.forget(session, attempt.login, attempt.address)
    if attempt.known and not user.must_change_password:
        # It was chosen before it was listed. The time to choose another one begins now.
        user.must_change_password, user.password_changed_at = True, now
        session.flush()
        owner = Caller(0, f"user:{user.id}", frozenset(), arrival.address)
        record(session, owner, "account.password_known", f"user:{user.id}", {"login": user.login}, now=now)
    return finish(session, user, proven, rules, arrival, now=now)
