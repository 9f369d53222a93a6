"""With roles of an organization's own, nobody gives or takes more than they hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, Forbidden, InvalidInput
from sentrikat.domain.permissions import (
    ADMINISTERING,
    CHOOSABLE,
    KEY_SCOPES,
    ROLE_PERMISSIONS,
    Caller,
    CustomRole,
    Permission,
    Role,
)
from sentrikat.identity import api_keys, custom_roles, members, web_sessions
from sentrikat.identity.access import visit_of_cookie
from sentrikat.identity.admission import SignInRules
from sentrikat.identity.models import UserAccount
from sentrikat.identity.queries import is_administrator_somewhere
from tests.integration.identity.conftest import LIMITS, Place, visit_of

PEPPER = b"a pepper for tests that is long enough"
# What somebody needs who is to look after members without being an administrator.
STAFF = {"members:read", "members:manage", "inventory:read"}


def _attempts(place: Place) -> dict[str, object]:
    audit, night = place.make("Audit", ["audit:read"]), place.make("Night", ["inventory:read"])
    place.give("eve", audit)
    now = place.clock.now()

    def role(session: Session, by: Caller, which: CustomRole, **change: object) -> None:
        custom_roles.change_role(session, by, which.id, now=now, **change)  # type: ignore[arg-type]

    def give(session: Session, by: Caller, login: str, what: CustomRole | Role) -> None:
        members.change_role(session, by, place.users[login], what, now=now)

    return {
        "make an administrator": lambda s, by: members.add_member(
            s, by, user_id=place.users["theirs"], login="theirs", role=Role.ADMINISTRATOR, now=now
        ),
        "make themselves administrator": lambda s, by: give(s, by, "jane", Role.ADMINISTRATOR),
        "give a role that holds more": lambda s, by: give(s, by, "jane", audit),
        "let an account in with more": lambda s, by: members.add_member(
            s, by, user_id=place.users["theirs"], login="theirs", role=Role.AUDITOR, now=now
        ),
        "demote an administrator": lambda s, by: give(s, by, "boss", night),
        "remove an administrator": lambda s, by: members.remove_member(s, by, place.users["boss"], now=now),
        "demote whoever holds more": lambda s, by: give(s, by, "eve", night),
        "remove whoever holds more": lambda s, by: members.remove_member(s, by, place.users["eve"], now=now),
        "make a role that holds more": lambda s, by: custom_roles.create_role(
            s, by, name="Mine", permissions=[*STAFF, "keys:manage"], now=now
        ),
        "widen a role": lambda s, by: role(s, by, night, permissions=["inventory:read", "audit:read"]),
        "narrow a role that holds more": lambda s, by: role(s, by, audit, permissions=["inventory:read"]),
        "rename a role that holds more": lambda s, by: role(s, by, audit, name="Mine"),
        "delete a role that holds more": lambda s, by: custom_roles.delete_role(s, by, audit.id, now=now),
    }  # fmt: skip


@pytest.mark.parametrize(
    "attempt",
    [
        "make an administrator",
        "make themselves administrator",
        "give a role that holds more",
        "let an account in with more",
        "demote an administrator",
        "remove an administrator",
        "demote whoever holds more",
        "remove whoever holds more",
        "make a role that holds more",
        "widen a role",
        "narrow a role that holds more",
        "rename a role that holds more",
        "delete a role that holds more",
    ],
)
def test_nobody_gives_or_takes_more_than_they_hold(place: Place, attempt: str) -> None:
    attempts = _attempts(place)
    place.give("jane", place.make("Staff", STAFF))
    keeper, before = visit_of(place, "jane"), place.roles()

    with (
        pytest.raises(Forbidden, match="lets people") as refused,
        place.database.as_organization(place.acme) as session,
    ):
        attempts[attempt](session, keeper)  # type: ignore[operator]

    assert refused.value.code == "more_than_own"
    assert place.roles() == before


def test_within_what_they_hold_they_look_after_members(place: Place) -> None:
    place.give("jane", place.make("Staff", STAFF))
    keeper = visit_of(place, "jane")
    with place.database.as_organization(place.acme) as session:
        made = custom_roles.create_role(
            session, keeper, name="Lookers", permissions=["inventory:read"], now=place.clock.now()
        )
    place.give("eve", made.role)  # by the administrator: a viewer holds more than jane does
    with place.database.as_organization(place.acme) as session:
        now = place.clock.now()
        custom_roles.change_role(session, keeper, made.id, description="Look, touch nothing.", now=now)
        members.change_role(session, keeper, place.users["eve"], made.role, now=now)  # is that already
        members.remove_member(session, keeper, place.users["eve"], now=now)
        members.put_role(session, keeper, user_id=place.users["eve"], login="eve", role=made.role, now=now)
    assert place.roles()["eve"] == "Lookers"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_only_who_manages_members_touches_roles(place: Place, role: Role) -> None:
    made, now = place.make("Night shift", ["inventory:read"]), place.clock.now()
    caller = place.caller(ROLE_PERMISSIONS[role])
    with place.database.as_organization(place.acme) as session:
        for attempt in (
            lambda: custom_roles.create_role(
                session, caller, name="N", permissions=["inventory:read"], now=now
            ),
            lambda: custom_roles.change_role(session, caller, made.id, name="N", now=now),
            lambda: custom_roles.delete_role(session, caller, made.id, now=now),
        ):
            with pytest.raises(Forbidden):
                attempt()


def test_a_custom_role_that_may_everything_is_no_administrator(place: Place) -> None:
    """The last administrator stays, whoever else may do as much."""
    place.give("jane", place.make("Everything", CHOOSABLE))
    for login in ("jane", "boss"):
        by = visit_of(place, login)
        with pytest.raises(Conflict, match="last administrator"):
            place.give("boss", Role.VIEWER, by=by)
    place.give("eve", Role.ADMINISTRATOR, by=visit_of(place, "jane"))
    place.give("boss", Role.VIEWER, by=visit_of(place, "jane"))


# Keys and tokens.


def test_a_token_loses_what_the_role_of_its_owner_loses(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read", "findings:read"])
    place.give("jane", role)
    now = place.clock.now()
    with place.database.as_organization(place.acme) as session:
        token = api_keys.create_token(
            session,
            visit_of(place, "jane"),
            place.users["jane"],
            pepper=PEPPER,
            name="mine",
            scopes=[Permission.INVENTORY_READ, Permission.FINDINGS_READ],
            expires_at=now + timedelta(days=1),
            now=now,
        )

    def held() -> frozenset[Permission]:
        with place.database.as_system() as session:
            found = api_keys.caller_of_key(session, token.secret, pepper=PEPPER, address=None, now=now)
        assert isinstance(found, Caller)
        return found.permissions

    assert held() == {Permission.INVENTORY_READ, Permission.FINDINGS_READ}
    with place.database.as_organization(place.acme) as session:
        custom_roles.change_role(session, place.boss, role.id, permissions=["findings:read"], now=now)
    assert held() == {Permission.FINDINGS_READ}
    place.give("jane", place.make("Other", ["audit:read"]))
    assert held() == frozenset()


def test_who_may_make_keys_makes_none_that_may_more(place: Place) -> None:
    """A key would otherwise be the way to every permission that a key can have."""
    place.give("jane", place.make("Keys", ["keys:read", "keys:manage", "inventory:read"]))
    keeper, now = visit_of(place, "jane"), place.clock.now()

    def make(by: Caller, *scopes: Permission) -> api_keys.Made:
        with place.database.as_organization(place.acme) as session:
            return api_keys.create_key(
                session, by, pepper=PEPPER, name="k", scopes=scopes, expires_at=None, now=now
            )

    def rotate(key: api_keys.Made) -> api_keys.Made:
        with place.database.as_organization(place.acme) as session:
            return api_keys.rotate_key(session, keeper, key.id, pepper=PEPPER, overlap=timedelta(0), now=now)

    with pytest.raises(InvalidInput, match="Your role does not let you do audit:read yourself"):
        make(keeper, Permission.INVENTORY_READ, Permission.AUDIT_READ)
    assert rotate(make(keeper, Permission.INVENTORY_READ)).secret
    whole = make(place.boss, *KEY_SCOPES)
    with pytest.raises(Forbidden, match="The key “k” was not replaced") as refused:
        rotate(whole)
    assert refused.value.code == "more_than_own"
    with place.database.as_organization(place.acme) as session:
        api_keys.revoke_key(session, keeper, whole.id, now=now)  # ends what it may, and shows nobody a secret


@pytest.mark.parametrize(
    ("permissions", "administers"),
    [
        (["members:manage"], True),  # lets people in
        (["keys:manage", "inventory:read"], True),  # makes keys
        (sorted(CHOOSABLE - ADMINISTERING), False),
    ],
)
def test_who_decides_what_others_may_is_an_administrator_to_the_rule_on_second_factors(
    place: Place, permissions: list[str], administers: bool
) -> None:
    place.give("jane", place.make("Of our own", permissions))
    now = place.clock.now()
    with place.database.as_system() as session:
        assert is_administrator_somewhere(session, place.users["jane"]) is administers
        user = session.get_one(UserAccount, place.users["jane"])
        opened = web_sessions.open_session(
            session, user, place.acme, LIMITS, now=now, address=None, user_agent=None
        )
        visit = visit_of_cookie(session, opened.token, LIMITS, address=None, now=now)
    assert visit is not None
    rules = SignInRules(LIMITS, second_factor="administrators")
    if administers:
        with pytest.raises(Forbidden, match="second factor"):
            visit.require_factor(rules)
    else:
        visit.require_factor(rules)
