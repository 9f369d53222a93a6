"""A person proves at the command line who they are: the same throttle and answers as signing in, without a session."""

from __future__ import annotations

from sqlalchemy import select

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Forbidden
from sentrikat.domain.permissions import INSTALLATION_ADMINISTRATOR, Caller
from sentrikat.identity import throttle
from sentrikat.identity.admission import Reason, Refused
from sentrikat.identity.models import UserAccount
from sentrikat.identity.sign_in import begin, check
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database


def confirmed(database: Database, login: str, password: str, clock: Clock) -> Caller:
    """Give the installation administrator `login` as a caller; Forbidden for anybody else."""
    with database.as_system() as session:
        attempt = begin(session, login, None, clock.now())
    if isinstance(attempt, Refused):
        raise Forbidden(f"{login[:100]} was not confirmed. {attempt.sentence}", hint="Nothing was changed.")
    attempt = check(attempt, password)
    with database.as_system() as session:
        user = session.scalar(
            select(UserAccount).where(UserAccount.login == attempt.login, UserAccount.disabled_at.is_(None))
        )
        # The hash must still be the one that was checked: the password may have been changed meanwhile.
        right = attempt.right and user is not None and user.password_hash == attempt.password_hash
        if user is not None and right:
            throttle.forget(session, attempt.login, None)
            if user.installation_admin:
                return Caller(0, f"user:{user.id}", INSTALLATION_ADMINISTRATOR)
        else:
            record(
                session,
                Caller(0, "cli", frozenset()),
                "confirmation.refused",
                f"login:{attempt.login[:100]}",
                now=clock.now(),
            )
    if right:
        raise Forbidden(
            f"{login[:100]} may not do this: the account is no installation administrator.",
            hint="Nothing was changed.",
        )
    raise Forbidden(
        f"{login[:100]} was not confirmed. {Refused(Reason.WRONG).sentence}", hint="Nothing was changed."
    )
