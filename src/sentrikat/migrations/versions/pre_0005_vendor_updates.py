"""Updates of vendors, what an asset has of them, and the architecture of a component."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import share_public_table

revision = "pre_0005"
down_revision = "pre_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the columns."""
    op.create_table(
        "vendor_update",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("advisory_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("released", sa.Date(), nullable=True),
        sa.Column("fixed_build", sa.Text(), nullable=True),
        sa.Column("supersedes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("vulnerabilities", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_to", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_update")),
    )
    op.create_index(
        "ix_vendor_update_current_product",
        "vendor_update",
        ["product_id"],
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_index("ix_vendor_update_advisory_id", "vendor_update", ["advisory_id"])
    share_public_table(op, "vendor_update")
    op.add_column("component", sa.Column("arch", sa.Text(), nullable=True))
    op.add_column(
        "asset",
        sa.Column("held_updates", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("asset", "held_updates")
    op.drop_column("component", "arch")
    op.drop_table("vendor_update")
