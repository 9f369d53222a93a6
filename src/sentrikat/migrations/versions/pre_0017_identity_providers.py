"""Directories and SAML providers, their group rules, and the accounts and memberships that come from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from sentrikat.infra.database.row_security import restrict_to_system

revision = "pre_0017"
down_revision = "pre_0016"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Create the tables; accounts and memberships of before belong to nobody but us."""
    op.create_table(
        "identity_provider",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("provisioning", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("settings", JSONB(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_sync_at", MOMENT, nullable=True),
        sa.Column("last_sync", JSONB(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind in ('ldap','saml')", name=op.f("ck_identity_provider_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_provider")),
        sa.UniqueConstraint("name", name=op.f("uq_identity_provider_name")),
    )
    op.create_table(
        "identity_group_rule",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("installation_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "(organization_id is null) = (role is null)",
            name=op.f("ck_identity_group_rule_organization_and_role"),
        ),
        sa.CheckConstraint(
            "organization_id is not null or installation_admin",
            name=op.f("ck_identity_group_rule_gives_something"),
        ),
        sa.CheckConstraint(
            "role in ('viewer','analyst','manager','administrator','auditor')",
            name=op.f("ck_identity_group_rule_role"),
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["identity_provider.id"],
            name=op.f("fk_identity_group_rule_provider_id_identity_provider"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_identity_group_rule_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_group_rule")),
        sa.UniqueConstraint(
            "provider_id", "position", name=op.f("uq_identity_group_rule_provider_id_position")
        ),
    )
    for table in ("identity_provider", "identity_group_rule"):
        restrict_to_system(op, table)
    op.add_column("user_account", sa.Column("email", sa.Text(), nullable=True))
    op.alter_column("user_account", "password_hash", nullable=True)
    op.add_column("user_account", sa.Column("provider_id", sa.BigInteger(), nullable=True))
    op.add_column("user_account", sa.Column("external_id", sa.Text(), nullable=True))
    op.add_column(
        "user_account",
        sa.Column("admin_by_rule", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_user_account_provider"), "user_account", "(provider_id is null) = (external_id is null)"
    )
    op.create_unique_constraint(
        op.f("uq_user_account_provider_id_external_id"), "user_account", ["provider_id", "external_id"]
    )
    op.add_column("membership", sa.Column("provider_id", sa.BigInteger(), nullable=True))
    for table in ("user_account", "membership"):
        op.create_foreign_key(
            op.f(f"fk_{table}_provider_id_identity_provider"),
            table,
            "identity_provider",
            ["provider_id"],
            ["id"],
        )
