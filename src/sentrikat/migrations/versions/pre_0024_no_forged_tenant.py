"""No query of an organization can name another one: `set_config` is not the application role's to call."""

from __future__ import annotations

from alembic import op

from sentrikat.infra.database.row_security import ALLOW_FORGING, REFUSE_FORGING

revision = "pre_0024"
down_revision = "pre_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the right away where we may: in the embedded database, and wherever the login is a superuser."""
    op.execute(REFUSE_FORGING)


def downgrade() -> None:
    """Give it back to everybody, as PostgreSQL comes."""
    op.execute(ALLOW_FORGING)
