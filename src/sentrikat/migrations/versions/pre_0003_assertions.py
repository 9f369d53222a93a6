"""Who else lists a flaw as exploited, and whether an exploit is public."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pre_0003"
down_revision = "pre_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; they fill with the first run of the feeds that say so."""
    op.add_column("vulnerability", sa.Column("enisa_exploited_since", sa.Date(), nullable=True))
    op.add_column(
        "vulnerability",
        sa.Column("exploit_public", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
