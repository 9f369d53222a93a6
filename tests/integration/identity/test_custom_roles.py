"""Roles of an organization's own: what they are made of, and how they are made, changed and deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from sentrikat.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, SentriKatError
from sentrikat.domain.permissions import (
    CHOOSABLE,
    INSTALLATION,
    ROLE_PERMISSIONS,
    CustomRole,
    Permission,
    Role,
    chosen_permissions,
)
from sentrikat.identity import custom_roles, members
from sentrikat.identity.names import names_of
from sentrikat.identity.queries import organizations_of
from tests.integration.identity.conftest import Place, visit_of


def test_a_role_is_made_of_what_belongs_to_an_organization() -> None:
    assert CHOOSABLE.isdisjoint(INSTALLATION | {Permission.PROFILE})
    assert CHOOSABLE | INSTALLATION | {Permission.PROFILE} == set(Permission)
    assert ROLE_PERMISSIONS[Role.ADMINISTRATOR] >= CHOOSABLE


@pytest.mark.parametrize("permission", sorted(CHOOSABLE))
def test_a_member_holds_what_the_role_says_and_their_profile(place: Place, permission: Permission) -> None:
    place.give("jane", place.make("Only this", [permission.value]))

    assert visit_of(place, "jane").permissions == {permission, Permission.PROFILE}


def test_what_is_stored_and_not_known_or_not_an_organization_s_says_nothing(place: Place) -> None:
    role = place.make("Old", ["audit:read"])
    place.give("jane", role)
    with place.database.as_organization(place.acme) as session:
        session.execute(
            text(
                "update custom_role set permissions ="
                " array['audit:read','tapes:rewind','installation:manage','profile']"
            )
        )

    assert visit_of(place, "jane").permissions == {Permission.AUDIT_READ, Permission.PROFILE}
    assert chosen_permissions(["tapes:rewind"]) == frozenset()


def test_a_change_counts_from_the_next_click(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])
    place.give("jane", role)
    with place.database.as_organization(place.acme) as session:
        after = custom_roles.change_role(
            session, place.boss, role.id, permissions=["findings:read"], now=place.clock.now()
        )

    assert after.members == 1
    assert visit_of(place, "jane").permissions == {Permission.FINDINGS_READ, Permission.PROFILE}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (" \t\n ", "spaces alone"),
        ("\u202e\u200b", "nothing that can be seen"),
        ("x" * 61, "too long"),
        ("ﷺ" * 4, "too long once it is written out: 18 letters each"),
        ("viewer", "a built-in role"),
        ("Administrator", "a built-in role, in capitals"),
        ("\uff21\uff35\uff24\uff29\uff34\uff2f\uff32", "a built-in role, in wide letters"),
        ("custom", "what the table says of those with a role of their own"),
        ("Installation  Administrator", "is no role"),
    ],
)
def test_a_name_that_would_mislead_is_refused(place: Place, name: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match="The role was not created") as refused:
        place.make(name, ["inventory:read"])

    assert list(refused.value.fields) == ["name"], reason


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Night shift", "NIGHT SHIFT"),
        ("Straße", "STRASSE"),
        ("Größe", "GRO\u0308SSE"),  # the same letters, put together otherwise
        ("ﬁrst line", "First Line"),  # a ligature
        ("İzmir", "i̇zmir"),
    ],
)
def test_two_names_that_read_alike_are_one(place: Place, first: str, second: str) -> None:
    place.make(first, ["inventory:read"])
    with pytest.raises(Conflict, match="already"):
        place.make(second, ["inventory:read"])
    # Another organization does not stand in the way.
    assert place.make(second, ["inventory:read"], by=place.theirs).name


def test_a_name_is_found_as_it_is_read(place: Place) -> None:
    role = place.make("  Nacht\u0000schicht \u202e Zürich ", ["inventory:read"])
    assert role.name == "Nacht schicht Zürich"
    with place.database.as_organization(place.acme) as session:
        for word in ("nacht schicht zürich", "NACHT SCHICHT ZU\u0308RICH"):
            assert custom_roles.find_role(session, place.acme, word) == role
        assert custom_roles.find_role(session, place.acme, "Viewer") is Role.VIEWER
        with pytest.raises(InvalidInput, match="no role “emperor”"):
            custom_roles.find_role(session, place.acme, "emperor")
        with pytest.raises(InvalidInput):
            custom_roles.find_role(session, place.acme, "custom")


@pytest.mark.parametrize(
    "permissions",
    [[], ["profile"], ["installation:read"], ["installation:manage", "inventory:read"], ["emperor"]],
)
def test_a_role_is_made_of_nothing_else(place: Place, permissions: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        place.make("Night shift", permissions)
    assert list(refused.value.fields) == ["permissions"]


def test_the_log_says_what_was_and_what_is(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])
    with place.database.as_organization(place.acme) as session:
        now = place.clock.now()
        custom_roles.change_role(session, place.boss, role.id, name="Night shift", now=now)  # as it is
        custom_roles.change_role(
            session, place.boss, role.id, name="Day shift", permissions=["audit:read"], now=now
        )
        custom_roles.delete_role(session, place.boss, role.id, now=now)

    assert place.entries() == [
        ("role.created", {"name": "Night shift", "description": "", "permissions": ["inventory:read"]}),
        (
            "role.changed",
            {
                "name": "Day shift",
                "name_before": "Night shift",
                "permissions": ["audit:read"],
                "permissions_before": ["inventory:read"],
            },
        ),
        ("role.deleted", {"name": "Day shift", "description": "", "permissions": ["audit:read"]}),
    ]


def test_a_role_may_be_written_in_other_capitals_and_keeps_its_members(place: Place) -> None:
    role = place.make("night shift", ["inventory:read"])
    place.make("Day shift", ["inventory:read"])
    place.give("jane", role)
    with place.database.as_organization(place.acme) as session:
        custom_roles.change_role(session, place.boss, role.id, name="Night Shift", now=place.clock.now())
    assert place.roles()["jane"] == "Night Shift"
    with place.database.as_system() as session:
        assert names_of(session, [f"role:{role.id}"], place.acme) == {f"role:{role.id}": "Night Shift"}
        assert names_of(session, [f"role:{role.id}"], place.other) == {}

    with place.database.as_organization(place.acme) as session, pytest.raises(Conflict, match="already"):
        custom_roles.change_role(session, place.boss, role.id, name="DAY SHIFT", now=place.clock.now())


def test_a_role_that_is_held_is_not_deleted(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])
    place.give("jane", role)
    for login, words in (("jane", "one member holds it"), ("eve", "2 members hold it")):
        place.give(login, role)
        with (
            place.database.as_organization(place.acme) as session,
            pytest.raises(Conflict, match=words) as no,
        ):
            custom_roles.delete_role(session, place.boss, role.id, now=place.clock.now())
        assert no.value.code == "role_held"
    place.give("jane", Role.ANALYST)
    place.give("eve", Role.ANALYST)
    with place.database.as_organization(place.acme) as session:
        custom_roles.delete_role(session, place.boss, role.id, now=place.clock.now())
        with pytest.raises(NotFound):
            custom_roles.delete_role(session, place.boss, role.id, now=place.clock.now())


def test_a_role_that_was_deleted_meanwhile_is_not_given(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])
    with place.database.as_organization(place.acme) as session:
        custom_roles.delete_role(session, place.boss, role.id, now=place.clock.now())
    with pytest.raises(Conflict, match="not one of this organization any more"):
        place.give("jane", role)


def test_a_role_that_was_widened_meanwhile_is_given_as_it_is_now(place: Place) -> None:
    """What was read before the lock does not count: the caller may not give what the role has become."""
    place.give("jane", Role.ANALYST)
    keeper = place.caller(ROLE_PERMISSIONS[Role.ANALYST] | {Permission.MEMBERS_MANAGE})
    role = place.make("Night shift", ["inventory:read"])
    with place.database.as_organization(place.acme) as session:
        custom_roles.change_role(
            session, place.boss, role.id, permissions=["audit:read"], now=place.clock.now()
        )
    with pytest.raises(Forbidden, match="read the audit log"):
        place.give("jane", CustomRole(role.id, role.name, frozenset()), by=keeper)


# Other organizations, and many at once.

_INSERT = "insert into custom_role (organization_id, name, folded_name, permissions, created_at) values"


def test_another_organization_s_role_is_not_there(place: Place) -> None:
    ours, now = place.make("Night shift", ["inventory:read"]), place.clock.now()
    theirs = place.theirs
    with place.database.as_organization(place.other) as session:
        assert custom_roles.list_roles(session, place.other) == []
        with pytest.raises(InvalidInput, match="no role “Night shift”"):
            custom_roles.find_role(session, place.other, "Night shift")
        for attempt in (
            lambda: custom_roles.access_role(session, theirs, ours.id),
            lambda: custom_roles.change_role(session, theirs, ours.id, name="Mine", now=now),
            lambda: custom_roles.delete_role(session, theirs, ours.id, now=now),
        ):
            with pytest.raises(NotFound):
                attempt()
        with pytest.raises(Conflict, match="not one of this organization"):
            members.change_role(session, theirs, place.users["theirs"], ours, now=now)
    # The session that sees everything looks into the caller's organization all the same.
    with place.database.as_system() as session:
        with pytest.raises(NotFound):
            custom_roles.access_role(session, theirs, ours.id)
        assert [
            o.role for o in organizations_of(session, place.users["theirs"], installation_admin=False)
        ] == [Role.ADMINISTRATOR]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (  # the database keeps roles with their organization
            "update membership set role = 'custom', custom_role_id = :ours",
            IntegrityError,
        ),
        ("update membership set role = 'custom'", IntegrityError),  # the word without a role
        (f"{_INSERT} (:acme, 'x', 'x', '{{audit:read}}', now())", ProgrammingError),  # another's
        (f"{_INSERT} (:other, 'x', 'x', '{{}}', now())", IntegrityError),  # a role that allows nothing
    ],
)  # fmt: skip
def test_the_database_refuses_what_the_program_would_not_do(
    place: Place, statement: str, error: type[Exception]
) -> None:
    ours = place.make("Night shift", ["inventory:read"])
    values = {"ours": ours.id, "acme": place.acme, "other": place.other}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    with pytest.raises(error), place.database.as_organization(place.other) as session:
        session.execute(text(statement), used)


def test_a_role_is_not_kept_beside_a_built_in_word(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])
    place.give("jane", role)
    with pytest.raises(IntegrityError), place.database.as_organization(place.acme) as session:
        session.execute(text("update membership set role = 'administrator' where custom_role_id is not null"))


def test_two_who_edit_at_once_leave_one_whole_role_and_a_log_that_says_how(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])
    wanted = {"Early": ["findings:read"], "Late": ["audit:read"]}

    def edit(name: str) -> None:
        with place.database.as_organization(place.acme) as session:
            custom_roles.change_role(
                session, place.boss, role.id, name=name, permissions=wanted[name], now=place.clock.now()
            )

    with ThreadPoolExecutor(2) as both:
        list(both.map(edit, wanted))

    with place.database.as_organization(place.acme) as session:
        after = custom_roles.access_role(session, place.boss, role.id)
    assert [one.value for one in after.permissions] == wanted[after.name]
    first, second = (detail for action, detail in place.entries() if action == "role.changed")
    assert (first["name_before"], second["name_before"], second["name"]) == (
        "Night shift", first["name"], after.name,
    )  # fmt: skip
    assert second["permissions_before"] == first["permissions"]


def test_of_giving_and_deleting_at_once_one_wins(place: Place) -> None:
    role = place.make("Night shift", ["inventory:read"])

    def give() -> str:
        place.give("jane", role)
        return "given"

    def delete() -> str:
        with place.database.as_organization(place.acme) as session:
            custom_roles.delete_role(session, place.boss, role.id, now=place.clock.now())
        return "deleted"

    def outcome(what: str) -> str:
        try:
            return give() if what == "give" else delete()
        except SentriKatError as error:
            return error.code

    with ThreadPoolExecutor(2) as both:
        found = list(both.map(outcome, ["give", "delete"]))

    assert found in (["given", "role_held"], ["conflict", "deleted"])


def test_an_organization_has_so_many_roles_and_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_roles, "MOST_ROLES", 2)
    for name in ("One", "Two"):
        place.make(name, ["inventory:read"])
    with pytest.raises(Conflict, match="2 are the most") as refused:
        place.make("Three", ["inventory:read"])
    assert refused.value.code == "too_many_roles"
