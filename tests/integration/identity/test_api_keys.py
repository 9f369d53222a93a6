from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sentrikat.domain.errors import Forbidden, InvalidInput, NotFound
from sentrikat.domain.permissions import COMMAND_LINE, INSTALLATION_ADMINISTRATOR, Caller, Permission
from sentrikat.identity.api_keys import KeyRefused, Made, caller_of_key, create_key, read_scopes, revoke_key
from sentrikat.identity.organizations import create_organization
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database


@pytest.fixture
def administrator(database: Database, clock: FrozenClock) -> Caller:
    with database.as_system() as session:
        organization = create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=clock.now())
    return Caller(organization.id, "user:1", INSTALLATION_ADMINISTRATOR)


def make(database: Database, clock: FrozenClock, caller: Caller, **changes: object) -> Made:
    arguments = {"name": "agents", "scopes": {Permission.REPORT_SUBMIT}, "expires_at": None, **changes}
    with database.as_organization(caller.organization_id) as session:
        return create_key(session, caller, now=clock.now(), **arguments)  # type: ignore[arg-type]


def look(database: Database, clock: FrozenClock, key: str) -> Caller | KeyRefused:
    with database.as_system() as session:
        return caller_of_key(session, key, address=None, now=clock.now())


def test_a_key_stands_for_its_organization_and_its_scopes(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    made = make(database, clock, administrator)

    caller = look(database, clock, made.secret)

    assert isinstance(caller, Caller)
    assert caller.organization_id == administrator.organization_id
    assert caller.permissions == {Permission.REPORT_SUBMIT}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda key: key[:-1], "key_malformed"),  # cut when copied
        (lambda key: f'"{key}"', "key_malformed"),
        (lambda _key: "", "key_malformed"),
        (lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), "key_unknown"),  # wrong secret
        (lambda key: "sk_aaaaaaaaaa" + key[13:], "key_unknown"),  # wrong prefix
    ],
)
def test_a_key_that_is_not_exact_lets_nobody_in(
    database: Database,
    clock: FrozenClock,
    administrator: Caller,
    spoil: object,
    code: str,
) -> None:
    made = make(database, clock, administrator)

    refused = look(database, clock, spoil(made.secret))  # type: ignore[operator]

    assert isinstance(refused, KeyRefused)
    assert refused.code == code


def test_an_expired_and_a_revoked_key_say_so(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    expiring = make(database, clock, administrator, expires_at=clock.now() + timedelta(days=1))
    revoked = make(database, clock, administrator)
    with database.as_organization(administrator.organization_id) as session:
        revoke_key(session, administrator, revoked.id, now=clock.now())
        revoke_key(session, administrator, revoked.id, now=clock.now())  # twice is once
    clock.advance(timedelta(days=1))

    answers = [look(database, clock, made.secret) for made in (expiring, revoked)]

    assert [a.code for a in answers if isinstance(a, KeyRefused)] == ["key_expired", "key_revoked"]


def test_a_key_of_another_organization_cannot_be_revoked(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    made = make(database, clock, administrator)
    with database.as_system() as session:
        other = create_organization(session, COMMAND_LINE, name="Other", slug="other", now=clock.now())
    stranger = replace(administrator, organization_id=other.id)

    with database.as_organization(other.id) as session, pytest.raises(NotFound):
        revoke_key(session, stranger, made.id, now=clock.now())
    assert isinstance(look(database, clock, made.secret), Caller)


def test_a_key_needs_a_name_a_scope_and_a_future(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    with pytest.raises(InvalidInput) as refused:
        make(database, clock, administrator, name=" ", scopes=set(), expires_at=clock.now())

    assert set(refused.value.fields) == {"name", "scopes", "expires_at"}


def test_a_key_cannot_hold_what_makes_keys(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    with pytest.raises(InvalidInput, match="keys:manage"):
        make(database, clock, administrator, scopes={Permission.KEYS_MANAGE})
    with pytest.raises(InvalidInput, match="no scope world:rule"):
        read_scopes(["world:rule"])


def test_an_analyst_makes_no_keys(database: Database, clock: FrozenClock, administrator: Caller) -> None:
    analyst = replace(administrator, permissions=frozenset({Permission.INVENTORY_READ}))

    with pytest.raises(Forbidden):
        make(database, clock, analyst)
