"""Count the requests of each client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.identity.ddl import BUDGETS, NO_BUDGETS
from sentrikat.infra.database.row_security import restrict_to_system

revision = "pre_0019"
down_revision = "pre_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the buckets and the function that fills them."""
    op.create_table(
        "rate_bucket",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("hour_level", sa.Double(), nullable=False),
        sa.Column("day_level", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_rate_bucket")),
        prefixes=["UNLOGGED"],
        postgresql_with={"fillfactor": 50},
    )
    restrict_to_system(op, "rate_bucket")
    for statement in BUDGETS:
        op.execute(statement)


def downgrade() -> None:
    """Drop both."""
    for statement in NO_BUDGETS:
        op.execute(statement)
    op.drop_table("rate_bucket")
