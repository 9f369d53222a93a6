"""What people say software is, and the candidates they choose from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import enable_tenant_security, share_public_table

revision = "pre_0011"
down_revision = "pre_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.add_column("component", sa.Column("corrected", sa.Text(), nullable=True))
    op.create_table(
        "identification_candidate",
        sa.Column("component_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("evidence", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["component_id"],
            ["component.id"],
            name=op.f("fk_identification_candidate_component_id_component"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f("fk_identification_candidate_product_id_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("component_id", "product_id", name=op.f("pk_identification_candidate")),
    )
    share_public_table(op, "identification_candidate")
    op.create_table(
        "title_correction",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("bundle_id", sa.Text(), nullable=True),
        sa.Column("meaning", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "coalesce(title, vendor, bundle_id) is not null", name=op.f("ck_title_correction_pattern")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_title_correction_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_title_correction")),
    )
    op.create_index("ix_title_correction_organization_id", "title_correction", ["organization_id", "id"])
    enable_tenant_security(op, "title_correction")


def downgrade() -> None:
    """Drop them."""
    op.drop_table("title_correction")
    op.drop_table("identification_candidate")
    op.drop_column("component", "corrected")
