"""Held candidates, what a rollback needs, and what each run noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from sentrikat.infra.database.row_security import restrict_to_system, share_public_table

revision = "pre_0006"
down_revision = "pre_0005"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)
_OUTCOME = "ck_feed_run_outcome"
_OLD_OUTCOMES = "outcome in ('running','succeeded','unchanged','failed','refused')"
_NEW_OUTCOMES = (
    "outcome in ('running','succeeded','unchanged','failed','refused','held','approved','rejected','replaced',"
    "'rolled_back')"
)


def upgrade() -> None:
    """Add what is new; a feed that remembers a document as a whole is one that was filled."""
    op.add_column("feed", sa.Column("filled_at", _MOMENT, nullable=True))
    op.add_column("feed", sa.Column("rolled_back_at", _MOMENT, nullable=True))
    op.add_column("feed", sa.Column("rolled_back_to", sa.BigInteger(), nullable=True))
    op.execute(
        "update feed set filled_at = last_success_at"
        " where state->'validators' <> '{}'::jsonb or state->'cursors' <> '{}'::jsonb"
    )

    op.add_column("feed_run", sa.Column("merged_at", _MOMENT, nullable=True))
    op.add_column("feed_run", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.add_column("feed_run", sa.Column("state", JSONB(), nullable=True))
    op.add_column(
        "feed_run", sa.Column("undoable", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("feed_run", sa.Column("remarks", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.execute("update feed_run set merged_at = finished_at where outcome = 'succeeded'")
    op.drop_constraint(op.f(_OUTCOME), "feed_run", type_="check")
    op.create_check_constraint(op.f(_OUTCOME), "feed_run", _NEW_OUTCOMES)

    op.add_column("alias", sa.Column("feed_run_id", sa.BigInteger(), nullable=True))
    op.add_column("vulnerability", sa.Column("same_as_run_id", sa.BigInteger(), nullable=True))

    op.create_table(
        "feed_candidate",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("feed_run_id", sa.BigInteger(), nullable=False),
        sa.Column("held_at", _MOMENT, nullable=False),
        sa.Column("remarks", JSONB(), nullable=False),
        sa.Column("kept_bytes", sa.BigInteger(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["feed_run_id"],
            ["feed_run.id"],
            name=op.f("fk_feed_candidate_feed_run_id_feed_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("feed", name=op.f("pk_feed_candidate")),
    )
    op.create_index(op.f("ix_feed_candidate_feed_run_id"), "feed_candidate", ["feed_run_id"], unique=False)
    op.create_table(
        "feed_candidate_document",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("fetched_at", _MOMENT, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("memory", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed"],
            ["feed_candidate.feed"],
            name=op.f("fk_feed_candidate_document_feed_feed_candidate"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_candidate_document")),
    )
    op.create_index(
        op.f("ix_feed_candidate_document_feed"), "feed_candidate_document", ["feed"], unique=False
    )
    op.create_table(
        "feed_candidate_piece",
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["feed_candidate_document.id"],
            name=op.f("fk_feed_candidate_piece_document_id_feed_candidate_document"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", "number", name=op.f("pk_feed_candidate_piece")),
    )
    # Most documents come packed: trying to pack them again is time for nothing.
    op.execute("alter table feed_candidate_piece alter column content set storage external")

    op.create_table(
        "advisory_past",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feed_run_id", sa.BigInteger(), nullable=False),
        sa.Column("advisory_id", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["feed_run_id"],
            ["feed_run.id"],
            name=op.f("fk_advisory_past_feed_run_id_feed_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisory_past")),
    )
    op.create_index(
        "ix_advisory_past_feed_run_id_advisory_id",
        "advisory_past",
        ["feed_run_id", "advisory_id"],
        unique=False,
    )
    op.create_table(
        "words_past",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feed_run_id", sa.BigInteger(), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("words", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_run_id"],
            ["feed_run.id"],
            name=op.f("fk_words_past_feed_run_id_feed_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_words_past")),
    )
    op.create_index(op.f("ix_words_past_feed_run_id"), "words_past", ["feed_run_id"], unique=False)

    share_public_table(op, "feed_candidate")
    for table in ("feed_candidate_document", "feed_candidate_piece", "advisory_past", "words_past"):
        restrict_to_system(op, table)


def downgrade() -> None:
    """Take it away again."""
    for table in (
        "words_past",
        "advisory_past",
        "feed_candidate_piece",
        "feed_candidate_document",
        "feed_candidate",
    ):
        op.drop_table(table)
    op.drop_column("vulnerability", "same_as_run_id")
    op.drop_column("alias", "feed_run_id")
    op.execute(
        "update feed_run set outcome = 'refused'"
        " where outcome in ('held','approved','rejected','replaced','rolled_back')"
    )
    op.drop_constraint(op.f(_OUTCOME), "feed_run", type_="check")
    op.create_check_constraint(op.f(_OUTCOME), "feed_run", _OLD_OUTCOMES)
    for column in ("remarks", "undoable", "state", "fingerprint", "merged_at"):
        op.drop_column("feed_run", column)
    for column in ("rolled_back_to", "rolled_back_at", "filled_at"):
        op.drop_column("feed", column)
