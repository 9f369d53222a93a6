"""Every table says whose rows it holds, and PostgreSQL keeps it."""

from __future__ import annotations

import psycopg
import pytest

from sentrikat.infra.database.engine import conninfo
from sentrikat.migrations import all_metadata
from tests.postgres import TEMPLATE, SharedServer

TABLES = sorted(all_metadata().tables)
OWNED = [name for name in TABLES if "organization_id" in all_metadata().tables[name].columns]


@pytest.fixture(scope="module")
def facts(database_server: SharedServer) -> dict[str, dict[str, object]]:
    """What PostgreSQL knows of each table: forced security, policies, rights of the application."""
    query = """
        select c.relname, c.relrowsecurity and c.relforcerowsecurity,
               (select count(*) from pg_policy p where p.polrelid = c.oid),
               has_table_privilege('sentrikat_application', c.oid, 'select'),
               has_table_privilege('sentrikat_application', c.oid, 'insert, update, delete, truncate')
        from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    """
    with psycopg.connect(conninfo(database_server.url(TEMPLATE))) as connection:
        return {
            name: {"forced": forced, "policies": policies, "reads": reads, "writes": writes}
            for name, forced, policies, reads, writes in connection.execute(query)
        }


@pytest.mark.parametrize("table", OWNED)
def test_a_tenant_table_is_under_forced_row_security(table: str, facts: dict[str, dict[str, object]]) -> None:
    if facts[table]["reads"] or facts[table]["writes"]:
        assert facts[table]["forced"], "its migration must call enable_tenant_security"
        assert facts[table]["policies"]


@pytest.mark.parametrize("table", [name for name in TABLES if name not in OWNED])
def test_a_table_without_organization_is_not_written_by_the_application(
    table: str, facts: dict[str, dict[str, object]]
) -> None:
    assert facts[table]["forced"] or not facts[table]["writes"]


def test_the_application_cannot_read_the_queue(facts: dict[str, dict[str, object]]) -> None:
    queue = {name for name in facts if name.startswith("procrastinate_")}
    assert queue
    assert not any(facts[name]["reads"] or facts[name]["writes"] for name in queue)
