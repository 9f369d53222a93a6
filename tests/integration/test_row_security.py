"""Tenancy in the database: what a role may see, whatever the query forgets."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from sentrikat.infra.database import Database, copy_rows, row_security
from sentrikat.infra.jobs import enqueue
from sentrikat.migrations import runner


class _Cursor:
    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def execute(self, sqltext: str) -> None:
        self._connection.execute(sqltext)


@pytest.fixture(params=["superuser", "ordinary user with CREATEROLE"])
def tenants(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Database]:
    """A database with a tenant table `thing` and a public table `product`, and two tenants."""
    url = empty_database_url
    if request.param != "superuser":
        with psycopg.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f"drop role if exists {name}")
            connection.execute(f"create role {name} login createrole password 'secret'")
            connection.execute(f"alter database {name} owner to {name}")
            connection.execute(f"grant create on schema public to {name}")
            # As an administrator prepares a server where the roles exist already.
            for role in ("sentrikat_application", "sentrikat_system"):
                connection.execute(f"grant {role} to {name}")
        user, _, rest = url.removeprefix("postgresql://").partition("@")
        url = f"postgresql://{name}:secret@{rest}"
        assert user
    runner.upgrade(url)
    with psycopg.connect(url) as connection:
        op = _Cursor(connection)
        op.execute("create table thing (organization_id bigint not null, id bigserial, name text)")
        op.execute("create table public_product (id bigint generated always as identity, name text)")
        row_security.enable_tenant_security(op, "thing")
        row_security.share_public_table(op, "public_product")
    database = Database(url)
    with database.as_system() as session:
        session.execute(text("insert into thing (organization_id, name) values (1, 'one'), (2, 'two')"))
        session.execute(text("insert into public_product (name) values ('openssl')"))
    yield database
    database.close()
    if request.param != "superuser":
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute(f"reassign owned by {name} to current_user")
            connection.execute(f"drop owned by {name}")
            connection.execute(f"drop role {name}")


NAMES = text("select name from thing order by name")


def test_an_organization_sees_its_rows_only(tenants: Database) -> None:
    with tenants.as_organization(1) as session:
        assert session.execute(NAMES).scalars().all() == ["one"]


def test_the_system_sees_all_rows(tenants: Database) -> None:
    with tenants.as_system() as session:
        assert session.execute(NAMES).scalars().all() == ["one", "two"]


def test_a_visitor_sees_public_knowledge_and_no_tenant_row(tenants: Database) -> None:
    with tenants.as_visitor() as session:
        assert session.execute(NAMES).scalars().all() == []
        assert session.execute(text("select name from public_product")).scalars().all() == ["openssl"]


def test_an_organization_cannot_write_a_row_of_another(tenants: Database) -> None:
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        tenants.as_organization(1) as session,
    ):
        session.execute(text("insert into thing (organization_id, name) values (2, 'planted')"))


def test_an_organization_cannot_write_public_knowledge(tenants: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), tenants.as_organization(1) as session:
        session.execute(text("update public_product set name = 'x'"))


def test_the_scope_is_taken_again_after_a_commit_inside_the_block(tenants: Database) -> None:
    with tenants.as_organization(2) as session:
        session.execute(text("insert into thing (organization_id, name) values (2, 'zwei')"))
        session.commit()
        assert session.execute(NAMES).scalars().all() == ["two", "zwei"]


def test_a_pooled_connection_carries_no_tenant_into_the_next_transaction(tenants: Database) -> None:
    with tenants.as_organization(1) as session:
        session.execute(NAMES)
    with tenants.engine.connect() as connection:
        current = connection.execute(text("select current_setting('sentrikat.organization_id', true)"))
        assert current.scalar_one() in {None, ""}


def test_an_error_rolls_the_whole_block_back(tenants: Database) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), tenants.as_system() as session:
        session.execute(text("delete from thing"))
        raise RuntimeError("in the middle")
    with tenants.as_system() as session:
        assert len(session.execute(NAMES).all()) == 2


def test_the_system_copies_into_public_tables_and_analyzes_them(tenants: Database) -> None:
    with tenants.as_system() as session:
        assert copy_rows(session, "public_product", ["name"], ((f"p{n}",) for n in range(1000))) == 1000
        row_security.analyze(session, "public_product")
        estimate = text("select reltuples from pg_class where relname = 'public_product'")
        assert session.execute(estimate).scalar_one() == 1001


def test_an_organization_queues_a_job_in_its_own_transaction_and_cannot_read_the_queue(
    tenants: Database,
) -> None:
    with tenants.as_organization(1) as session:
        assert enqueue(session, "ingest_report", receipt_id=7) is not None
    with pytest.raises(ProgrammingError, match="permission denied"), tenants.as_organization(1) as session:
        session.execute(text("select * from procrastinate_jobs"))


def test_a_waiting_job_of_the_same_queueing_lock_is_enough(tenants: Database) -> None:
    with tenants.as_organization(1) as session:
        first = enqueue(session, "reconcile", queueing_lock="reconcile:1", asset=1)
        assert first is not None
        assert enqueue(session, "reconcile", queueing_lock="reconcile:1", asset=1) is None
        assert enqueue(session, "reconcile", queueing_lock="reconcile:2", asset=2) is not None


def test_a_job_is_not_queued_when_its_transaction_fails(tenants: Database) -> None:
    with pytest.raises(RuntimeError), tenants.as_organization(1) as session:
        enqueue(session, "ingest_report", receipt_id=7)
        raise RuntimeError
    with psycopg.connect(tenants.url) as connection:
        row = connection.execute("select count(*) from procrastinate_jobs").fetchone()
        assert row == (0,)


def test_what_runs_with_its_owner_s_rights_looks_for_temporary_tables_last(tenants: Database) -> None:
    """A temporary table of the same name would else be taken for the queue, and a view would run with those rights."""
    with tenants.as_system() as session:
        session.execute(text("create temporary table procrastinate_jobs (queueing_lock text, status text)"))
        session.execute(text("insert into procrastinate_jobs values ('reconcile:1', 'todo')"))
        assert enqueue(session, "reconcile", queueing_lock="reconcile:1", asset=1) is not None
        paths = session.execute(
            text(
                "select proname, proconfig from pg_proc where pronamespace = current_schema()::regnamespace"
                " and prosecdef or proname = 'audit_append' order by proname"
            )
        ).all()
        session.execute(text("drop table pg_temp.procrastinate_jobs"))

    assert {name: [one.rpartition(", ")[2] for one in path or ()] for name, path in paths} == {
        "audit_append": ["pg_temp"],
        "sentrikat_analyze": ["pg_temp"],
        "sentrikat_enqueue": ["pg_temp"],
    }


def test_an_organization_makes_nothing_that_could_stand_in_the_way_of_a_table(tenants: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), tenants.as_organization(1) as session:
        session.execute(text("create temporary table asset (id bigint)"))
