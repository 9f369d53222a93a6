"""The statements that make the audit log append-only and append to it, as migrations run them.

Three fences: no role has the right to change or truncate entries, a trigger refuses UPDATE and DELETE even
to the owner, and the hash chain shows what a superuser who removed both did.
"""

from __future__ import annotations

from sentrikat.domain.hash_chain import FORM, GENESIS
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

CHECKPOINTS_APPEND_ONLY: tuple[str, ...] = (
    f"revoke insert, update, delete, truncate on audit_checkpoint from {APPLICATION_ROLE}",
    f"revoke update, delete, truncate on audit_checkpoint from {SYSTEM_ROLE}",
    """
    create trigger audit_checkpoint_append_only before update or delete on audit_checkpoint
    for each statement execute function audit_entry_is_final()
    """,
)

APPEND_SIGNATURE = "audit_append(bigint, bigint, timestamptz, text, text, text[], text[], text[], bytea[])"

# One round trip: wait for the chain, read its head, hash and insert, entry by entry. It runs with the rights of
# whoever calls it, so row-level security and a right taken away hold here as anywhere. Each statement of a function
# sees what was committed while it waited (READ COMMITTED), hence the true head.
APPEND_FUNCTION: tuple[str, ...] = (
    f"""
    create or replace function audit_append(
        chain bigint, chain_lock bigint, moment timestamptz, who text, source text,
        actions text[], objects text[], details text[], contents bytea[]
    ) returns bigint language plpgsql set search_path from current as $$
    declare
        previous bytea;
        digest bytea;
        number bigint;
    begin
        perform pg_advisory_xact_lock(chain_lock);
        select e.hash into previous from audit_entry e
        where e.organization_id = chain order by e.id desc limit 1;
        previous := coalesce(previous, '\\x{GENESIS.hex()}'::bytea);
        for i in 1 .. cardinality(contents) loop
            digest := sha256('\\x{FORM.hex()}'::bytea || previous || contents[i]);
            insert into audit_entry (organization_id, at, actor, action, object, address, detail, previous_hash, hash)
            values (chain, moment, who, actions[i], objects[i], source, details[i]::jsonb, previous, digest)
            returning id into number;
            previous := digest;
        end loop;
        return number;
    end $$
    """,  # noqa: S608  # what is put in are constants of this program
    f"revoke all on function {APPEND_SIGNATURE} from public",
    f"grant execute on function {APPEND_SIGNATURE} to {APPLICATION_ROLE}, {SYSTEM_ROLE}",
)
