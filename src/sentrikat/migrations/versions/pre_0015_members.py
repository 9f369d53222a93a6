"""Passwords that must be changed; members that an organization's own transactions can read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sentrikat.infra.database.tenancy import APPLICATION_ROLE, SYSTEM_ROLE

revision = "pre_0015"
down_revision = "pre_0014"
branch_labels = None
depends_on = None

# What a member's colleagues may know. Neither the password's hash nor who runs the installation.
# The policy of `membership` itself limits the rows that are seen here to those of the organization.
SHOW = (
    """
    create policy user_account_members on user_account for select to {application}
    using (exists (select from membership m where m.user_id = user_account.id))
    """,
    "create policy user_account_system on user_account to {system} using (true) with check (true)",
    "grant select (id, login, display_name, disabled_at, last_sign_in_at) on user_account to {application}",
)
HIDE = (
    "revoke select (id, login, display_name, disabled_at, last_sign_in_at) on user_account from {application}",
    "drop policy user_account_system on user_account",
    "drop policy user_account_members on user_account",
)


def upgrade() -> None:
    """Add the column, and show accounts to the organizations they are members of."""
    op.add_column(
        "user_account",
        sa.Column("must_change_password", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.execute("alter table user_account enable row level security")
    op.execute("alter table user_account force row level security")
    for statement in SHOW:
        op.execute(statement.format(application=APPLICATION_ROLE, system=SYSTEM_ROLE))


def downgrade() -> None:
    """Take both back."""
    for statement in HIDE:
        op.execute(statement.format(application=APPLICATION_ROLE))
    op.execute("alter table user_account no force row level security")
    op.execute("alter table user_account disable row level security")
    op.drop_column("user_account", "must_change_password")
