"""Append to the audit log in one round trip, sign it, and hand it on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.audit.ddl import APPEND_FUNCTION, CHECKPOINTS_APPEND_ONLY
from sentrikat.infra.database.row_security import READ_AND_APPEND, enable_tenant_security, restrict_to_system

revision = "pre_0016"
down_revision = "pre_0015"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Refuse forks, create the function, and the tables of checkpoints and deliveries."""
    op.create_unique_constraint(
        op.f("uq_audit_entry_organization_id_previous_hash"),
        "audit_entry",
        ["organization_id", "previous_hash"],
    )
    for statement in APPEND_FUNCTION:
        op.execute(statement)
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
        sa.UniqueConstraint(
            "organization_id", "number", name=op.f("uq_audit_checkpoint_organization_id_number")
        ),
    )
    enable_tenant_security(op, "audit_checkpoint", rights=READ_AND_APPEND)
    for statement in CHECKPOINTS_APPEND_ONLY:
        op.execute(statement)
    op.create_table(
        "audit_destination",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_destination")),
    )
    op.create_table(
        "audit_delivery",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("destination", "organization_id", name=op.f("pk_audit_delivery")),
    )
    for table in ("audit_destination", "audit_delivery"):
        restrict_to_system(op, table)
