"""The statements that make the audit log append-only, as a migration runs them.

Three fences: no role has the right to change or truncate entries, a trigger refuses UPDATE and DELETE even
to the owner, and the hash chain shows what a superuser who removed both did.
"""

from __future__ import annotations

from sentrikat.infra.database.tenancy import APPLICATION_ROLE, SYSTEM_ROLE

APPEND_ONLY: tuple[str, ...] = (
    f"revoke update, delete, truncate on audit_entry from {APPLICATION_ROLE}, {SYSTEM_ROLE}",
    f"grant select, insert on audit_entry to {APPLICATION_ROLE}, {SYSTEM_ROLE}",
    """
    create or replace function audit_entry_is_final() returns trigger language plpgsql as $$
    begin
        raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
    end $$
    """,
    """
    create trigger audit_entry_append_only before update or delete on audit_entry
    for each statement execute function audit_entry_is_final()
    """,
)

CHANGEABLE: tuple[str, ...] = (
    "drop trigger audit_entry_append_only on audit_entry",
    "drop function audit_entry_is_final()",
)
