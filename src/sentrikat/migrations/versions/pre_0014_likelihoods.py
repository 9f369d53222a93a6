"""EPSS in a table of its own, with plain columns, which is only ever added to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import share_public_table

revision = "pre_0014"
down_revision = "pre_0013"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)

# A fact that ended without another one beginning at that moment was taken back.
_MOVE = """
insert into likelihood (vulnerability_id, valid_from, probability, percentile, model_version, scored_on)
select distinct on (vulnerability_id, valid_from) vulnerability_id, valid_from, (fact->>'probability')::real,
    (fact->>'percentile')::real, fact->>'model_version', (fact->>'scored_on')::date
from enrichment where kind = 'epss' order by vulnerability_id, valid_from, id desc
"""

_ENDED = """
insert into likelihood (vulnerability_id, valid_from)
select distinct vulnerability_id, valid_to from enrichment where kind = 'epss' and valid_to is not null
on conflict do nothing
"""


def upgrade() -> None:
    """Create the table and move what was said so far."""
    op.create_table(
        "likelihood",
        sa.Column("vulnerability_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("probability", sa.REAL(), nullable=True),
        sa.Column("percentile", sa.REAL(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=True),
        sa.Column("scored_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("vulnerability_id", "valid_from", name=op.f("pk_likelihood")),
    )
    share_public_table(op, "likelihood")
    op.execute(_MOVE)
    op.execute(_ENDED)
    op.execute("delete from enrichment where kind = 'epss'")
