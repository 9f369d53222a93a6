"""What a waiting bundle holds, and why an approved one was not taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "pre_0020"
down_revision = "pre_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was offered before shows neither size nor content."""
    op.add_column("bundle_import", sa.Column("bytes", sa.BigInteger(), nullable=True))
    op.add_column(
        "bundle_import", sa.Column("holds", JSONB(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.add_column("bundle_import", sa.Column("trouble", sa.Text(), nullable=True))
