"""What installation administrators are told about signing in: on their pages, in the log, and by mail.

A notice of a kind is given once per account and window, however often its cause repeats; of a directory, once per
outage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity.models import SecurityNotice, UserAccount
from sentrikat.infra.database.locks import advisory_lock
from sentrikat.infra.jobs import enqueue

SHOWN_FOR = timedelta(days=7)
KEPT_FOR = timedelta(days=30)
MAIL_JOB = "mail_notice"


class Kind(StrEnum):
    """What happened."""

    LIMIT = "limit"  # an account has had as many failures as it may
    BREAK_GLASS = "break_glass"  # an account for emergencies was used
    OUTAGE = "outage"  # a directory does not answer; `login` is the directory's name


SENTENCES: dict[Kind, str] = {
    Kind.LIMIT: "Too many sign-ins to “{login}” failed; further ones are refused for a while.",
    Kind.BREAK_GLASS: "The emergency account “{login}” was used to sign in.",
    Kind.OUTAGE: "The directory “{login}” is out of order: its people cannot sign in, local accounts can.",
}


SUBJECTS: dict[Kind, str] = {
    Kind.LIMIT: "many failed sign-ins",
    Kind.BREAK_GLASS: "the emergency account was used",
    Kind.OUTAGE: "a directory is out of order",
}


class Notice(NamedTuple):
    """A notice, for a page or a mail."""

    id: int
    kind: Kind
    login: str
    address: str | None
    at: datetime

    @property
    def sentence(self) -> str:
        """Say what happened."""
        return SENTENCES[self.kind].format(login=self.login)

    @property
    def origin(self) -> str | None:
        """Say where it came from; an outage comes from nowhere."""
        return None if self.kind is Kind.OUTAGE else f"the address {self.address or 'unknown'}"

    @property
    def page(self) -> str:
        """Say where there is more to read."""
        return "/identity-providers" if self.kind is Kind.OUTAGE else "/audit"

    @property
    def subject(self) -> str:
        """Say it in a few words, without the login name."""
        return SUBJECTS[self.kind]


def tell(
    session: Session,
    kind: Kind,
    login: str,
    address: str | None,
    *,
    once_in: timedelta | None,
    now: datetime,
) -> bool:
    """Give a notice, unless the same was given within `once_in`; say whether it was given.

    For a login name without an account the same is written and queued, so that it takes as long; such a
    notice is shown to nobody.
    """
    login = login[:100]
    advisory_lock(session, f"notice:{kind}:{login}")
    if once_in is not None:
        given = select(SecurityNotice.id).where(
            SecurityNotice.kind == kind.value,
            SecurityNotice.login == login,
            SecurityNotice.at > now - once_in,
        )
        if session.scalar(given.limit(1)) is not None:
            return False
    user_id = select(UserAccount.id).where(UserAccount.login == login).scalar_subquery()
    notice_id = session.scalar(
        insert(SecurityNotice)
        .values(kind=kind.value, login=login, user_id=user_id, address=address, at=now)
        .returning(SecurityNotice.id)
    )
    caller = Caller(0, "visitor", frozenset(), address)
    record(session, caller, f"sign_in.{kind.value}", f"login:{login}", now=now)
    enqueue(session, MAIL_JOB, notice_id=notice_id)
    return True


def tell_outage(session: Session, directory: str, *, now: datetime) -> None:
    """Tell that a directory went out of order. Its end and its reason stand with it and in the log."""
    notice_id = session.scalar(
        insert(SecurityNotice)
        .values(kind=Kind.OUTAGE.value, login=directory[:100], at=now)
        .returning(SecurityNotice.id)
    )
    enqueue(session, MAIL_JOB, notice_id=notice_id)


def recent(session: Session, now: datetime, *, limit: int = 20) -> Sequence[Notice]:
    """Give what was told in the last days, the newest first."""
    query = (
        select(
            SecurityNotice.id,
            SecurityNotice.kind,
            SecurityNotice.login,
            SecurityNotice.address,
            SecurityNotice.at,
        )
        .where(
            SecurityNotice.at > now - SHOWN_FOR,
            or_(SecurityNotice.user_id.is_not(None), SecurityNotice.kind == Kind.OUTAGE.value),
        )
        .order_by(SecurityNotice.at.desc())
        .limit(limit)
    )
    return [Notice(row.id, Kind(row.kind), row.login, row.address, row.at) for row in session.execute(query)]


def get_notice(session: Session, notice_id: int) -> Notice | None:
    """Give a notice of an account that exists, or of a directory."""
    row = session.get(SecurityNotice, notice_id)
    if row is None or (row.user_id is None and row.kind != Kind.OUTAGE.value):
        return None
    return Notice(row.id, Kind(row.kind), row.login, row.address, row.at)


def purge(session: Session, now: datetime) -> None:
    """Delete what is no longer shown."""
    session.execute(delete(SecurityNotice).where(SecurityNotice.at < now - KEPT_FOR))
