"""Keys with a pepper, networks, a limit of assets and successors; tokens of people."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "pre_0023"
down_revision = "pre_0022"
branch_labels = None
depends_on = None


def columns() -> list[sa.Column[Any]]:
    """Give the new columns of keys."""
    return [
        sa.Column("peppered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("networks", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("max_assets", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("rotated_from", sa.BigInteger(), nullable=True),
        sa.Column("family", sa.BigInteger(), nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
    ]


def upgrade() -> None:
    """Add the columns; keys of before work as they did and are sealed at their next use."""
    for column in columns():
        op.add_column("api_key", column)
    op.create_foreign_key(
        op.f("fk_api_key_user_id_user_account"),
        "api_key",
        "user_account",
        ["user_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(op.f("ix_api_key_user_id"), "api_key", ["user_id"])
    op.add_column("receipt", sa.Column("key_id", sa.BigInteger(), nullable=True))
    op.add_column("asset", sa.Column("key_family", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_asset_key_family",
        "asset",
        ["organization_id", "key_family"],
        postgresql_where=sa.text("key_family is not null"),
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_asset_key_family", "asset")
    op.drop_column("asset", "key_family")
    op.drop_column("receipt", "key_id")
    op.drop_index(op.f("ix_api_key_user_id"), "api_key")
    op.drop_constraint(op.f("fk_api_key_user_id_user_account"), "api_key")
    for column in reversed(columns()):
        op.drop_column("api_key", column.name)
