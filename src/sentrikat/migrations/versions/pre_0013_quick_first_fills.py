"""An index over the flaws that are another one's name, in place of one over all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pre_0013"
down_revision = "pre_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the index anew, over the rows that have the value."""
    op.drop_index("ix_vulnerability_same_as_id", table_name="vulnerability")
    op.create_index(
        "ix_vulnerability_same_as_id",
        "vulnerability",
        ["same_as_id"],
        postgresql_where=sa.text("same_as_id IS NOT NULL"),
    )
