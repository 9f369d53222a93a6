"""PostgreSQL: engine, sessions with a tenant, row-level security, locks, COPY, the embedded server."""

from __future__ import annotations

from sentrikat.infra.database.base import Base
from sentrikat.infra.database.copy import copy_rows
from sentrikat.infra.database.locks import advisory_lock, try_advisory_lock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.database.tenancy import OrganizationOwned

__all__ = ["Base", "Database", "OrganizationOwned", "advisory_lock", "copy_rows", "try_advisory_lock"]
