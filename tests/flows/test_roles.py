"""Roles of the organization's own over HTTP: what they open, who makes them, and the pages that show them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sentrikat.domain.permissions import CHOOSABLE, ROLE_PERMISSIONS, Permission, Role
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, session_of
from tests.flows.test_members import Pages, Person

# One route of each permission; an answer but 403 says that the caller was let in.
DOORS: dict[Permission, tuple[str, str, Any]] = {
    Permission.INVENTORY_READ: ("GET", "/assets", None),
    Permission.INVENTORY_WRITE: ("PATCH", "/assets/999999", {"exposure": "public"}),
    Permission.FINDINGS_READ: ("GET", "/findings", None),
    Permission.FINDINGS_TRIAGE: (
        "POST",
        "/possibly-affected/dismissals",
        {"component_id": 999999, "vulnerability": "CVE-2000-1", "reason": "There is no such thing."},
    ),
    Permission.KNOWLEDGE_READ: ("GET", "/feeds", None),
    Permission.REPORT_SUBMIT: ("POST", "/agent/reports", {}),
    Permission.REPORT_READ: ("GET", "/receipts", None),
    Permission.KEYS_READ: ("GET", "/api-keys", None),
    Permission.KEYS_MANAGE: ("DELETE", "/api-keys/999999", None),
    Permission.AUDIT_READ: ("GET", "/audit", None),
    Permission.MEMBERS_READ: ("GET", "/roles", None),
    Permission.MEMBERS_MANAGE: ("DELETE", "/roles/999999", None),
}


@pytest.fixture
def persons(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> Any:
    """Whoever is asked for, signed in."""
    return lambda login: Person(client, session_of(database, clock, estate, login))


@pytest.fixture
def pages(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> Any:
    """Whoever is asked for, before a browser."""
    return lambda login: Pages(client, session_of(database, clock, estate, login))


@pytest.fixture
def given(persons: Any, estate: Estate) -> Any:
    """Give somebody of the organization a role with these permissions; give its number."""
    boss = persons("administrator")

    def give(login: str, name: str, *permissions: str) -> int:
        held = {row["name"]: row["id"] for row in boss.ask("GET", "/roles").json()["items"]}
        if name in held:
            changed = boss.ask("PATCH", f"/roles/{held[name]}", {"permissions": permissions})
            assert changed.status_code == 200, changed.text
        else:
            made = boss.ask("POST", "/roles", {"name": name, "permissions": permissions})
            assert made.status_code == 201, made.text
            held[name] = made.json()["id"]
        answer = boss.ask("PATCH", f"/members/{estate.users[login]}", {"role": name})
        assert answer.status_code == 204, answer.text
        return int(held[name])

    return give


def test_every_permission_has_its_door() -> None:
    assert set(DOORS) == CHOOSABLE


@pytest.mark.parametrize("permission", sorted(CHOOSABLE))
def test_a_role_opens_its_doors_and_no_other(persons: Any, given: Any, permission: Permission) -> None:
    given("viewer", "One thing", permission.value)
    viewer = persons("viewer")

    opened = {
        asked
        for asked, (method, path, body) in DOORS.items()
        if viewer.ask(method, path, body).status_code != 403
    }

    assert opened == {permission}
    me = viewer.ask("GET", "/me").json()
    assert me["permissions"] == sorted([permission.value, "profile"])


def test_roles_are_made_changed_and_deleted(persons: Any, estate: Estate) -> None:
    boss = persons("administrator")
    wanted = {"name": " Nachtschicht  Zürich ", "description": "At night.", "permissions": ["findings:read"]}
    made = boss.ask("POST", "/roles", wanted)
    role = made.json()

    assert made.status_code == 201
    assert role == {
        "id": role["id"],
        "name": "Nachtschicht Zürich",
        "description": "At night.",
        "permissions": ["findings:read"],
        "members": 0,
        "created_at": NOON.isoformat().replace("+00:00", "Z"),
    }
    one = boss.ask("GET", f"/roles/{role['id']}")
    assert (one.json(), "ETag" in one.headers) == (role, True)
    assert boss.ask("POST", "/roles", {**wanted, "name": "NACHTSCHICHT zürich"}).status_code == 409
    assert boss.ask("PATCH", f"/roles/{role['id']}", {}).status_code == 422
    assert boss.ask("PATCH", f"/roles/{role['id']}", {"permissions": []}).status_code == 422
    assert boss.ask("PATCH", f"/roles/{role['id']}", {"members": 3}).status_code == 422
    changed = boss.ask("PATCH", f"/roles/{role['id']}", {"permissions": ["audit:read", "audit:read"]})
    assert changed.json() == {**role, "permissions": ["audit:read"]}

    manager = estate.users["manager"]
    assert boss.ask("PATCH", f"/members/{manager}", {"role": "nachtschicht ZÜRICH"}).status_code == 204
    rows = {row["login"]: row["role"] for row in boss.ask("GET", "/members").json()["items"]}
    assert (rows["manager"], rows["analyst"]) == ("Nachtschicht Zürich", "analyst")
    held = boss.ask("DELETE", f"/roles/{role['id']}")
    assert (held.status_code, held.json()["code"]) == (409, "role_held")
    assert boss.ask("PATCH", f"/members/{manager}", {"role": "emperor"}).status_code == 422
    assert boss.ask("PATCH", f"/members/{manager}", {"role": "manager"}).status_code == 204
    assert boss.ask("DELETE", f"/roles/{role['id']}").status_code == 204
    assert boss.ask("GET", f"/roles/{role['id']}").status_code == 404


def test_roles_come_in_pages_with_the_built_in_ones_beside(persons: Any) -> None:
    boss = persons("administrator")
    for name in ("Zeta", "Ärzte", "alpha"):
        assert boss.ask("POST", "/roles", {"name": name, "permissions": ["audit:read"]}).status_code == 201
    whole = boss.ask("GET", "/roles").json()
    first = boss.ask("GET", "/roles?limit=2").json()
    second = boss.ask("GET", f"/roles?limit=200&cursor={first['next_cursor']}").json()

    assert len(first["items"]) == 2
    assert first["items"] + second["items"] == whole["items"]
    assert {row["name"]: set(row["permissions"]) for row in second["built_in"]} == {
        role.value: {one.value for one in ROLE_PERMISSIONS[role] - {Permission.PROFILE}} for role in Role
    }


def test_another_organization_neither_sees_nor_gives_a_role_of_ours(
    persons: Any, given: Any, estate: Estate
) -> None:
    ours = given("viewer", "Ours alone", "audit:read")
    stranger = persons("theirs")

    assert stranger.ask("GET", "/roles").json()["items"] == []
    for method, body in (("GET", None), ("PATCH", {"name": "Mine"}), ("DELETE", None)):
        assert stranger.ask(method, f"/roles/{ours}", body).status_code == 404
    given_here = stranger.ask("PATCH", f"/members/{estate.users['both']}", {"role": "Ours alone"})
    assert (given_here.status_code, "no role" in given_here.json()["detail"]) == (422, True)


def test_who_manages_members_by_a_custom_role_stays_within_it(
    persons: Any, pages: Any, given: Any, estate: Estate
) -> None:
    given("viewer", "Lookers", "inventory:read")
    given("analyst", "Staff", "members:read", "members:manage", "inventory:read")
    staff = persons("analyst")
    boss, me = estate.users["administrator"], estate.users["analyst"]

    for method, path, body in (
        ("PATCH", f"/members/{boss}", {"role": "viewer"}),
        ("DELETE", f"/members/{boss}", None),
        ("PATCH", f"/members/{me}", {"role": "administrator"}),
        ("POST", "/members", {"login": "nowhere", "role": "viewer"}),
        ("POST", "/roles", {"name": "More", "permissions": ["keys:manage"]}),
    ):
        answer = staff.ask(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "more_than_own"), (method, path)
        assert "lets people" in answer.json()["detail"]
    assert staff.ask("POST", "/members", {"login": "nowhere", "role": "lookers"}).status_code == 201
    assert staff.ask("DELETE", f"/members/{estate.users['nowhere']}").status_code == 204

    page = pages("analyst").see("/members").text
    assert f'action="/members/{boss}/' not in page  # nothing that would be refused is offered
    assert f'action="/members/{estate.users["viewer"]}/role"' in page
    assert '<option value="administrator"' not in page
    assert '<option value="Lookers"' in page
    form = pages("analyst").see("/roles").text
    assert 'value="inventory:read"' in form
    assert 'value="keys:manage"' not in form


def test_the_pages_make_change_and_delete_roles(pages: Any, estate: Estate) -> None:
    boss = pages("administrator")
    fields = {"name": "Abend", "description": "", "permissions": "inventory:read"}

    nothing = boss.send("/roles", name="Abend", description="")
    assert nothing.status_code == 422
    assert "A role needs at least one permission." in nothing.text
    assert 'value="Abend"' in nothing.text  # what was typed is kept
    assert boss.send("/roles", **fields).status_code == 303
    taken = boss.send("/roles", **(fields | {"name": "ABEND"}))
    assert (taken.status_code, "There is a role “Abend” already." in taken.text) == (409, True)
    listed = boss.see("/roles").text
    number = int(listed.split('">Abend</a>')[0].rsplit("/roles/", 1)[1])
    one = boss.see(f"/roles/{number}").text
    assert 'value="inventory:read" checked' in one
    assert 'value="audit:read" checked' not in one
    assert boss.send(f"/roles/{number}", **(fields | {"name": "viewer"})).status_code == 422
    assert boss.send(f"/roles/{number}", **(fields | {"name": "Abends"})).status_code == 303
    user = estate.users["auditor"]
    assert boss.send(f"/members/{user}/role", role="Abends").status_code == 303
    assert '<option value="Abends" selected>Abends</option>' in boss.see("/members").text
    held = boss.send(f"/roles/{number}/delete")
    assert (held.status_code, "one member holds it" in held.text) == (409, True)
    assert "<dt>Acme</dt><dd>Abends</dd>" in pages("admin").see(f"/users/{user}").text
    assert boss.send(f"/members/{user}/role", role="auditor").status_code == 303
    assert boss.send(f"/roles/{number}/delete").status_code == 303
    assert boss.see(f"/roles/{number}").status_code == 404
    log = boss.see("/audit").text
    assert "Role: deleted" in log


def test_who_may_only_read_sees_roles_without_a_form(pages: Any, given: Any) -> None:
    role = given("viewer", "For reading", "inventory:read")
    auditor = pages("auditor")
    for path in ("/roles", f"/roles/{role}"):
        page = auditor.see(path)
        assert page.status_code == 200
        assert 'action="/roles' not in page.text
    assert "read assets and their software" in page.text


@pytest.mark.parametrize(
    ("permission", "path", "shown", "hidden"),
    [
        ("inventory:read", "/assets/{asset}", ("Software", "libssl3"), ("CVE-", ">Reports<", ">Findings<")),
        ("knowledge:read", "/vulnerabilities/CVE-2023-5217", ("What the sources say",), ("web-03", ">Here<")),
    ],
)
def test_a_page_shows_of_each_thing_what_the_role_lets_people_read(
    pages: Any, given: Any, estate: Estate, permission: str, path: str, shown: tuple[str], hidden: tuple[str]
) -> None:
    given("viewer", "Part", permission)
    address = path.format(asset=estate.assets["web-03"])
    narrow, whole = pages("viewer").see(address), pages("administrator").see(address)

    assert (narrow.status_code, whole.status_code) == (200, 200)
    for words in shown:
        assert words in narrow.text
    for words in hidden:
        assert words not in narrow.text.split("<main")[1]
        assert words in whole.text
    # Nor by asking for a host: whether there is one is not theirs to know.
    assert (
        "web-03"
        not in pages("viewer").see("/vulnerabilities/CVE-2023-5217?asset=web-03").text.split("<main")[-1]
    )


def test_whoever_manages_without_reading_is_told_what_was_wrong_and_no_more(pages: Any, given: Any) -> None:
    given("viewer", "Part", "inventory:read")
    role = given("viewer", "Blind", "members:manage", "keys:manage")
    blind = pages("viewer")

    for path, fields in (
        ("/members", {"login": "nobody at all", "role": "Blind"}),
        ("/roles", {"name": "", "permissions": "members:manage"}),
        (f"/roles/{role}", {"name": "", "permissions": "members:manage"}),
        ("/api-keys", {"name": "", "scopes": "audit:read", "days": "90"}),
    ):
        answer = blind.send(path, **fields)
        assert answer.status_code == 422, path
        for words in ("Member since", "Begins with", "Part<"):
            assert words not in answer.text, path
    refused = blind.see("/")
    assert refused.status_code == 403
    assert 'href="/profile">To what you may see' in refused.text


def test_roles_ask_for_a_fresh_proof(client: TestClient, database: Database, estate: Estate) -> None:
    old = session_of(database, FrozenClock(NOON - timedelta(minutes=30)), estate, "administrator")
    answer = Person(client, old).ask("POST", "/roles", {"name": "N", "permissions": ["audit:read"]})

    assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")


def test_the_search_tells_nothing_of_the_inventory_to_who_may_not_read_it(pages: Any, given: Any) -> None:
    given("manager", "Finders", "findings:read", "knowledge:read")
    visit = pages("manager")

    for words in ("web-03", "libvpx", "nothing of that name"):
        answer = visit.see(f"/search?q={words}")
        assert answer.headers["location"].startswith("/findings?q=software")
