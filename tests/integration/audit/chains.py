"""Chains to attack, and the rights of a superuser to do it with."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database

CHAIN = 7  # an organization; the audit log asks for no row of it


def written(database: Database, clock: FrozenClock, count: int = 6, chain: int = CHAIN) -> list[int]:
    """Write entries, one a second; give their ids."""
    caller = Caller(chain, "user:1", frozenset(), "192.0.2.1")
    with database.as_system() as session:
        for number in range(1, count + 1):
            clock.advance(timedelta(seconds=1))
            record(session, caller, "asset.changed", f"asset:{number}", {"name": "Zürich ✓"}, now=clock.now())
        return list(
            session.scalars(
                text("select id from audit_entry where organization_id = :chain order by id"),
                {"chain": chain},
            )
        )


def attack(database: Database, *statements: str) -> None:
    """Run statements as somebody who may do everything in the database, and knows what is in the way."""
    with database.engine.connect() as owner:
        for table in ("audit_entry", "audit_checkpoint"):
            owner.execute(text(f"alter table {table} disable trigger {table}_append_only"))
            owner.execute(text(f"alter table {table} no force row level security"))
        for statement in statements:
            owner.execute(text(statement))
        for table in ("audit_entry", "audit_checkpoint"):
            owner.execute(text(f"alter table {table} force row level security"))
            owner.execute(text(f"alter table {table} enable trigger {table}_append_only"))
        owner.commit()
