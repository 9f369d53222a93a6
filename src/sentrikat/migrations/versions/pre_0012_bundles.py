"""Whose bundles are trusted, which were made here, and which were taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from sentrikat.infra.database.row_security import restrict_to_system

revision = "pre_0012"
down_revision = "pre_0011"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Create the tables; only the system reads and writes them."""
    op.create_table(
        "bundle_root",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("pinned_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_bundle_root")),
    )
    op.create_table(
        "bundle_export",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("base_sequence", sa.BigInteger(), nullable=True),
        sa.Column("states", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "sequence", name=op.f("pk_bundle_export")),
    )
    op.create_table(
        "bundle_import",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("base_sha256", sa.Text(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("offered_at", MOMENT, nullable=False),
        sa.Column("offered_by", sa.Text(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("outcomes", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "state in ('pending', 'rejected', 'importing', 'incomplete', 'imported')",
            name=op.f("ck_bundle_import_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle_import")),
        sa.UniqueConstraint("sha256", name=op.f("uq_bundle_import_sha256")),
    )
    op.create_index("ix_bundle_import_origin_sequence", "bundle_import", ["origin", "sequence"])
    for table in ("bundle_root", "bundle_export", "bundle_import"):
        restrict_to_system(op, table)
