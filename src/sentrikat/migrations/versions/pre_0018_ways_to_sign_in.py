"""Sessions that know how they were opened, and sign-ins half done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import restrict_to_system

revision = "pre_0018"
down_revision = "pre_0017"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Add the columns; a session of before was opened by a password, when it was made."""
    op.add_column("web_session", sa.Column("method", sa.Text(), server_default="password", nullable=False))
    op.add_column("web_session", sa.Column("provider_id", sa.BigInteger(), nullable=True))
    op.add_column("web_session", sa.Column("authenticated_at", MOMENT, nullable=True))
    op.execute("update web_session set authenticated_at = created_at")
    op.alter_column("web_session", "authenticated_at", nullable=False)
    op.create_table(
        "half_open_sign_in",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=True),
        sa.Column("csrf_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("next_path", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_half_open_sign_in_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_half_open_sign_in")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_half_open_sign_in_token_hash")),
    )
    op.create_index(op.f("ix_half_open_sign_in_user_id"), "half_open_sign_in", ["user_id"], unique=False)
    restrict_to_system(op, "half_open_sign_in")
