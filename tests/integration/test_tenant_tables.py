"""Every tenant table, by raw SQL under the application's own role: what an injected statement would meet.

Out of scope: somebody who chooses whole statements outside the queries of this program, or the login's
password. They can take the system role themselves, as the program does; what is shown about them here is
only that nothing of it outlives their transaction.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from sentrikat.infra.database import Database
from sentrikat.infra.database.engine import conninfo
from sentrikat.migrations import all_metadata
from tests.postgres import SharedServer
from tests.tenants import fill, owner_column, tenant_tables

TABLES = tenant_tables()
OURS, THEIRS = 101, 102


@pytest.fixture(scope="module")
def filled(database_server: SharedServer) -> Iterator[Database]:
    """A row of two organizations in every tenant table."""
    name = f"tenants_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test", pool_size=1)
    with psycopg.connect(conninfo(database.url)) as connection:
        for number in (OURS, THEIRS):
            connection.execute(
                "insert into organization (id, slug, name, created_at) overriding system value"
                " values (%s, %s, 'x', now())",
                [number, f"o{number}"],
            )
    fill(database.url, {"ours": OURS, "theirs": THEIRS})
    yield database
    database.close()
    database_server.drop(name)


def rights(database: Database, table: str) -> set[str]:
    """What the application's role may do with a table at all, as far as the schema says."""
    with database.as_system() as session:
        found = session.execute(
            text(
                "select right_ from unnest(array['select','insert','update','delete']) right_"
                " where has_table_privilege('sentrikat_application', cast(:table as regclass), right_)"
            ),
            {"table": table},
        )
        return set(found.scalars())


def count(database: Database, table: str, organization: int) -> int:
    statement = text(f"select count(*) from {table} where {owner_column(table)} = :number")
    with database.as_system() as session:
        return int(session.execute(statement, {"number": organization}).scalar_one())


def attempt(session: Session, statement: str, **values: object) -> int | None:
    """Give how many rows a statement reached, or None when the database refused it."""
    try:
        with session.begin_nested():
            return session.execute(text(statement), values).rowcount  # type: ignore[attr-defined,no-any-return]
    except ProgrammingError as error:
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        return None


def test_the_tables_are_all_there(filled: Database) -> None:
    assert len(TABLES) >= 14
    for table in TABLES:
        assert count(filled, table, OURS), table
        assert count(filled, table, THEIRS), table


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_another_organization_are_neither_read_nor_changed(filled: Database, table: str) -> None:
    owner, allowed = owner_column(table), rights(filled, table)
    before = count(filled, table, OURS), count(filled, table, THEIRS)
    columns = ", ".join(
        column.name
        for column in all_metadata().tables[table].columns
        if column.name != owner and column.identity is None
    )
    others = f", {columns}" if columns else ""
    statements = {
        "select": f"select from {table} where {owner} = :theirs",
        "update": f"update {table} set {owner} = {owner} where {owner} = :theirs",
        "delete": f"delete from {table} where {owner} = :theirs",
    }
    with filled.as_organization(OURS) as session:
        for right, statement in statements.items():
            reached = attempt(session, statement, theirs=THEIRS)
            assert reached == (0 if right in allowed else None), right
        # Written in another's name, or given away.
        planted = f"insert into {table} ({owner}{others}) overriding system value select :theirs{others} from {table}"
        assert attempt(session, planted, theirs=THEIRS) is None
        assert attempt(session, f"update {table} set {owner} = :theirs", theirs=THEIRS) is None
        assert attempt(session, f"truncate {table}") is None
        if "select" in allowed:
            assert session.execute(text(f"select distinct {owner} from {table}")).scalars().all() == [OURS]
        session.rollback()
    assert (count(filled, table, OURS), count(filled, table, THEIRS)) == before


@pytest.mark.parametrize("table", TABLES)
def test_without_an_organization_there_is_nothing(filled: Database, table: str) -> None:
    allowed = rights(filled, table)
    with filled.as_visitor() as session:
        for right, statement in (
            ("select", f"select from {table}"),
            ("update", f"update {table} set {owner_column(table)} = {owner_column(table)}"),
            ("delete", f"delete from {table}"),
        ):
            assert attempt(session, statement) == (0 if right in allowed else None), right


@pytest.mark.parametrize("table", TABLES)
def test_a_connection_that_took_no_role_is_no_way_around_for_an_owner(filled: Database, table: str) -> None:
    """The login owns the tables; FORCE holds it to the policies as well, unless it is a superuser."""
    with filled.as_system() as session:
        forced = session.execute(
            text(
                "select relrowsecurity and relforcerowsecurity from pg_class where oid = cast(:t as regclass)"
            ),
            {"t": table},
        ).scalar_one()
    assert forced or not rights(filled, table)


