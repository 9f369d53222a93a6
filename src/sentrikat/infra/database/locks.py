"""Advisory locks: one at a time, over all processes and machines that share the database."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

# Held alone while public knowledge changes and matches follow, shared while an inventory is taken in.
KNOWLEDGE = "knowledge"


def lock_number(name: str) -> int:
    """Return the 64-bit number PostgreSQL knows the lock `name` by."""
    digest = hashlib.sha256(f"sentrikat:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def advisory_lock(session: Session | Connection, name: str) -> None:
    """Wait for the lock `name` and hold it until the transaction ends."""
    session.execute(text("select pg_advisory_xact_lock(:number)"), {"number": lock_number(name)})


def shared_advisory_lock(session: Session | Connection, name: str) -> None:
    """Wait until nobody holds the lock `name` alone, and keep it shared until the transaction ends."""
    session.execute(text("select pg_advisory_xact_lock_shared(:number)"), {"number": lock_number(name)})


def try_advisory_lock(session: Session | Connection, name: str) -> bool:
    """Take the lock `name` until the transaction ends, or say that another holds it."""
    statement = text("select pg_try_advisory_xact_lock(:number)")
    return bool(session.execute(statement, {"number": lock_number(name)}).scalar_one())
