"""Software that is possibly affected: flaws known by name only, the components of that name, and what was dismissed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sentrikat.infra.database.row_security import enable_tenant_security, share_public_table

revision = "pre_0009"
down_revision = "pre_0008"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Create them; the next feed run, or `rematch`, fills them."""
    op.create_table(
        "flaw_name",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("words", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("makers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("itself", sa.Boolean(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.CheckConstraint("basis in ('catalog','statement')", name=op.f("ck_flaw_name_basis")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flaw_name")),
    )
    op.create_index(op.f("ix_flaw_name_vulnerability_id"), "flaw_name", ["vulnerability_id"])
    op.create_index(op.f("ix_flaw_name_key"), "flaw_name", ["key"])
    op.create_table(
        "possible",
        sa.Column("component_id", sa.BigInteger(), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("component_id", "vulnerability_id", name=op.f("pk_possible")),
    )
    op.create_index(op.f("ix_possible_vulnerability_id"), "possible", ["vulnerability_id"])
    op.create_table(
        "dismissal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("component_kind", sa.Text(), nullable=False),
        sa.Column("component_name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("exploited", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_dismissal_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dismissal")),
        sa.UniqueConstraint(
            "organization_id",
            "vulnerability_id",
            "component_kind",
            "component_name",
            name=op.f("uq_dismissal_organization_id_vulnerability_id_component_kind_component_name"),
        ),
    )
    # The queue brings findings to review together by what they are about; few findings are such.
    op.execute("drop index ix_finding_open_review")
    op.execute(
        "create index ix_finding_open_review on finding (organization_id, priority desc, id desc)"
        " include (vulnerability_id, component_id, asset_id, match_id, opened_at)"
        " where closed_at is null and verdict = 'unknown'"
    )
    share_public_table(op, "flaw_name")
    share_public_table(op, "possible")
    enable_tenant_security(op, "dismissal")
