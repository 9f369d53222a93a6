"""Slow down guessing: so many failures per account and per address, in a sliding window.

An attempt is counted before the password is looked at, under a lock on its subject, so a thousand
attempts in the same instant get no more guesses than one after the other. A refused attempt is not
counted: the account opens again by itself, and nobody can keep it shut by knocking on it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from sentrikat.identity.models import SignInAttempt
from sentrikat.infra.database.locks import advisory_lock

WINDOW = timedelta(minutes=15)
PER_LOGIN = 10  # NIST SP 800-63B allows up to 100 in a row; ten leave room for a caps-lock morning
# Of a second factor besides: its six digits are few, and whoever guesses them has the password already. Ten in a
# quarter of an hour are a thousand a day, which finds one within the year; thirty a day take twenty.
FACTOR_DAY = timedelta(days=1)
PER_FACTOR_DAY = 30
PER_ADDRESS = 60  # an office behind one address, and still fewer than 6,000 guesses a day

_FACTOR = "factor:"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Too many failures; the next attempt is looked at after `retry_after`."""

    retry_after: timedelta

    @property
    def sentence(self) -> str:
        """Say it to the person."""
        minutes = max(1, -(-int(self.retry_after.total_seconds()) // 60))
        hours = -(-minutes // 60)
        span = "a minute" if minutes == 1 else f"{minutes} minutes" if minutes <= 90 else f"{hours} hours"
        return f"Too many attempts failed. Try again in {span}."


def count_attempt(session: Session, login: str, address: str | None, now: datetime) -> Blocked | None:
    """Count one attempt at a password, or say how long to wait."""
    return _count(session, login_subject(login), address, now)


def count_factor_attempt(
    session: Session, user_id: int, address: str | None, now: datetime
) -> Blocked | None:
    """Count one attempt at a second factor, or say how long to wait."""
    return _count(session, factor_subject(user_id), address, now, per_day=PER_FACTOR_DAY)


def count_request(session: Session, subject: str, address: str | None, now: datetime) -> Blocked | None:
    """Count one request for something that costs others, such as a mail, or say how long to wait."""
    return _count(session, f"request:{subject[:200]}", address, now)


def _count(
    session: Session, subject: str, address: str | None, now: datetime, *, per_day: int | None = None
) -> Blocked | None:
    limits = [(subject, PER_LOGIN, WINDOW)]
    if per_day is not None:
        limits.append((subject, per_day, FACTOR_DAY))
    if address is not None:
        limits.append((address_subject(address), PER_ADDRESS, WINDOW))
    subjects = sorted({counted for counted, _, _ in limits})
    for locked in subjects:  # always in the same order, or two of them wait for each other
        advisory_lock(session, f"sign-in:{locked}")
    waits = [_blocked(session, counted, limit, window, now) for counted, limit, window in limits]
    if blocked := [wait for wait in waits if wait is not None]:
        return max(blocked, key=lambda wait: wait.retry_after)
    session.execute(insert(SignInAttempt), [{"subject": counted, "at": now} for counted in subjects])
    return None


def forget(session: Session, login: str, address: str | None) -> None:
    """Clear an account's failures after the right password, and the one just counted for the address."""
    _forget(session, login_subject(login), address)


def forget_factor(session: Session, user_id: int, address: str | None) -> None:
    """Clear a person's failures after the right second factor, and the one just counted for the address."""
    _forget(session, factor_subject(user_id), address)


def _forget(session: Session, subject: str, address: str | None) -> None:
    session.execute(delete(SignInAttempt).where(SignInAttempt.subject == subject))
    if address is not None:
        newest = (
            select(func.max(SignInAttempt.id))
            .where(SignInAttempt.subject == address_subject(address))
            .scalar_subquery()
        )
        session.execute(delete(SignInAttempt).where(SignInAttempt.id == newest))


def purge(session: Session, now: datetime) -> int:
    """Delete attempts that no longer count; give how many."""
    counted_longer = SignInAttempt.subject.startswith(_FACTOR) & (SignInAttempt.at >= now - FACTOR_DAY)
    gone = session.scalars(
        delete(SignInAttempt)
        .where(SignInAttempt.at < now - WINDOW, ~counted_longer)
        .returning(SignInAttempt.id)
    )
    return len(gone.all())


def login_subject(login: str) -> str:
    """Name an account in the table."""
    return f"login:{login[:200]}"


def factor_subject(user_id: int) -> str:
    """Name a person's second factor in the table: the right password does not clear its failures."""
    return f"{_FACTOR}{user_id}"


def address_subject(address: str) -> str:
    """Name an address in the table: one holder of IPv6 has a whole /64 to come from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address[:100]}"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"address:{parsed.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address:{parsed}"


def _blocked(session: Session, subject: str, limit: int, window: timedelta, now: datetime) -> Blocked | None:
    # The limit-th newest failure decides: when it leaves the window, one more attempt is free.
    deciding = session.scalar(
        select(SignInAttempt.at)
        .where(SignInAttempt.subject == subject, SignInAttempt.at > now - window)
        .order_by(SignInAttempt.at.desc())
        .offset(limit - 1)
        .limit(1)
    )
    return None if deciding is None else Blocked(deciding + window - now)
