"""Functions look for their tables in their own schema, and only the system makes temporary ones."""

from __future__ import annotations

from alembic import op

from sentrikat.audit.ddl import APPEND_SIGNATURE
from sentrikat.infra.database.row_security import FIXED_PATH, NO_TEMPORARY, TEMPORARY

revision = "pre_0025"
down_revision = "pre_0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Fix the path of the function that writes the log; the others are made anew at every upgrade."""
    op.execute(NO_TEMPORARY)
    op.execute(FIXED_PATH.format(function=APPEND_SIGNATURE))


def downgrade() -> None:
    """Give the right back, as PostgreSQL comes; a fixed path does no harm."""
    op.execute(TEMPORARY)
