"""Lists and their counts are answered from indexes alone.

The list's own index carries what lists are narrowed by, so a count looks at no row; names are found by their
trigrams; software that could not be judged, and findings to review, have indexes of just those.
"""

from __future__ import annotations

from alembic import op

revision = "pre_0004"
down_revision = "pre_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the new forms before the old ones go, so that a list is never without."""
    op.execute("alter index ix_finding_open_priority rename to ix_finding_open_priority_before")
    op.execute(
        "create index ix_finding_open_priority on finding (organization_id, priority desc, id desc)"
        " include (vulnerability_id, component_id) where closed_at is null"
    )
    op.execute("drop index ix_finding_open_priority_before")
    op.execute("alter index ix_finding_open_vulnerability rename to ix_finding_open_vulnerability_before")
    op.execute(
        "create index ix_finding_open_vulnerability on finding (organization_id, vulnerability_id, asset_id)"
        " include (due_at) where closed_at is null"
    )
    op.execute("drop index ix_finding_open_vulnerability_before")
    op.execute("alter index ix_finding_open_component rename to ix_finding_open_component_before")
    op.execute(
        "create index ix_finding_open_component on finding (component_id, vulnerability_id)"
        " include (organization_id) where closed_at is null"
    )
    op.execute("drop index ix_finding_open_component_before")
    op.execute(
        "create index ix_finding_open_review on finding (organization_id, priority desc, id desc)"
        " where closed_at is null and verdict = 'unknown'"
    )
    op.execute("create index ix_component_name_trigrams on component using gin (lower(name) gin_trgm_ops)")
    op.execute(
        "create index ix_component_not_judged on component (name, id)"
        " where identified in ('unidentified', 'no_version', 'unsupported')"
    )
