"""Until when releases get repairs, and which release a component belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sentrikat.infra.database.row_security import share_public_table

revision = "pre_0008"
down_revision = "pre_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; they fill with the first run of the feed and the next report."""
    op.create_table(
        "release_cycle",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("latest", sa.Text(), nullable=True),
        sa.Column("released_on", sa.Date(), nullable=True),
        sa.Column("security_ends_on", sa.Date(), nullable=True),
        sa.Column("security_over", sa.Boolean(), nullable=True),
        sa.Column("support_ends_on", sa.Date(), nullable=True),
        sa.Column("support_over", sa.Boolean(), nullable=True),
        sa.Column("extended_ends_on", sa.Date(), nullable=True),
        sa.Column("extended_over", sa.Boolean(), nullable=True),
        sa.Column("valid_from", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_to", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_cycle")),
    )
    op.create_index(
        "uq_release_cycle_current",
        "release_cycle",
        ["product", "cycle"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "cycle_product",
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f("fk_cycle_product_product_id_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_cycle_product")),
    )
    op.create_table(
        "component_cycle",
        sa.Column("component_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["component_id"],
            ["component.id"],
            name=op.f("fk_component_cycle_component_id_component"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("component_id", name=op.f("pk_component_cycle")),
    )
    op.create_index("ix_component_cycle_product_cycle", "component_cycle", ["product", "cycle"])
    for table in ("release_cycle", "cycle_product", "component_cycle"):
        share_public_table(op, table)


def downgrade() -> None:
    """Drop them."""
    for table in ("component_cycle", "cycle_product", "release_cycle"):
        op.drop_table(table)
