"""What the worker does for signing in: the mails."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.identity.models import UserAccount
from sentrikat.identity.notices import get_notice
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.mail import Message, can_send, is_address, send
from sentrikat.infra.settings import Settings


def mail_notice(database: Database, settings: Settings, clock: Clock, *, notice_id: int) -> None:
    """Tell every installation administrator who has a mail address; nothing without a mail server.

    Run twice after a crash, it may tell some of them twice.
    """
    with database.as_system() as session:
        notice = get_notice(session, notice_id)
        recipients = _administrators(session)
    if notice is None or not can_send(settings):
        return
    place = f"\n{settings.public_url}{notice.page}\n" if settings.public_url is not None else ""
    text = (
        f"{notice.sentence}\n\n{f'From {notice.origin}, at' if notice.origin else 'Since'} "
        f"{notice.at:%Y-%m-%d %H:%M:%S} UTC.\n{place}\nYou get this as an administrator of this installation "
        "of SentriKat.\n"
    )
    for recipient in recipients:
        send(settings, Message(recipient, f"SentriKat: {notice.subject}", text), clock)


def _administrators(session: Session) -> list[str]:
    query = select(UserAccount.email).where(
        UserAccount.installation_admin, UserAccount.disabled_at.is_(None), UserAccount.email.is_not(None)
    )
    return sorted({email for email in session.scalars(query) if email is not None and is_address(email)})
