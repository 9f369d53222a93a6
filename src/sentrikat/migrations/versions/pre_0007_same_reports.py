"""What a report said, so that the same words again need no reading; and where conditions are to be asked again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pre_0007"
down_revision = "pre_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty until the next reports, and the indexes to find by them."""
    op.add_column("receipt", sa.Column("content_digest", sa.LargeBinary(), nullable=True))
    op.add_column("receipt", sa.Column("collected_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("asset", sa.Column("report_digest", sa.LargeBinary(), nullable=True))
    op.create_index("ix_asset_organization_id_report_digest", "asset", ["organization_id", "report_digest"])
    op.create_index(
        "ix_match_current_conditional",
        "match",
        ["component_id"],
        postgresql_where=sa.text("valid_to IS NULL AND condition_ids IS NOT NULL"),
    )
