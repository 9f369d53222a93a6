"""Alembic's entry: runs revisions on the connection that runner.py hands over."""

from __future__ import annotations

from alembic import context

from sentrikat.migrations import all_metadata
from sentrikat.migrations.runner import belongs_to_us

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=all_metadata(),
    include_name=belongs_to_us,
    compare_type=True,
    # One transaction each: a failure leaves whole steps, and the next run continues there.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
