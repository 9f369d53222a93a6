"""Roles, rights and row-level security, as migrations write them.

create_roles(op)                       once, in the first migration
enable_tenant_security(op, "asset")    for every table with an organization_id
share_public_table(op, "product")      public knowledge: everyone reads, the system writes
restrict_to_system(op, "user_session") the application role sees nothing of it
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.locks import lock_number
from sentrikat.infra.database.tenancy import APPLICATION_ROLE, ORGANIZATION_SETTING, SYSTEM_ROLE

READ_AND_WRITE = "select, insert, update, delete"
READ_AND_APPEND = "select, insert"  # journals: what is written stays as it is


class Operations(Protocol):
    """The part of Alembic's `op` that is used here."""

    def execute(self, sqltext: str) -> object:
        """Run one statement."""


# Roles belong to the whole cluster, so two databases of one cluster may create them in the
# same instant (tests do). The lock covers one database; the exceptions cover the rest.
# An administrator may have created the roles beforehand for a login user without CREATEROLE.
_CREATE_ROLE = """
do $$
begin
    perform pg_advisory_xact_lock({lock});
    if not exists (select from pg_roles where rolname = '{role}') then
        begin
            create role {role} nologin;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
    -- From 16 on, the creator is a member but may not SET ROLE until that is granted as well.
    if not pg_has_role(current_user, '{role}',
                       case when current_setting('server_version_num')::int < 160000
                            then 'member' else 'set' end) then
        begin
            execute format('grant {role} to %I', current_user);
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
end $$
"""

_TENANT_POLICIES = """
alter table {table} enable row level security;
alter table {table} force row level security;
create policy {table}_organization on {table} to {application}
    using ({column} = nullif(current_setting('{setting}', true), '')::bigint)
    with check ({column} = nullif(current_setting('{setting}', true), '')::bigint);
create policy {table}_system on {table} to {system} using (true) with check (true);
"""


# An identity column needs no right on its sequence; a serial one does.
_GRANT_SEQUENCES = """
do $$
declare name text;
begin
    for name in
        select pg_get_serial_sequence('{table}', attname) from pg_attribute
        where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped
    loop
        if name is not null then
            execute 'grant usage on sequence ' || name || ' to {application}, {system}';
        end if;
    end loop;
end $$
"""

# A function that runs with its owner's rights names its schema, and temporary objects last: unless they are named,
# they are looked at first, and whoever may make one could put a table or a view of the same name in the way.
FIXED_PATH = """
do $$
begin
    execute format('alter function {function} set search_path = %I, pg_temp', current_schema());
end $$
"""

# Only bulk loads of the system make temporary tables; everybody else may not, PUBLIC's default included.
NO_TEMPORARY = f"""
do $$
begin
    execute format('revoke temporary on database %I from public, {APPLICATION_ROLE}', current_database());
end $$
"""
TEMPORARY = f"""
do $$
begin
    execute format('grant temporary on database %I to public, {APPLICATION_ROLE}', current_database());
end $$
"""

# Bulk loads need fresh planner statistics, and ANALYZE is the owner's right alone in
# PostgreSQL 15 (MAINTAIN came with 17), so the system role calls this function.
_ANALYZE = """
create or replace function sentrikat_analyze(target regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    execute format('analyze %s', target);
end $$
"""


# An injected query could name another organization with `set_config`, which is a function, whereas SET is a statement
# and cannot stand inside one. Transactions are begun by the login itself, before it takes a role. Where the login is
# no superuser it may not change the rights of a built-in function; docs/admin/external-database.md says what to run.
REFUSE_FORGING = """
do $$
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        revoke execute on function pg_catalog.set_config(text, text, boolean) from public;
        grant execute on function pg_catalog.set_config(text, text, boolean) to sentrikat_system;
    end if;
end $$
"""
ALLOW_FORGING = """
do $$
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        grant execute on function pg_catalog.set_config(text, text, boolean) to public;
    end if;
end $$
"""


def create_roles(op: Operations) -> None:
    """Create the two roles unless they exist, and let the login user take them on."""
    for role in (APPLICATION_ROLE, SYSTEM_ROLE):
        op.execute(_CREATE_ROLE.format(role=role, lock=lock_number("roles")))
    op.execute(f"grant usage on schema public to {APPLICATION_ROLE}, {SYSTEM_ROLE}")
    # The system role makes temporary tables for bulk loads; the right is PUBLIC's by default,
    # and taken away below (NO_TEMPORARY).
    op.execute(
        "do $$ begin execute format('grant temporary on database %I to "
        f"{SYSTEM_ROLE}', current_database()); end $$"
    )
    op.execute(_ANALYZE)
    op.execute("revoke all on function sentrikat_analyze(regclass) from public")
    op.execute(f"grant execute on function sentrikat_analyze(regclass) to {SYSTEM_ROLE}")


def enable_tenant_security(
    op: Operations, table: str, *, column: str = "organization_id", rights: str = READ_AND_WRITE
) -> None:
    """Let the application role see and write only rows of its organization.

    `column` is `id` for the organization table itself. FORCE holds the table's owner to the
    policies too, so a connection that forgot to take a role sees nothing.
    """
    statements = _TENANT_POLICIES.format(
        table=table,
        column=column,
        setting=ORGANIZATION_SETTING,
        application=APPLICATION_ROLE,
        system=SYSTEM_ROLE,
    )
    for statement in filter(str.strip, statements.split(";")):
        op.execute(statement)
    op.execute(f"grant {rights} on {table} to {APPLICATION_ROLE}")
    _grant_system(op, table)


def share_public_table(op: Operations, table: str) -> None:
    """Let everyone read `table` and only the system write it."""
    op.execute(f"grant select on {table} to {APPLICATION_ROLE}")
    _grant_system(op, table)


def restrict_to_system(op: Operations, table: str) -> None:
    """Let only the system read and write `table`."""
    _grant_system(op, table)


def _grant_system(op: Operations, table: str) -> None:
    op.execute(f"grant {READ_AND_WRITE}, truncate on {table} to {SYSTEM_ROLE}")
    op.execute(_GRANT_SEQUENCES.format(table=table, application=APPLICATION_ROLE, system=SYSTEM_ROLE))


def analyze(session: Session, table: str) -> None:
    """Refresh the planner's statistics of `table` after a bulk load."""
    session.execute(text("select sentrikat_analyze(cast(:name as regclass))"), {"name": table})
