"""Second factors, mailed links for new passwords, accounts for emergencies, and what administrators are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import restrict_to_system

revision = "pre_0021"
down_revision = "pre_0020"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Add the columns and tables; only the system reads and writes them."""
    op.add_column(
        "user_account",
        sa.Column("break_glass", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    for table in ("web_session", "half_open_sign_in"):
        op.add_column(table, sa.Column("factor", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("pending_secret", sa.LargeBinary(), nullable=True))
    op.create_table(
        "totp_factor",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        _of_user("totp_factor"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        _of_user("recovery_code"),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_code")),
    )
    op.create_table(
        "password_reset",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("bound_to", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        _of_user("password_reset"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_reset")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_reset_token_hash")),
    )
    op.create_index(op.f("ix_password_reset_user_id"), "password_reset", ["user_id"], unique=False)
    op.create_table(
        "security_notice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        _of_user("security_notice"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_notice")),
    )
    op.create_index("ix_security_notice_kind_login_at", "security_notice", ["kind", "login", "at"])
    op.create_index(op.f("ix_security_notice_at"), "security_notice", ["at"], unique=False)
    op.create_index(op.f("ix_security_notice_user_id"), "security_notice", ["user_id"], unique=False)
    for table in ("totp_factor", "recovery_code", "password_reset", "security_notice"):
        restrict_to_system(op, table)


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"],
        ["user_account.id"],
        name=op.f(f"fk_{table}_user_id_user_account"),
        ondelete="CASCADE",
    )
