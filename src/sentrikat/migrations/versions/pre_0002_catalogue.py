"""The catalogue of products: what lists of products say, and the indexes that look names up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sentrikat.infra.database.row_security import share_public_table

revision = "pre_0002"
down_revision = "pre_0001"
branch_labels = None
depends_on = None

_CPE_APPLICATION = sa.text("ecosystem = 'cpe:a'")


def upgrade() -> None:
    """Create the table and the indexes."""
    op.create_table(
        "catalogue_product",
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target_software", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("replaced_by_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f("fk_catalogue_product_product_id_product"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by_id"], ["product.id"], name=op.f("fk_catalogue_product_replaced_by_id_product")
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_catalogue_product")),
    )
    share_public_table(op, "catalogue_product")
    op.create_index(
        "ix_product_name_title_trigrams",
        "product_name",
        ["title"],
        postgresql_using="gin",
        postgresql_ops={"title": "gin_trgm_ops"},
    )
    op.create_index(
        "ix_product_cpe_vendor",
        "product",
        [sa.literal_column("regexp_replace(split_part(name, ':', 1), '[^a-z0-9+#]', '', 'g')")],
        postgresql_where=_CPE_APPLICATION,
    )
    op.create_index(
        "ix_product_cpe_words",
        "product",
        [sa.literal_column("regexp_split_to_array(name, '[^a-z0-9+#]+')")],
        postgresql_using="gin",
        postgresql_where=_CPE_APPLICATION,
    )
    op.create_index(
        "ix_product_cpe_trigrams",
        "product",
        ["name"],
        postgresql_using="gin",
        postgresql_ops={"name": "gin_trgm_ops"},
        postgresql_where=_CPE_APPLICATION,
    )


def downgrade() -> None:
    """Drop them."""
    for index in ("ix_product_cpe_trigrams", "ix_product_cpe_words", "ix_product_cpe_vendor"):
        op.drop_index(index, table_name="product")
    op.drop_index("ix_product_name_title_trigrams", table_name="product_name")
    op.drop_table("catalogue_product")
