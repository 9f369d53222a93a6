"""Whose rows a transaction may see.

Every transaction runs under one of two roles. The login user's own rights are never used
for reading or writing data, so a forgotten filter cannot show another organization's rows:
PostgreSQL itself refuses them (row_security.py).

    sentrikat_application   rows of one organization, the one named in the transaction
    sentrikat_system        rows of all organizations: the worker, the command line, sign-in
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

APPLICATION_ROLE = "sentrikat_application"
SYSTEM_ROLE = "sentrikat_system"
ORGANIZATION_SETTING = "sentrikat.organization_id"


@dataclass(frozen=True, slots=True)
class Scope:
    """The role of a transaction and, for the application role, its organization."""

    role: str
    organization_id: int | None = None


SYSTEM = Scope(SYSTEM_ROLE)
VISITOR = Scope(APPLICATION_ROLE)  # no organization: sees public knowledge and no tenant row

# `set_config('role', ...)` is SET ROLE as a function: one round trip sets both, and both end
# with the transaction, so a pooled connection never carries a tenant into the next request.
_ENTER = text("select set_config('role', :role, true), set_config(:setting, :organization, true)")


def organization(organization_id: int) -> Scope:
    """Return the scope of one organization."""
    return Scope(APPLICATION_ROLE, organization_id)


def enter(connection: Connection, scope: Scope) -> None:
    """Put the current transaction of `connection` into `scope`."""
    owner = "" if scope.organization_id is None else str(scope.organization_id)
    connection.execute(_ENTER, {"role": scope.role, "setting": ORGANIZATION_SETTING, "organization": owner})


class OrganizationOwned:
    """Mixin of tenant tables: whose row it is. Its migration calls `enable_tenant_security`."""

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id", ondelete="CASCADE"))
