from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from sentrikat.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from sentrikat.domain.permissions import COMMAND_LINE, INSTALLATION_ADMINISTRATOR, Caller, Permission
from sentrikat.identity.api_keys import (
    KeyRefused,
    Limits,
    Made,
    caller_of_key,
    create_key,
    read_scopes,
    revoke_key,
    rotate_key,
)
from sentrikat.identity.models import ApiKey
from sentrikat.identity.organizations import create_organization
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database

PEPPER = b"a pepper of thirty-two characters"


@pytest.fixture
def administrator(database: Database, clock: FrozenClock) -> Caller:
    with database.as_system() as session:
        organization = create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=clock.now())
    return Caller(organization.id, "user:1", INSTALLATION_ADMINISTRATOR)


def make(database: Database, clock: FrozenClock, caller: Caller, **changes: object) -> Made:
    arguments = {"name": "agents", "scopes": {Permission.REPORT_SUBMIT}, "expires_at": None, **changes}
    with database.as_organization(caller.organization_id) as session:
        return create_key(session, caller, pepper=PEPPER, now=clock.now(), **arguments)  # type: ignore[arg-type]


def look(
    database: Database, clock: FrozenClock, key: str, address: str | None = None, pepper: bytes = PEPPER
) -> Caller | KeyRefused:
    with database.as_system() as session:
        return caller_of_key(session, key, pepper=pepper, address=address, now=clock.now())


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


def test_without_the_pepper_a_copy_of_the_database_checks_nothing(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    made = make(database, clock, administrator)

    assert refusal(look(database, clock, made.secret, pepper=b"another")) == "key_unknown"


def test_a_key_of_before_the_pepper_works_and_is_sealed_by_its_use(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    made = make(database, clock, administrator)
    plain = hashlib.sha256(made.secret[14:].encode()).digest()
    with database.as_system() as session:
        session.execute(update(ApiKey).values(secret_hash=plain, peppered=False))

    assert isinstance(look(database, clock, made.secret), Caller)
    with database.as_system() as session:
        kept = session.get_one(ApiKey, made.id)
        assert kept.peppered
        assert kept.secret_hash == hmac.digest(PEPPER, made.secret[14:].encode(), "sha256")
    assert isinstance(look(database, clock, made.secret), Caller)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("192.0.2.77", True),
        ("::ffff:192.0.2.77", True),  # the same machine, seen through a dual-stack socket
        ("2001:db8::1", True),
        ("198.51.100.1", False),
        ("2001:db9::1", False),
        (None, False),
        ("not an address", False),
    ],
)
def test_a_key_of_a_network_works_from_there_alone(
    database: Database, clock: FrozenClock, administrator: Caller, address: str | None, allowed: bool
) -> None:
    made = make(database, clock, administrator, limits=Limits(("192.0.2.9/24", "2001:db8::/32")))

    found = look(database, clock, made.secret, address)

    assert isinstance(found, Caller) is allowed
    assert allowed or refusal(found) == "key_address"


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Limits(("10.0.0.0/99",)), "networks"),
        (Limits(("everywhere",)), "networks"),
        (Limits(tuple(f"10.0.{n}.0/24" for n in range(51))), "networks"),
        (Limits(max_assets=0), "max_assets"),
        (Limits(max_assets=1_000_001), "max_assets"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(
    database: Database, clock: FrozenClock, administrator: Caller, limits: Limits, named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        make(database, clock, administrator, limits=limits)
    assert named in refused.value.fields


def test_a_rotated_key_works_until_the_overlap_ends_and_its_successor_goes_on(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    limits = Limits(("192.0.2.0/24",), 5)
    old = make(database, clock, administrator, expires_at=clock.now() + timedelta(days=30), limits=limits)
    clock.advance(timedelta(days=20))
    with database.as_organization(administrator.organization_id) as session:
        new = rotate_key(
            session, administrator, old.id, pepper=PEPPER, overlap=timedelta(hours=2), now=clock.now()
        )

    assert isinstance(look(database, clock, old.secret, "192.0.2.1"), Caller)
    assert isinstance(look(database, clock, new.secret, "192.0.2.1"), Caller)
    assert refusal(look(database, clock, new.secret, "192.0.3.1")) == "key_address"
    clock.advance(timedelta(hours=2))
    assert refusal(look(database, clock, old.secret, "192.0.2.1")) == "key_expired"
    clock.advance(timedelta(days=29))
    assert isinstance(look(database, clock, new.secret, "192.0.2.1"), Caller)


def test_a_key_that_has_ended_has_no_successor(
    database: Database, clock: FrozenClock, administrator: Caller
) -> None:
    made = make(database, clock, administrator)
    with database.as_organization(administrator.organization_id) as session:
        revoke_key(session, administrator, made.id, now=clock.now())
    with (
        pytest.raises(Conflict, match="ended already"),
        database.as_organization(administrator.organization_id) as session,
    ):
        rotate_key(session, administrator, made.id, pepper=PEPPER, overlap=timedelta(0), now=clock.now())


def refusal(found: Caller | KeyRefused) -> str:
    assert isinstance(found, KeyRefused)
    return found.code
