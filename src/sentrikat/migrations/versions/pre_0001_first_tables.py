"""Tables of the way from feeds and inventories to findings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from sentrikat.audit.ddl import APPEND_ONLY
from sentrikat.infra.database.row_security import (
    READ_AND_APPEND,
    enable_tenant_security,
    restrict_to_system,
    share_public_table,
)

revision = "pre_0001"
down_revision = None
branch_labels = None
depends_on = None

PUBLIC = (
    "feed",
    "feed_run",
    "quarantined_record",
    "vulnerability",
    "alias",
    "advisory",
    "severity_score",
    "product",
    "ecosystem",
    "platform_condition",
    "platform_target",
    "condition_term",
    "pace",
    "affected_range",
    "enrichment",
    "product_name",
    "package_source",
    "component",
    "component_product",
    "match",
    "target_context",
    "target_exclusion",
)
TENANT = ("membership", "api_key", "asset", "install", "receipt", "finding")
JOURNALS = ("deadline_change", "event", "audit_entry")
SYSTEM = ("user_account", "web_session", "sign_in_attempt")


def upgrade() -> None:
    """Create them, then say who may see what."""
    op.execute("create extension if not exists pg_trgm")
    op.create_table(
        "advisory",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("modified_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("withdrawn_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisory")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_advisory_source_external_id")),
    )
    op.create_table(
        "affected_range",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("advisory_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("described", sa.Boolean(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("lo", sa.LargeBinary(), nullable=False),
        sa.Column("hi", sa.LargeBinary(), nullable=True),
        sa.Column("introduced", sa.Text(), nullable=True),
        sa.Column("introduced_excluded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("fixed", sa.Text(), nullable=True),
        sa.Column("last_affected", sa.Text(), nullable=True),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("strength", sa.SmallInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("module", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("condition_id", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_to", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_affected_range")),
    )
    op.create_index("ix_affected_range_advisory_id", "affected_range", ["advisory_id"], unique=False)
    op.create_index(
        "ix_affected_range_current_product",
        "affected_range",
        ["product_id", "vulnerability_id", "source"],
        unique=False,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_index(
        "ix_affected_range_current_vulnerability",
        "affected_range",
        ["vulnerability_id"],
        unique=False,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "alias",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "name", "alias", name=op.f("pk_alias")),
    )
    op.create_index(op.f("ix_alias_name"), "alias", ["name"], unique=False)
    op.create_index(op.f("ix_alias_alias"), "alias", ["alias"], unique=False)
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(
        "ix_audit_entry_organization_id_id", "audit_entry", ["organization_id", "id"], unique=False
    )
    op.create_table(
        "component",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("source_name", sa.Text(), nullable=True),
        sa.Column("source_version", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("module", sa.Text(), nullable=True),
        sa.Column("bundle_id", sa.Text(), nullable=True),
        sa.Column("cpe", sa.Text(), nullable=True),
        sa.Column("purl", sa.Text(), nullable=True),
        sa.Column("identified", sa.Text(), server_default="pending", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_component")),
        sa.UniqueConstraint("identity", name=op.f("uq_component_identity")),
    )
    op.create_index(
        "ix_component_kind_namespace_name", "component", ["kind", "namespace", "name"], unique=False
    )
    op.create_table(
        "ecosystem",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ecosystem")),
    )
    op.create_table(
        "feed",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("last_attempt_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_success_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("data_as_of", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("record_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feed")),
    )
    op.create_table(
        "feed_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("documents", sa.Integer(), server_default="0", nullable=False),
        sa.Column("records", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("added", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome in ('running','succeeded','unchanged','failed','refused')",
            name=op.f("ck_feed_run_outcome"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_run")),
    )
    op.create_index("ix_feed_run_feed_started_at", "feed_run", ["feed", "started_at"], unique=False)
    op.create_table(
        "match",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("component_id", sa.BigInteger(), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("range_id", sa.BigInteger(), nullable=False),
        sa.Column("condition_ids", sa.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_to", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("verdict in ('affected','unknown')", name=op.f("ck_match_verdict")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match")),
    )
    op.create_index(
        "ix_match_current_vulnerability",
        "match",
        ["vulnerability_id"],
        unique=False,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_index(
        "uq_match_current",
        "match",
        ["component_id", "vulnerability_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("slug", name=op.f("uq_organization_slug")),
    )
    op.create_table(
        "pace",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_pace")),
    )
    op.create_table(
        "package_source",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("binary_name", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("learned_from", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "binary_name", name=op.f("pk_package_source")),
    )
    op.create_table(
        "platform_condition",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tree", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_condition")),
        sa.UniqueConstraint("digest", name=op.f("uq_platform_condition_digest")),
    )
    op.create_table(
        "platform_target",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("attributes", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_target")),
        sa.UniqueConstraint("digest", name=op.f("uq_platform_target_digest")),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ecosystem", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("ecosystem", "name", name=op.f("uq_product_ecosystem_name")),
    )
    op.create_index(
        "ix_product_cpe_letters",
        "product",
        [sa.literal_column("regexp_replace(split_part(name, ':', 2), '[^a-z0-9+#]', '', 'g')")],
        unique=False,
        postgresql_where=sa.text("ecosystem LIKE 'cpe:%' OR ecosystem = 'cve5'"),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index("ix_sign_in_attempt_subject_at", "sign_in_attempt", ["subject", "at"], unique=False)
    op.create_table(
        "target_context",
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("newest_target_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("context", name=op.f("pk_target_context")),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("installation_admin", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_sign_in_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("login", name=op.f("uq_user_account_login")),
    )
    op.create_table(
        "vulnerability",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("same_as_id", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("summary_source", sa.Text(), nullable=True),
        sa.Column("summary_rank", sa.SmallInteger(), server_default="99", nullable=False),
        sa.Column("published_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("modified_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("rejected_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("weaknesses", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("links", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("cvss_score", sa.REAL(), nullable=True),
        sa.Column("cvss_version", sa.Text(), nullable=True),
        sa.Column("cvss_vector", sa.Text(), nullable=True),
        sa.Column("cvss_provider", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("exploited_since", sa.Date(), nullable=True),
        sa.Column("exploited_due", sa.Date(), nullable=True),
        sa.Column("ransomware", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("epss", sa.REAL(), nullable=True),
        sa.Column("epss_percentile", sa.REAL(), nullable=True),
        sa.Column("epss_model", sa.Text(), nullable=True),
        sa.Column("ssvc_exploitation", sa.Text(), nullable=True),
        sa.Column("ssvc_automatable", sa.Boolean(), nullable=True),
        sa.Column("ssvc_technical_impact", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["same_as_id"], ["vulnerability.id"], name=op.f("fk_vulnerability_same_as_id_vulnerability")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vulnerability")),
        sa.UniqueConstraint("name", name=op.f("uq_vulnerability_name")),
    )
    op.create_index("ix_vulnerability_published_at", "vulnerability", ["published_at"], unique=False)
    op.create_index(op.f("ix_vulnerability_same_as_id"), "vulnerability", ["same_as_id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_api_key_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_index(op.f("ix_api_key_organization_id"), "api_key", ["organization_id"], unique=False)
    op.create_table(
        "asset",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("machine_id", sa.Text(), nullable=True),
        sa.Column("os_family", sa.Text(), nullable=False),
        sa.Column("os", JSONB(), nullable=False),
        sa.Column("exposure", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("criticality", sa.Integer(), server_default="2", nullable=False),
        sa.Column("first_seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_report_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_collected_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("inventory_digest", sa.LargeBinary(), nullable=True),
        sa.Column("retired_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("updates", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("exposure in ('public','internal','unknown')", name=op.f("ck_asset_exposure")),
        sa.CheckConstraint("criticality between 1 and 4", name=op.f("ck_asset_criticality")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_asset_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_asset_organization_id_id")),
    )
    op.create_index(
        "ix_asset_organization_id_agent_id", "asset", ["organization_id", "agent_id"], unique=False
    )
    op.create_index(
        "ix_asset_organization_id_hostname", "asset", ["organization_id", "hostname", "id"], unique=False
    )
    op.create_index(
        "ix_asset_organization_id_machine_id", "asset", ["organization_id", "machine_id"], unique=False
    )
    op.create_table(
        "component_product",
        sa.Column("component_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("version_key", sa.LargeBinary(), nullable=False),
        sa.Column("cpe", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("judged", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("confidence", sa.REAL(), nullable=False),
        sa.ForeignKeyConstraint(
            ["component_id"],
            ["component.id"],
            name=op.f("fk_component_product_component_id_component"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_component_product_product_id_product")
        ),
        sa.PrimaryKeyConstraint("component_id", "product_id", name=op.f("pk_component_product")),
    )
    op.create_index(
        "ix_component_product_product_id_version_key",
        "component_product",
        ["product_id", "version_key"],
        unique=False,
    )
    op.create_table(
        "condition_term",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("condition_id", sa.BigInteger(), nullable=False),
        sa.Column("group_number", sa.SmallInteger(), nullable=False),
        sa.Column("negate", sa.Boolean(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("lo", sa.LargeBinary(), nullable=False),
        sa.Column("hi", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["condition_id"],
            ["platform_condition.id"],
            name=op.f("fk_condition_term_condition_id_platform_condition"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_condition_term_product_id_product")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_condition_term")),
    )
    op.create_index(op.f("ix_condition_term_condition_id"), "condition_term", ["condition_id"], unique=False)
    op.create_index(op.f("ix_condition_term_product_id"), "condition_term", ["product_id"], unique=False)
    op.create_table(
        "deadline_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("finding_id", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_deadline_change_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline_change")),
    )
    op.create_index(
        "ix_deadline_change_organization_id_finding_id",
        "deadline_change",
        ["organization_id", "finding_id"],
        unique=False,
    )
    op.create_table(
        "enrichment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fact", JSONB(), nullable=False),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_to", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["vulnerability_id"],
            ["vulnerability.id"],
            name=op.f("fk_enrichment_vulnerability_id_vulnerability"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrichment")),
    )
    op.create_index("ix_enrichment_kind_valid_from", "enrichment", ["kind", "valid_from"], unique=False)
    op.create_index(
        "uq_enrichment_current",
        "enrichment",
        ["vulnerability_id", "kind", "source"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=True),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_event_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_organization_id_at", "event", ["organization_id", "at"], unique=False)
    op.create_table(
        "membership",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role in ('viewer','analyst','manager','administrator','auditor')",
            name=op.f("ck_membership_role"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_membership_organization_id_organization")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_membership_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_user_id"), "membership", ["user_id"], unique=False)
    op.create_table(
        "product_name",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("end_of_life", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_name_product_id_product")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_name")),
        sa.UniqueConstraint(
            "product_id",
            "source",
            "vendor",
            "title",
            name=op.f("uq_product_name_product_id_source_vendor_title"),
        ),
    )
    op.create_index("ix_product_name_title", "product_name", ["title"], unique=False)
    op.create_table(
        "quarantined_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("feed_run_id", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_run_id"],
            ["feed_run.id"],
            name=op.f("fk_quarantined_record_feed_run_id_feed_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_record")),
    )
    op.create_index(op.f("ix_quarantined_record_feed"), "quarantined_record", ["feed"], unique=False)
    op.create_index(
        op.f("ix_quarantined_record_feed_run_id"), "quarantined_record", ["feed_run_id"], unique=False
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("processed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), server_default="received", nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("asset_id", sa.BigInteger(), nullable=True),
        sa.Column("asset_hint", sa.Text(), nullable=True),
        sa.Column("confirmed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("installed", sa.Integer(), nullable=True),
        sa.Column("removed", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "status in ('received','processed','unchanged','outdated','held','failed')",
            name=op.f("ck_receipt_status"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_receipt_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sa.UniqueConstraint(
            "organization_id", "report_id", name=op.f("uq_receipt_organization_id_report_id")
        ),
    )
    op.create_index(
        "ix_receipt_organization_id_asset_id",
        "receipt",
        ["organization_id", "asset_id", "received_at"],
        unique=False,
    )
    op.create_index(
        "ix_receipt_organization_id_received_at", "receipt", ["organization_id", "received_at"], unique=False
    )
    op.create_table(
        "severity_score",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("advisory_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("vector", sa.Text(), nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["advisory_id"],
            ["advisory.id"],
            name=op.f("fk_severity_score_advisory_id_advisory"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["vulnerability_id"],
            ["vulnerability.id"],
            name=op.f("fk_severity_score_vulnerability_id_vulnerability"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_severity_score")),
    )
    op.create_index(op.f("ix_severity_score_advisory_id"), "severity_score", ["advisory_id"], unique=False)
    op.create_index(
        op.f("ix_severity_score_vulnerability_id"), "severity_score", ["vulnerability_id"], unique=False
    )
    op.create_table(
        "target_exclusion",
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], ["platform_target.id"], name=op.f("fk_target_exclusion_target_id_platform_target")
        ),
        sa.PrimaryKeyConstraint("context", "target_id", name=op.f("pk_target_exclusion")),
    )
    op.create_table(
        "web_session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("csrf_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("previous_visit_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_web_session_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_web_session_token_hash")),
    )
    op.create_index(op.f("ix_web_session_user_id"), "web_session", ["user_id"], unique=False)
    op.create_table(
        "finding",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("component_id", sa.BigInteger(), nullable=False),
        sa.Column("vulnerability_id", sa.BigInteger(), nullable=False),
        sa.Column("match_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("tier", sa.Integer(), server_default="0", nullable=False),
        sa.Column("priority", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "close_reason in ('upgraded','removed','statement_changed','asset_retired','condition_gone')",
            name=op.f("ck_finding_close_reason"),
        ),
        sa.CheckConstraint("verdict in ('affected','unknown')", name=op.f("ck_finding_verdict")),
        sa.ForeignKeyConstraint(
            ["organization_id", "asset_id"],
            ["asset.organization_id", "asset.id"],
            name=op.f("fk_finding_organization_id_asset_id_asset"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    op.create_index(
        "ix_finding_open_component",
        "finding",
        ["component_id", "vulnerability_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_finding_open_due",
        "finding",
        ["organization_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_finding_open_priority",
        "finding",
        ["organization_id", sa.literal_column("priority DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_finding_open_vulnerability",
        "finding",
        ["organization_id", "vulnerability_id", "asset_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_finding_organization_id_asset_id", "finding", ["organization_id", "asset_id"], unique=False
    )
    op.create_index(
        "ix_finding_organization_id_closed_at", "finding", ["organization_id", "closed_at"], unique=False
    )
    op.create_index(
        "ix_finding_organization_id_opened_at", "finding", ["organization_id", "opened_at"], unique=False
    )
    op.create_index(
        "uq_finding_open",
        "finding",
        ["organization_id", "asset_id", "component_id", "vulnerability_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "install",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("component_id", sa.BigInteger(), nullable=False),
        sa.Column("binaries", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("paths", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("first_seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "asset_id"],
            ["asset.organization_id", "asset.id"],
            name=op.f("fk_install_organization_id_asset_id_asset"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_install")),
    )
    op.create_index(
        "ix_install_current_component",
        "install",
        ["component_id", "asset_id"],
        unique=False,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index(
        "ix_install_removed",
        "install",
        ["asset_id", "component_id"],
        unique=False,
        postgresql_where=sa.text("removed_at IS NOT NULL"),
    )
    op.create_index(
        "uq_install_current",
        "install",
        ["organization_id", "asset_id", "component_id"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    for table in PUBLIC:
        share_public_table(op, table)
    enable_tenant_security(op, "organization", column="id")
    for table in TENANT:
        enable_tenant_security(op, table)
    for table in JOURNALS:
        enable_tenant_security(op, table, rights=READ_AND_APPEND)
    for table in SYSTEM:
        restrict_to_system(op, table)
    for statement in APPEND_ONLY:
        op.execute(statement)
