from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from sentrikat.audit.journal import record, verify
from sentrikat.audit.queries import list_entries
from sentrikat.domain.permissions import COMMAND_LINE, SYSTEM, Caller
from sentrikat.identity.organizations import create_organization
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database

DETAIL = {
    "name": "Zürich ✓",
    "scopes": ["a", "b"],
    "expires_at": None,
    "count": 2**40,
    "deep": {"z": 1, "a": True},
}


def organization(database: Database, clock: FrozenClock) -> Caller:
    with database.as_system() as session:
        made = create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=clock.now())
    return Caller(made.id, "user:1", frozenset(), "192.0.2.1")


def test_what_was_recorded_verifies(database: Database, clock: FrozenClock) -> None:
    caller = organization(database, clock)
    with database.as_organization(caller.organization_id) as session:
        for number in range(5):
            record(session, caller, "asset.changed", f"asset:{number}", DETAIL, now=clock.now())

    with database.as_organization(caller.organization_id) as session:
        verified = verify(session, caller.organization_id)
        rows = list_entries(session, caller.organization_id, before=None, limit=3)
    assert verified.holds
    assert verified.entries == 5
    assert [row.object for row in rows] == ["asset:4", "asset:3", "asset:2"]
    assert rows[0].hash == verified.head
    assert rows[0].detail == DETAIL


@pytest.mark.parametrize(
    "statement",
    ["update audit_entry set actor = 'nobody'", "delete from audit_entry", "truncate audit_entry"],
)
def test_no_role_can_change_what_was_recorded(database: Database, clock: FrozenClock, statement: str) -> None:
    caller = organization(database, clock)
    with database.as_system() as session:
        record(session, caller, "a", "b", now=clock.now())

    with pytest.raises(ProgrammingError, match="permission denied"), database.as_system() as session:
        session.execute(text(statement))
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        database.as_organization(caller.organization_id) as session,
    ):
        session.execute(text(statement))


def test_even_the_owner_is_refused_and_a_forced_change_is_found(
    database: Database, clock: FrozenClock
) -> None:
    caller = organization(database, clock)
    with database.as_system() as session:
        for number in range(3):
            record(session, caller, "a", f"b:{number}", now=clock.now())

    change = text("update audit_entry set actor = 'nobody' where object = 'b:1'")
    with database.engine.connect() as owner:
        with pytest.raises(ProgrammingError, match="append-only"):
            owner.execute(change)
        owner.rollback()
        owner.execute(text("alter table audit_entry disable trigger audit_entry_append_only"))
        owner.execute(text("alter table audit_entry no force row level security"))
        owner.execute(change)
        owner.execute(text("alter table audit_entry force row level security"))
        owner.execute(text("alter table audit_entry enable trigger audit_entry_append_only"))
        owner.commit()

    with database.as_system() as session:
        verified = verify(session, caller.organization_id)
    assert not verified.holds
    assert verified.reason == "its content is not what was written"


def test_entries_written_at_the_same_instant_form_one_chain(database: Database, clock: FrozenClock) -> None:
    def write(number: int) -> None:
        with database.as_system() as session:
            record(session, SYSTEM, "a", f"b:{number}", now=clock.now())

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(24)))

    with database.as_system() as session:
        verified = verify(session, 0)
    assert verified.holds
    assert verified.entries == 24


def test_what_was_rolled_back_left_no_entry(database: Database, clock: FrozenClock) -> None:
    caller = organization(database, clock)
    with pytest.raises(ZeroDivisionError), database.as_organization(caller.organization_id) as session:
        record(session, caller, "a", "b", now=clock.now())
        raise ZeroDivisionError

    with database.as_system() as session:
        assert verify(session, caller.organization_id).entries == 0
