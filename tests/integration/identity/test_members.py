"""Members, accounts and organizations: nobody gives themselves, or others elsewhere, what they do not hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from sentrikat.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, SentriKatError
from sentrikat.domain.permissions import (
    COMMAND_LINE,
    INSTALLATION,
    ROLE_PERMISSIONS,
    Caller,
    MemberRole,
    Permission,
    Role,
    permissions_of,
)
from sentrikat.identity import accounts, members, organizations, web_sessions
from sentrikat.identity.access import visit_of_cookie
from sentrikat.identity.models import Organization, UserAccount
from sentrikat.identity.queries import list_accounts, list_members
from sentrikat.identity.web_sessions import SessionLimits
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.database.engine import conninfo

LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))


@dataclass(frozen=True, slots=True)
class Two:
    """Two organizations, and people in them by login name."""

    acme: int
    other: int
    users: dict[str, int]

    def caller(self, login: str, organization_id: int, role: Role | None) -> Caller:
        """Somebody as they come through a door."""
        held = permissions_of(role, installation_admin=login == "root")
        return Caller(organization_id, f"user:{self.users[login]}", held)

    @property
    def boss(self) -> Caller:
        """The administrator of Acme, who runs nothing else."""
        return self.caller("boss", self.acme, Role.ADMINISTRATOR)


@pytest.fixture
def two(database: Database, clock: FrozenClock) -> Two:
    now = clock.now()
    with database.as_system() as session:
        acme, other = (
            Organization(slug="acme", name="Acme", created_at=now),
            Organization(slug="other", name="Other", created_at=now),
        )
        session.add_all([acme, other])
        session.flush()
        users = {}
        for login, where in {
            "root": {},
            "boss": {acme.id: Role.ADMINISTRATOR},
            "jane": {acme.id: Role.VIEWER},
            "theirs": {other.id: Role.ADMINISTRATOR},
        }.items():
            user = UserAccount(
                login=login,
                display_name=login,
                password_hash="x",
                password_changed_at=now,
                installation_admin=login == "root",
                created_at=now,
            )
            session.add(user)
            session.flush()
            users[login] = user.id
            for organization_id, role in where.items():
                accounts.set_role(session, COMMAND_LINE, user, organization_id, role, now=now)
        return Two(acme.id, other.id, users)


def names(database: Database, organization_id: int) -> dict[str, MemberRole]:
    with database.as_organization(organization_id) as session:
        return {row.login: row.role for row in list_members(session, organization_id)}


def test_an_administrator_adds_changes_and_removes_members(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    now = clock.now()
    with database.as_system() as session:
        found = members.find_account(session, two.boss, " THEIRS ")
    with database.as_organization(two.acme) as session:
        members.add_member(session, two.boss, user_id=found, login="theirs", role=Role.ANALYST, now=now)
        members.change_role(session, two.boss, two.users["jane"], Role.MANAGER, now=now)
    assert names(database, two.acme) == {
        "boss": Role.ADMINISTRATOR, "jane": Role.MANAGER, "theirs": Role.ANALYST,
    }  # fmt: skip

    with database.as_organization(two.acme) as session:
        members.remove_member(session, two.boss, two.users["jane"], now=now)
    assert names(database, two.acme) == {"boss": Role.ADMINISTRATOR, "theirs": Role.ANALYST}
    with database.as_organization(two.acme) as session:
        actions = session.scalars(text("select action from audit_entry order by id")).all()
    assert actions[-3:] == ["membership.set", "membership.set", "membership.removed"]


def test_a_member_is_not_added_twice_and_a_stranger_not_at_all(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with pytest.raises(Conflict, match="member already"), database.as_organization(two.acme) as session:
        members.add_member(
            session, two.boss, user_id=two.users["jane"], login="jane", role=Role.ANALYST, now=clock.now()
        )
    with pytest.raises(InvalidInput, match="no account “nobody”"), database.as_system() as session:
        members.find_account(session, two.boss, "nobody")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_only_administrators_touch_members(
    database: Database, clock: FrozenClock, two: Two, role: Role
) -> None:
    jane = two.caller("jane", two.acme, role)
    with database.as_organization(two.acme) as session:
        with pytest.raises(Forbidden):
            members.change_role(
                session, jane, jane_id := two.users["jane"], Role.ADMINISTRATOR, now=clock.now()
            )
        with pytest.raises(Forbidden):
            members.remove_member(session, jane, two.users["boss"], now=clock.now())
        with pytest.raises(Forbidden):
            members.put_role(
                session, jane, user_id=jane_id, login="jane", role=Role.ADMINISTRATOR, now=clock.now()
            )


def test_an_administrator_of_one_organization_reaches_no_account_of_another(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with database.as_organization(two.acme) as session:
        with pytest.raises(NotFound):
            members.change_role(session, two.boss, two.users["theirs"], Role.VIEWER, now=clock.now())
        with pytest.raises(NotFound):
            members.remove_member(session, two.boss, two.users["theirs"], now=clock.now())
    assert names(database, two.other) == {"theirs": Role.ADMINISTRATOR}


def test_nobody_gives_themselves_a_role_in_another_organization(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with database.as_system() as session:
        boss = session.get_one(UserAccount, two.users["boss"])
        with pytest.raises(Forbidden):
            accounts.set_role(session, two.boss, boss, two.other, Role.VIEWER, now=clock.now())
    # Nor by raw SQL under the organization's own role: the database asks as well.
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        database.as_organization(two.acme) as session,
    ):
        session.execute(
            text("insert into membership values (:organization, :user, 'administrator', now())"),
            {"organization": two.other, "user": two.users["boss"]},
        )


def test_an_administrator_of_an_organization_cannot_run_the_installation(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    now, caller = clock.now(), two.boss
    with database.as_system() as session:
        boss = session.get_one(UserAccount, two.users["boss"])
        for attempt in (
            lambda: accounts.set_installation_admin(session, caller, boss, True, now=now),
            lambda: accounts.create_account(
                session, caller, login="new", display_name="", password="a good password", now=now
            ),
            lambda: accounts.disable_account(session, caller, boss, now=now),
            lambda: accounts.enable_account(session, caller, boss, now=now),
            lambda: accounts.reset_password(session, caller, boss, new_password_hash="x", now=now),
            lambda: accounts.end_sessions(session, caller, boss, now=now),
            lambda: accounts.access_account(session, caller, boss.id, Permission.INSTALLATION_READ),
            lambda: organizations.create_organization(session, caller, name="N", slug="n", now=now),
            lambda: organizations.change_organization(session, caller, two.acme, name="N", now=now),
        ):
            with pytest.raises(Forbidden):
                attempt()
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        database.as_organization(two.acme) as session,
    ):
        session.execute(text("update user_account set installation_admin = true"))


def test_no_role_of_an_organization_holds_what_runs_the_installation() -> None:
    assert not [role for role, held in ROLE_PERMISSIONS.items() if held & INSTALLATION]


def test_the_last_administrator_stays(database: Database, clock: FrozenClock, two: Two) -> None:
    boss = two.users["boss"]
    with pytest.raises(Conflict, match="last administrator"), database.as_organization(two.acme) as session:
        members.remove_member(session, two.boss, boss, now=clock.now())
    with pytest.raises(Conflict, match="last administrator"), database.as_organization(two.acme) as session:
        members.change_role(session, two.boss, boss, Role.VIEWER, now=clock.now())


def test_a_disabled_administrator_does_not_count_as_another(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with database.as_organization(two.acme) as session:
        members.change_role(session, two.boss, two.users["jane"], Role.ADMINISTRATOR, now=clock.now())
    with database.as_system() as session:
        jane = session.get_one(UserAccount, two.users["jane"])
        accounts.disable_account(session, COMMAND_LINE, jane, now=clock.now())
    with pytest.raises(Conflict, match="last administrator"), database.as_organization(two.acme) as session:
        members.change_role(session, two.boss, two.users["boss"], Role.VIEWER, now=clock.now())


def test_two_administrators_who_demote_each_other_at_once_leave_one(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with database.as_organization(two.acme) as session:
        members.change_role(session, two.boss, two.users["jane"], Role.ADMINISTRATOR, now=clock.now())
    jane = two.caller("jane", two.acme, Role.ADMINISTRATOR)

    def demote(by: Caller, whom: str) -> str:
        try:
            with database.as_organization(two.acme) as session:
                members.change_role(session, by, two.users[whom], Role.VIEWER, now=clock.now())
        except SentriKatError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(2) as both:
        outcomes = sorted(both.map(demote, [two.boss, jane], ["jane", "boss"]))

    assert outcomes == ["done", "last_administrator"]
    assert list(names(database, two.acme).values()).count(Role.ADMINISTRATOR) == 1


def test_the_last_installation_administrator_stays(database: Database, clock: FrozenClock, two: Two) -> None:
    with database.as_system() as session:
        root = session.get_one(UserAccount, two.users["root"])
        with pytest.raises(Conflict, match="last installation administrator"):
            accounts.set_installation_admin(session, COMMAND_LINE, root, False, now=clock.now())
        with pytest.raises(Conflict, match="your own"):
            accounts.disable_account(session, two.caller("root", two.acme, None), root, now=clock.now())


def test_a_role_taken_away_counts_from_the_next_click(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with database.as_system() as session:
        jane = session.get_one(UserAccount, two.users["jane"])
        opened = web_sessions.open_session(
            session, jane, two.acme, LIMITS, now=clock.now(), address=None, user_agent=None
        )

    def held() -> frozenset[Permission]:
        with database.as_system() as session:
            visit = visit_of_cookie(session, opened.token, LIMITS, address=None, now=clock.now())
        assert visit is not None
        return visit.caller.permissions

    assert Permission.FINDINGS_READ in held()
    with database.as_organization(two.acme) as session:
        members.remove_member(session, two.boss, two.users["jane"], now=clock.now())
    assert held() == {Permission.PROFILE}
    with database.as_system() as session:
        jane = session.get_one(UserAccount, two.users["jane"])
        accounts.set_installation_admin(session, COMMAND_LINE, jane, True, now=clock.now())
    assert held() >= INSTALLATION
    with database.as_system() as session:
        jane = session.get_one(UserAccount, two.users["jane"])
        accounts.set_installation_admin(session, COMMAND_LINE, jane, False, now=clock.now())
    assert held() == {Permission.PROFILE}


def test_a_reset_password_must_be_changed_and_ends_every_session(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    with database.as_system() as session:
        jane = session.get_one(UserAccount, two.users["jane"])
        web_sessions.open_session(session, jane, None, LIMITS, now=clock.now(), address=None, user_agent=None)
        accounts.reset_password(session, COMMAND_LINE, jane, new_password_hash="new", now=clock.now())
    with database.as_system() as session:
        row = next(row for row in list_accounts(session) if row.login == "jane")
        assert (row.must_change_password, row.sessions) == (True, 0)
        jane = session.get_one(UserAccount, two.users["jane"])
        accounts.change_password(
            session, COMMAND_LINE, jane, new_password_hash="own", but_session=None, now=clock.now()
        )
    with database.as_system() as session:
        assert not session.get_one(UserAccount, two.users["jane"]).must_change_password


def test_an_organization_sees_the_accounts_of_its_members_and_never_a_hash(
    database: Database, two: Two
) -> None:
    with database.as_organization(two.acme) as session:
        assert set(session.scalars(text("select login from user_account"))) == {"boss", "jane"}
    with database.as_visitor() as session:
        assert session.scalars(text("select login from user_account")).all() == []
    for column in ("password_hash", "installation_admin", "must_change_password"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            database.as_organization(two.acme) as session,
        ):
            session.execute(text(f"select {column} from user_account"))


def test_an_organization_is_renamed_and_its_deadlines_follow_its_time_zone(
    database: Database, clock: FrozenClock, two: Two
) -> None:
    root = two.caller("root", two.acme, None)
    with database.as_system() as session:
        assert organizations.change_organization(
            session, root, two.other, name=" Renamed\n Ltd ", time_zone="Asia/Tokyo", now=clock.now()
        )
        assert not organizations.change_organization(
            session, root, two.other, name="Renamed Ltd", now=clock.now()
        )
    with database.as_system() as session:
        changed = session.get_one(Organization, two.other)
        assert (changed.name, changed.time_zone) == ("Renamed Ltd", "Asia/Tokyo")
        with pytest.raises(InvalidInput, match="no time zone “CET”"):
            organizations.change_organization(session, root, two.other, time_zone="CET", now=clock.now())
        with pytest.raises(NotFound):
            organizations.change_organization(session, root, 999, name="x", now=clock.now())
    with psycopg.connect(conninfo(database.url)) as connection:
        assert connection.execute("select task_name from procrastinate_jobs").fetchall() == [
            ("price_organization",)
        ]


def test_without_any_organization_one_can_still_be_made(database: Database, clock: FrozenClock) -> None:
    now = clock.now()
    with database.as_system() as session:
        root = accounts.create_account(
            session,
            COMMAND_LINE,
            login="root",
            display_name="",
            password="a good password",
            installation_admin=True,
            now=now,
        )
        opened = web_sessions.open_session(
            session, root, None, LIMITS, now=now, address=None, user_agent=None
        )
        visit = visit_of_cookie(session, opened.token, LIMITS, address=None, now=now)
    assert visit is not None
    assert visit.caller.permissions == INSTALLATION | {Permission.PROFILE}
