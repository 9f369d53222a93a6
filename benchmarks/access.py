"""What knowing the caller adds to each request: the session or key looked up, the role read, the permission asked."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, text

from benchmarks.measure import Row, milliseconds, times
from sentrikat.domain.permissions import (
    COMMAND_LINE,
    INSTALLATION_ADMINISTRATOR,
    KEY_SCOPES,
    Caller,
    Permission,
    Role,
)
from sentrikat.identity.access import visit_of_cookie
from sentrikat.identity.accounts import create_account, set_role
from sentrikat.identity.api_keys import caller_of_key, create_key
from sentrikat.identity.models import Membership, UserAccount
from sentrikat.identity.organizations import create_organization
from sentrikat.identity.web_sessions import SessionLimits, open_session
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.sessions import Database

_BUDGET = "p95 < 2 ms"
_PEPPER = bytes(32)
_LIMITS = SessionLimits(idle=timedelta(hours=1), lifetime=timedelta(hours=12))


def access(database: Database, calls: int) -> list[Row]:
    """Look callers up again and again, each time in a transaction of its own as a request does."""
    clock, mark = SystemClock(), f"{SystemClock().now():%H%M%S%f}"
    with database.as_system() as session:
        numbers = [
            create_organization(
                session, COMMAND_LINE, name=f"{mark} {n}", slug=f"b{mark}-{n}", now=clock.now()
            ).id
            for n in range(20)
        ]
        one, many = (
            create_account(
                session, COMMAND_LINE, login=f"{name}-{mark}", display_name="", password=mark, now=clock.now()
            )
            for name in ("one", "many")
        )
        # A provider's installation: people and memberships that an index has to tell apart.
        others = session.scalars(
            insert(UserAccount).returning(UserAccount.id),
            [
                {
                    "login": f"o{n}-{mark}",
                    "display_name": "x",
                    "password_hash": "x",
                    "password_changed_at": clock.now(),
                    "created_at": clock.now(),
                }
                for n in range(2_000)
            ],
        ).all()
        session.execute(
            insert(Membership),
            [
                {
                    "organization_id": numbers[user % 20],
                    "user_id": user,
                    "role": "viewer",
                    "created_at": clock.now(),
                }
                for user in others
            ],
        )
        set_role(session, COMMAND_LINE, one, numbers[0], Role.ANALYST, now=clock.now())
        for number in numbers:
            set_role(session, COMMAND_LINE, many, number, Role.ANALYST, now=clock.now())
        cookies = [
            open_session(session, user, number, _LIMITS, now=clock.now(), address=None, user_agent=None).token
            for user, number in ((one, numbers[0]), (many, numbers[-1]))
        ]
        caller = Caller(numbers[0], "benchmark", INSTALLATION_ADMINISTRATOR)
        key = create_key(
            session, caller, name=mark, scopes=KEY_SCOPES, expires_at=None, pepper=_PEPPER, now=clock.now()
        )

    def by_cookie(cookie: str) -> None:
        with database.as_system() as session:
            visit = visit_of_cookie(session, cookie, _LIMITS, address=None, now=clock.now())
        assert visit is not None
        visit.caller.require(Permission.FINDINGS_READ)

    def by_key() -> None:
        with database.as_system() as session:
            found = caller_of_key(session, key.secret, pepper=_PEPPER, address=None, now=clock.now())
        assert isinstance(found, Caller)
        found.require(Permission.FINDINGS_READ)

    def nobody() -> None:
        with database.as_system() as session:
            session.execute(text("select 1"))

    by_cookie(cookies[0])
    rows = []
    for words, work in (
        ("session and permission, member of one organization", lambda _: by_cookie(cookies[0])),
        ("session and permission, member of 20 organizations", lambda _: by_cookie(cookies[1])),
        ("API key and permission", lambda _: by_key()),
        ("of which a transaction that asks nothing", lambda _: nobody()),
    ):
        rows.append(Row(f"{words}, {calls:,} requests", _BUDGET, milliseconds(times(work, calls))))
    return rows
