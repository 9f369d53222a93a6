"""Mail to the owner of an account when what they sign in with was changed: whoever did not do it learns of it.

    tell(session, Change.PASSWORD, user, caller, now)    in the transaction of the change
    mail_owner(settings, clock, ...)                     the worker: send

An account without a mail address is told nothing; the audit log holds every change all the same.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from sentrikat.domain.permissions import Caller
from sentrikat.identity.models import UserAccount
from sentrikat.infra.clock import Clock
from sentrikat.infra.jobs import enqueue
from sentrikat.infra.mail import Message, can_send, is_address, send
from sentrikat.infra.settings import Settings

MAIL_JOB = "mail_owner"


class Change(StrEnum):
    """What was changed."""

    PASSWORD = "password"  # noqa: S105 - the word, not one
    FACTOR_SET_UP = "factor_set_up"
    FACTOR_REMOVED = "factor_removed"
    CODES_RENEWED = "codes_renewed"
    EMAIL = "email"


SENTENCES: dict[Change, str] = {
    Change.PASSWORD: "The password of your account “{login}” was changed.",
    Change.FACTOR_SET_UP: "A second factor was set up for your account “{login}”.",
    Change.FACTOR_REMOVED: "The second factor of your account “{login}” was removed.",
    Change.CODES_RENEWED: "New recovery codes were made for your account “{login}”; those of before are void.",
    Change.EMAIL: "Mails to your account “{login}” go to another address from now on, or nowhere.",
}


def tell(session: Session, change: Change, user: UserAccount, caller: Caller, now: datetime) -> None:
    """Queue a mail to the address that the account has at this moment."""
    if user.email is None or not is_address(user.email):
        return
    enqueue(
        session,
        MAIL_JOB,
        change=change.value,
        to=user.email,
        login=user.login,
        by_owner=caller.actor == f"user:{user.id}",
        address=caller.address,
        at=f"{now:%Y-%m-%d %H:%M:%S} UTC",
    )


def mail_owner(
    settings: Settings,
    clock: Clock,
    *,
    change: str,
    to: str,
    login: str,
    by_owner: bool,
    address: str | None,
    at: str,
) -> None:
    """Send the mail; nothing without a mail server. It holds no secret and no link."""
    if not can_send(settings):
        return
    who = "Somebody signed in as you" if by_owner else "An administrator, or a link that was mailed to you,"
    text = (
        f"{SENTENCES[Change(change)].format(login=login)}\n\n"
        f"{who} did it, at {at}, from the address {address or 'unknown'}.\n\n"
        "If you did not do or ask for this, tell an administrator of this installation of SentriKat at once.\n"
    )
    send(settings, Message(to, "SentriKat: what you sign in with was changed", text), clock)
