"""An organization with an administrator and two viewers, and another one beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import text

from sentrikat.domain.permissions import (
    COMMAND_LINE,
    ROLE_PERMISSIONS,
    Caller,
    CustomRole,
    Permission,
    Role,
)
from sentrikat.identity import accounts, custom_roles, members, web_sessions
from sentrikat.identity.access import visit_of_cookie
from sentrikat.identity.models import Organization, UserAccount
from sentrikat.identity.queries import list_members
from sentrikat.identity.web_sessions import SessionLimits
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database

LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))


@dataclass(slots=True)
class Place:
    """Two organizations, and people of the first one."""

    database: Database
    clock: FrozenClock
    acme: int
    other: int
    users: dict[str, int]

    def caller(self, permissions: Collection[Permission], who: str = "boss") -> Caller:
        """Somebody of the first organization as they come through a door."""
        return Caller(self.acme, f"user:{self.users[who]}", frozenset(permissions))

    @property
    def boss(self) -> Caller:
        """The administrator of the first organization."""
        return self.caller(ROLE_PERMISSIONS[Role.ADMINISTRATOR])

    @property
    def theirs(self) -> Caller:
        """The administrator of the other one."""
        return Caller(self.other, f"user:{self.users['theirs']}", ROLE_PERMISSIONS[Role.ADMINISTRATOR])

    def make(self, name: str, permissions: Collection[str], by: Caller | None = None) -> CustomRole:
        """Make a role."""
        caller = by or self.boss
        with self.database.as_organization(caller.organization_id) as session:
            row = custom_roles.create_role(
                session, caller, name=name, permissions=permissions, now=self.clock.now()
            )
            return row.role

    def give(self, login: str, role: CustomRole | Role, by: Caller | None = None) -> None:
        """Give a member a role."""
        with self.database.as_organization(self.acme) as session:
            members.change_role(session, by or self.boss, self.users[login], role, now=self.clock.now())

    def roles(self) -> dict[str, str]:
        """Who is what."""
        with self.database.as_organization(self.acme) as session:
            return {row.login: str(row.role) for row in list_members(session, self.acme)}

    def entries(self) -> list[tuple[str, dict[str, object]]]:
        """What the log says of roles."""
        with self.database.as_organization(self.acme) as session:
            rows = session.execute(
                text("select action, detail from audit_entry where action like 'role.%' order by id")
            )
            return [(row.action, row.detail) for row in rows]


@pytest.fixture
def place(database: Database, clock: FrozenClock) -> Place:
    """Acme and the other one."""
    now = clock.now()
    with database.as_system() as session:
        acme = Organization(slug="acme", name="Acme", created_at=now)
        other = Organization(slug="other", name="Other", created_at=now)
        session.add_all([acme, other])
        session.flush()
        users = {}
        for login, where, role in (
            ("boss", acme.id, Role.ADMINISTRATOR),
            ("jane", acme.id, Role.VIEWER),
            ("eve", acme.id, Role.VIEWER),
            ("theirs", other.id, Role.ADMINISTRATOR),
        ):
            user = UserAccount(
                login=login, display_name=login, password_hash="x", password_changed_at=now, created_at=now
            )
            session.add(user)
            session.flush()
            users[login] = user.id
            accounts.set_role(session, COMMAND_LINE, user, where, role, now=now)
        return Place(database, clock, acme.id, other.id, users)


def visit_of(place: Place, login: str) -> Caller:
    """Somebody's caller, read from the database at this moment."""
    with place.database.as_system() as session:
        user = session.get_one(UserAccount, place.users[login])
        opened = web_sessions.open_session(
            session, user, place.acme, LIMITS, now=place.clock.now(), address=None, user_agent=None
        )
        visit = visit_of_cookie(session, opened.token, LIMITS, address=None, now=place.clock.now())
    assert visit is not None
    return visit.caller
