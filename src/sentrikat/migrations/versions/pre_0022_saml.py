"""SAML: our keys, requests under way, messages taken, sessions at providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from sentrikat.infra.database.row_security import restrict_to_system

revision = "pre_0022"
down_revision = "pre_0021"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TABLES = ("saml_key", "saml_request", "saml_used", "saml_session")


def _reference(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete="CASCADE"
    )


def upgrade() -> None:
    """Create the tables; nobody but sign-in reads them."""
    op.create_table(
        "saml_key",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("state in ('next','current','previous')", name=op.f("ck_saml_key_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saml_key")),
        sa.UniqueConstraint("state", name=op.f("uq_saml_key_state")),
    )
    op.create_table(
        "saml_request",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=True),
        sa.Column("again", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("web_session_id", sa.BigInteger(), nullable=True),
        sa.Column("next_path", sa.Text(), server_default="/", nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=True),
        sa.Column("person", JSONB(), nullable=True),
        _reference("saml_request", "provider_id", "identity_provider"),
        _reference("saml_request", "web_session_id", "web_session"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saml_request")),
        sa.UniqueConstraint("request_id", name=op.f("uq_saml_request_request_id")),
        sa.UniqueConstraint("ticket_hash", name=op.f("uq_saml_request_ticket_hash")),
    )
    op.create_table(
        "saml_used",
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("message_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        _reference("saml_used", "provider_id", "identity_provider"),
        sa.PrimaryKeyConstraint("provider_id", "message_hash", name=op.f("pk_saml_used")),
    )
    op.create_table(
        "saml_session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("web_session_id", sa.BigInteger(), nullable=True),
        sa.Column("name_id", sa.Text(), nullable=False),
        sa.Column("name_id_detail", JSONB(), nullable=False),
        sa.Column("session_index", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        _reference("saml_session", "provider_id", "identity_provider"),
        _reference("saml_session", "user_id", "user_account"),
        _reference("saml_session", "web_session_id", "web_session"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saml_session")),
    )
    for table, columns in (
        ("saml_request", ["provider_id"]),
        ("saml_request", ["address"]),
        ("saml_request", ["expires_at"]),
        ("saml_used", ["expires_at"]),
        ("saml_session", ["provider_id", "name_id"]),
        ("saml_session", ["user_id"]),
        ("saml_session", ["web_session_id"]),
        ("saml_session", ["expires_at"]),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
    for table in TABLES:
        restrict_to_system(op, table)
