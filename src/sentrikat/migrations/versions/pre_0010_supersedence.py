"""Which update supersedes which, as any current record says: a projection that a page can read whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sentrikat.infra.database.row_security import share_public_table

revision = "pre_0010"
down_revision = "pre_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and fill it with what is held."""
    op.create_table(
        "supersedence",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("older", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "older", name=op.f("pk_supersedence")),
    )
    share_public_table(op, "supersedence")
    op.execute(
        "insert into supersedence (name, older) select distinct u.name, older"
        " from vendor_update u, unnest(u.supersedes) as older where u.valid_to is null"
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("supersedence")