@pytest.mark.parametrize(
    "injected",
    [
        "select set_config('sentrikat.organization_id', :theirs, true)",  # the setting, forged
        "select set_config('sentrikat.organization_id', :theirs, false)",
        "select set_config('role', 'sentrikat_system', true) || :theirs",  # the role, left
        "select set_config('role', 'none', true) || :theirs",
        "select name from asset where hostname = :theirs; reset role",  # a second statement
        "select name from asset where hostname = :theirs; select 1",
        "select query_to_xml('reset role', true, false, :theirs)",  # a statement in a function
        "select query_to_xml('set local role sentrikat_system', true, false, :theirs)",
        "select query_to_xml('select set_config(''role'', ''none'', true)', true, false, :theirs)",
        "select pg_read_file('postgresql.conf') || :theirs",
        "select lo_import('/etc/passwd') || :theirs",
        "select sentrikat_analyze(cast(:theirs as regclass))",
        "copy asset to program 'true' -- :theirs",
        "alter table asset disable row level security -- :theirs",
        "drop policy asset_organization on asset -- :theirs",
        "create policy open on asset using (true) -- :theirs",
        "grant sentrikat_system to sentrikat_application -- :theirs",
        "alter role sentrikat_application bypassrls -- :theirs",
    ],
)
def test_what_is_injected_into_a_query_of_ours_does_not_lead_out(filled: Database, injected: str) -> None:
    """A query of ours carries values, so the server takes one statement of it and no second."""
    with pytest.raises(DBAPIError), filled.as_organization(OURS) as session:
        session.execute(text(injected), {"theirs": str(THEIRS)})
        session.execute(text("select 1"))
    with filled.as_organization(OURS) as session:
        assert session.execute(text("select distinct organization_id from asset")).scalars().all() == [OURS]


@pytest.mark.parametrize("form", ["union", "subquery", "cte", "lateral"])
def test_another_query_inside_ours_sees_our_rows_only(filled: Database, form: str) -> None:
    statement = {
        "union": "select organization_id from asset where id = :n union select organization_id from receipt",
        "subquery": "select (select max(organization_id) from finding) where :n = :n",
        "cte": "with x as (update asset set criticality = 3 returning organization_id) select * from x where :n = :n",
        "lateral": "select o.id from organization o, lateral (select from membership where :n = :n) m",
    }[form]
    with filled.as_organization(OURS) as session:
        assert set(session.execute(text(statement), {"n": 0}).scalars()) == {OURS}
        session.rollback()


def test_switching_row_security_off_is_an_error_and_shows_nothing_more(filled: Database) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), filled.as_organization(OURS) as session:
        session.execute(text("set local row_security = off"))
        session.execute(text("select * from asset"))


# What somebody who chooses whole statements could leave behind on a connection that others get next.
LEFT_BEHIND = [
    "set session role sentrikat_system",
    "set role none",
    "reset role",
    "set sentrikat.organization_id = '102'",
    "set session authorization default",
    "set session search_path = pg_temp",
    "set session statement_timeout = '1ms'",
    "set session row_security = off",
    "create temporary table asset (id bigint)",
    "prepare stolen as select 1",
    "listen everything",
]


@pytest.mark.parametrize("ending", ["commit", "error", "rollback", "cancelled", "abandoned"])
@pytest.mark.parametrize("statement", LEFT_BEHIND)
def test_a_connection_comes_back_clean(filled: Database, statement: str, ending: str) -> None:
    """The pool has one connection, so the next checkout is the same one, however the last one ended."""
    with suppress(DBAPIError, RuntimeError), filled.as_organization(OURS) as session:
        backend = session.execute(text("select pg_backend_pid()")).scalar_one()
        session.connection().exec_driver_sql(statement)
        match ending:
            case "error":
                session.execute(text("select 1 / 0"))
            case "rollback":
                session.rollback()
            case "cancelled":
                session.connection().exec_driver_sql("set local statement_timeout = '1ms'")
                session.execute(text("select pg_sleep(1)"))
            case "abandoned":
                raise RuntimeError
    with filled.engine.connect() as connection:
        row = connection.execute(
            text(
                "select pg_backend_pid(), current_user = session_user, current_setting('role'),"
                " coalesce(current_setting('sentrikat.organization_id', true), ''),"
                " current_setting('search_path'), current_setting('statement_timeout'),"
                " current_setting('row_security'), to_regclass('pg_temp.asset'),"
                " (select count(*) from pg_listening_channels())"
            )
        ).one()
    assert tuple(row) == (backend, True, "none", "", '"$user", public', "0", "on", None, 0)
    with filled.as_organization(OURS) as session:
        assert session.execute(text("select distinct organization_id from asset")).scalars().all() == [OURS]


def test_a_connection_whose_server_went_away_is_not_used_again(filled: Database) -> None:
    with pytest.raises(OperationalError), filled.as_organization(OURS) as session:
        backend = session.execute(text("select pg_backend_pid()")).scalar_one()
        with psycopg.connect(conninfo(filled.url), autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [backend])
        session.execute(text("select 1"))
    with filled.as_organization(OURS) as session:
        assert session.execute(text("select pg_backend_pid()")).scalar_one() != backend
        assert session.execute(text("select distinct organization_id from asset")).scalars().all() == [OURS]
