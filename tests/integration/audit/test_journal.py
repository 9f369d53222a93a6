from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from sentrikat.audit.journal import record, record_many
from sentrikat.audit.queries import list_entries
from sentrikat.audit.verification import verify
from sentrikat.domain.chain_walk import Fault
from sentrikat.domain.permissions import COMMAND_LINE, SYSTEM, Caller
from sentrikat.identity.organizations import create_organization
from sentrikat.infra.clock import FrozenClock, SystemClock
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
    assert verified.broken is not None
    assert verified.broken.fault is Fault.CHANGED
    assert verified.broken.action == "a"


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


def test_a_set_is_recorded_by_one_call_and_forms_the_same_chain(
    database: Database, clock: FrozenClock
) -> None:
    caller = organization(database, clock)
    with database.as_organization(caller.organization_id) as session:
        record(session, caller, "asset.changed", "asset:0", DETAIL, now=clock.now())
        count = record_many(
            session,
            caller,
            "asset.changed",
            ((f"asset:{number}", {"exposure": "public"}) for number in range(1, 2_500)),
            now=clock.now(),
        )
        assert record_many(session, caller, "asset.changed", [], now=clock.now()) == 0

    with database.as_organization(caller.organization_id) as session:
        verified = verify(session, caller.organization_id)
        rows = list_entries(session, caller.organization_id, before=None, limit=2)
    assert count == 2_499
    assert verified.holds
    assert verified.entries == 2_500
    assert [row.object for row in rows] == ["asset:2499", "asset:2498"]


def test_what_no_database_can_store_is_recorded_with_a_mark_in_its_place(
    database: Database, clock: FrozenClock
) -> None:
    """Somebody who signs in with such a name must not be able to have their attempt go unrecorded."""
    with database.as_system() as session:
        record(
            session,
            SYSTEM,
            "sign_in.failed",
            "login:a\x00b",
            {"lo\x00gin": ["\ud800", 2**70, -(2**53)]},
            now=clock.now(),
        )

    with database.as_system() as session:
        assert verify(session, 0).holds
        row = list_entries(session, 0, before=None, limit=1)[0]
    assert (row.object, row.detail) == (
        "login:a\ufffdb",
        {"lo\ufffdgin": ["\ufffd", str(2**70), str(-(2**53))]},
    )


def test_a_fork_of_the_chain_is_refused_by_the_database(database: Database, clock: FrozenClock) -> None:
    with database.as_system() as session:
        record(session, SYSTEM, "a", "b:1", now=clock.now())

    with pytest.raises(IntegrityError), database.as_system() as session:
        session.execute(
            text(
                "insert into audit_entry (organization_id, at, actor, action, object, detail, previous_hash, hash)"
                " select organization_id, at, actor, action, 'b:2', detail, previous_hash, hash from audit_entry"
            )
        )


def test_without_the_right_to_write_an_entry_nothing_is_done(database: Database, clock: FrozenClock) -> None:
    with database.engine.connect() as owner:
        owner.execute(text("revoke insert on audit_entry from sentrikat_system"))
        owner.commit()
        try:
            with pytest.raises(ProgrammingError, match="permission denied"), database.as_system() as session:
                create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=clock.now())
        finally:
            owner.execute(text("grant insert on audit_entry to sentrikat_system"))
            owner.commit()

    with database.as_system() as session:
        assert session.scalar(text("select count(*) from organization")) == 0


def append_some(url: str, chain: int, process: int, count: int) -> None:
    """Write to a chain as one of several processes; every third transaction is rolled back."""
    database = Database(url, application_name="test")
    caller = Caller(chain, f"user:{process}", frozenset())
    clock = SystemClock()
    for number in range(count):
        with suppress(ZeroDivisionError), database.as_system() as session:
            record(session, caller, "a", f"b:{number}", now=clock.now())
            if number % 3 == 2:
                raise ZeroDivisionError
    database.close()


def test_eight_processes_that_also_roll_back_write_one_chain(database: Database) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=append_some, args=(database.url, 0, number, 30)) for number in range(8)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 8
    with database.as_system() as session:
        verified = verify(session, 0)
    assert verified.holds
    assert verified.entries == 8 * 20
