"""Roles that an organization makes for itself.

The release before does not know the word `custom`: until every process is of this one, a member with such a role is
let in by this one alone. Nothing has it before somebody gives it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import enable_tenant_security

revision = "pre_0026"
down_revision = "pre_0025"
branch_labels = None
depends_on = None

_ROLE = "ck_membership_role"
_OLD_ROLES = "role in ('viewer','analyst','manager','administrator','auditor')"
_NEW_ROLES = "role in ('viewer','analyst','manager','administrator','auditor','custom')"


def upgrade() -> None:
    """Create the table, and let memberships name a row of it."""
    op.create_table(
        "custom_role",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("cardinality(permissions) > 0", name=op.f("ck_custom_role_permissions")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_custom_role_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_role")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_custom_role_organization_id_id")),
        sa.UniqueConstraint(
            "organization_id", "folded_name", name=op.f("uq_custom_role_organization_id_folded_name")
        ),
    )
    enable_tenant_security(op, "custom_role")
    op.add_column("membership", sa.Column("custom_role_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_membership_organization_id_custom_role_id_custom_role"),
        "membership",
        "custom_role",
        ["organization_id", "custom_role_id"],
        ["organization_id", "id"],
    )
    # A wider check, which every row of the release before keeps as well.
    op.drop_constraint(op.f(_ROLE), "membership", type_="check")
    op.create_check_constraint(op.f(_ROLE), "membership", _NEW_ROLES)
    op.create_check_constraint(
        op.f("ck_membership_custom_role"),
        "membership",
        "(role = 'custom') = (custom_role_id is not null)",
    )


def downgrade() -> None:
    """Take it back. A role that is held has no word in the release before: its memberships end."""
    op.execute("delete from membership where custom_role_id is not null")
    op.drop_constraint(op.f("ck_membership_custom_role"), "membership", type_="check")
    op.drop_constraint(op.f(_ROLE), "membership", type_="check")
    op.create_check_constraint(op.f(_ROLE), "membership", _OLD_ROLES)
    op.drop_constraint(
        op.f("fk_membership_organization_id_custom_role_id_custom_role"), "membership", type_="foreignkey"
    )
    op.drop_column("membership", "custom_role_id")
    op.drop_table("custom_role")
