"""Public knowledge, the same for every organization, so without a tenant key.

Facts carry the time we held them: a row with `valid_to` was true for us until then and is kept, so that
"what did we know on that day" has an answer.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.infra.database.base import Base

Moment = TIMESTAMP(timezone=True)


class Feed(Base):
    """One source of public knowledge: where we stand with it."""

    __tablename__ = "feed"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))  # validators, cursors
    last_attempt_at: Mapped[datetime | None] = mapped_column(Moment)
    last_success_at: Mapped[datetime | None] = mapped_column(Moment)
    data_as_of: Mapped[datetime | None] = mapped_column(Moment)  # newest date the source itself names
    record_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_error: Mapped[str | None] = mapped_column(Text)
    # When it first held everything its source has; before, nothing it brings is suspicious.
    filled_at: Mapped[datetime | None] = mapped_column(Moment)
    rolled_back_at: Mapped[datetime | None] = mapped_column(Moment)  # and no run since; None once released
    rolled_back_to: Mapped[int | None] = mapped_column(BigInteger)  # the run whose data is in use


class FeedRun(Base):
    """One attempt to bring a feed up to date."""

    __tablename__ = "feed_run"
    __table_args__ = (
        CheckConstraint(
            "outcome in ('running','succeeded','unchanged','failed','refused','held','approved','rejected','replaced',"
            "'rolled_back')",
            name="outcome",
        ),
        Index("ix_feed_run_feed_started_at", "feed", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    feed: Mapped[str] = mapped_column(Text)
    transport: Mapped[str] = mapped_column(Text)  # network | file | bundle
    started_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    outcome: Mapped[str] = mapped_column(Text)
    documents: Mapped[int] = mapped_column(Integer, server_default="0")
    records: Mapped[int] = mapped_column(BigInteger, server_default="0")
    added: Mapped[int] = mapped_column(BigInteger, server_default="0")
    changed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    withdrawn: Mapped[int] = mapped_column(BigInteger, server_default="0")
    quarantined: Mapped[int] = mapped_column(BigInteger, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    # The moment its facts bear, later than that of every earlier run whatever the clock says; None: it brought none.
    merged_at: Mapped[datetime | None] = mapped_column(Moment)
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)  # of its documents
    state: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # of the feed after it
    undoable: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # what it replaced is kept
    remarks: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'")
    )  # vulnerabilities.canary


class FeedCandidate(Base):
    """What a run brought and was not let live: its documents wait for somebody's decision."""

    __tablename__ = "feed_candidate"

    feed: Mapped[str] = mapped_column(Text, primary_key=True)
    feed_run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"), index=True)
    held_at: Mapped[datetime] = mapped_column(Moment)
    remarks: Mapped[dict[str, Any]] = mapped_column(JSONB)
    kept_bytes: Mapped[int | None] = mapped_column(BigInteger)  # None: too large, only the comparison is kept
    decision: Mapped[str | None] = mapped_column(Text)  # approve, under way
    decided_by: Mapped[str | None] = mapped_column(Text)


class FeedCandidateDocument(Base):
    """A document of a candidate, as it was fetched; `memory` is what a run would remember of it."""

    __tablename__ = "feed_candidate_document"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    feed: Mapped[str] = mapped_column(ForeignKey("feed_candidate.feed", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    fetched_at: Mapped[datetime] = mapped_column(Moment)
    sha256: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    memory: Mapped[dict[str, Any]] = mapped_column(JSONB)


class FeedCandidatePiece(Base):
    """A document's bytes, in pieces that fit into memory."""

    __tablename__ = "feed_candidate_piece"

    document_id: Mapped[int] = mapped_column(
        ForeignKey("feed_candidate_document.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class AdvisoryPast(Base):
    """What an advisory said before a run replaced it; without document: it was not there, or withdrawn."""

    __tablename__ = "advisory_past"
    __table_args__ = (Index("ix_advisory_past_feed_run_id_advisory_id", "feed_run_id", "advisory_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    feed_run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"))
    advisory_id: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[bytes | None] = mapped_column(LargeBinary)


class WordsPast(Base):
    """A flaw's words and dates before a run replaced them."""

    __tablename__ = "words_past"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    feed_run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"), index=True)
    vulnerability_id: Mapped[int] = mapped_column(BigInteger)
    words: Mapped[dict[str, Any]] = mapped_column(JSONB)


class QuarantinedRecord(Base):
    """A record that broke its source's format: counted and kept for a look, never dropped silently."""

    __tablename__ = "quarantined_record"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    feed: Mapped[str] = mapped_column(Text, index=True)
    feed_run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"), index=True)
    record: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    excerpt: Mapped[str] = mapped_column(Text)


class Vulnerability(Base):
    """One flaw. Its words and score are the best-placed source's; `summary_source` says whose."""

    __tablename__ = "vulnerability"
    __table_args__ = (
        Index("ix_vulnerability_published_at", "published_at"),
        # Hardly any flaw is another's name, and every changed row would have its place in the index.
        Index("ix_vulnerability_same_as_id", "same_as_id", postgresql_where=text("same_as_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    # The flaw this id turned out to be another name of; its statements are filed there.
    same_as_id: Mapped[int | None] = mapped_column(ForeignKey("vulnerability.id"))
    same_as_run_id: Mapped[int | None] = mapped_column(BigInteger)  # the run that filed it there
    title: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    summary_source: Mapped[str | None] = mapped_column(Text)
    summary_rank: Mapped[int] = mapped_column(SmallInteger, server_default="99")
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    modified_at: Mapped[datetime | None] = mapped_column(Moment)
    rejected_at: Mapped[datetime | None] = mapped_column(Moment)
    weaknesses: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    links: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    # Projections of `severity_score` and `enrichment`, refreshed set-based after each run.
    cvss_score: Mapped[float | None] = mapped_column(REAL)
    cvss_version: Mapped[str | None] = mapped_column(Text)
    cvss_vector: Mapped[str | None] = mapped_column(Text)
    cvss_provider: Mapped[str | None] = mapped_column(Text)
    severity: Mapped[str | None] = mapped_column(Text)
    exploited_since: Mapped[date | None] = mapped_column(Date)
    exploited_due: Mapped[date | None] = mapped_column(Date)
    ransomware: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    enisa_exploited_since: Mapped[date | None] = mapped_column(
        Date
    )  # in ENISA's list; the columns above are CISA's
    exploit_public: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    epss: Mapped[float | None] = mapped_column(REAL)
    epss_percentile: Mapped[float | None] = mapped_column(REAL)
    epss_model: Mapped[str | None] = mapped_column(Text)
    ssvc_exploitation: Mapped[str | None] = mapped_column(Text)
    ssvc_automatable: Mapped[bool | None] = mapped_column(Boolean)
    ssvc_technical_impact: Mapped[str | None] = mapped_column(Text)


class Alias(Base):
    """`source` said that `name` and `alias` are the same flaw."""

    __tablename__ = "alias"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    alias: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    feed_run_id: Mapped[int | None] = mapped_column(BigInteger)  # the run that first said so


class Advisory(Base):
    """One record of one source, as received."""

    __tablename__ = "advisory"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    external_id: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # of the parsed record: equal digest, nothing to do
    document: Mapped[bytes] = mapped_column(LargeBinary)  # the parsed record as JSON, packed (`packing`)
    modified_at: Mapped[datetime | None] = mapped_column(Moment)
    received_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)


class SeverityScore(Base):
    """A CVSS vector and whose it is."""

    __tablename__ = "severity_score"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    vulnerability_id: Mapped[int] = mapped_column(ForeignKey("vulnerability.id"), index=True)
    advisory_id: Mapped[int] = mapped_column(ForeignKey("advisory.id", ondelete="CASCADE"), index=True)
    version: Mapped[str] = mapped_column(Text)
    vector: Mapped[str] = mapped_column(Text)
    score: Mapped[float] = mapped_column(REAL)
    severity: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    is_primary: Mapped[bool] = mapped_column(Boolean)


class Product(Base):
    """What an advisory talks about: a name within an ecosystem."""

    __tablename__ = "product"
    __table_args__ = (
        UniqueConstraint("ecosystem", "name"),
        # Titles are looked up by the product part of names, letters and digits only (inventory.titles).
        Index(
            "ix_product_cpe_letters",
            text("regexp_replace(split_part(name, ':', 2), '[^a-z0-9+#]', '', 'g')"),
            postgresql_where=text("ecosystem LIKE 'cpe:%' OR ecosystem = 'cve5'"),
        ),
        # ... and by their maker, by any of their words, and, when a person searches, by what resembles them.
        Index(
            "ix_product_cpe_vendor",
            text("regexp_replace(split_part(name, ':', 1), '[^a-z0-9+#]', '', 'g')"),
            postgresql_where=text("ecosystem = 'cpe:a'"),
        ),
        Index(
            "ix_product_cpe_words",
            text("regexp_split_to_array(name, '[^a-z0-9+#]+')"),
            postgresql_using="gin",
            postgresql_where=text("ecosystem = 'cpe:a'"),
        ),
        Index(
            "ix_product_cpe_trigrams",
            "name",
            postgresql_using="gin",
            postgresql_ops={"name": "gin_trgm_ops"},
            postgresql_where=text("ecosystem = 'cpe:a'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    ecosystem: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)


class Ecosystem(Base):
    """An ecosystem some source makes statements about; packages of any other cannot be judged."""

    __tablename__ = "ecosystem"

    name: Mapped[str] = mapped_column(Text, primary_key=True)


class PlatformCondition(Base):
    """What else an asset must run: `tree` is {"groups": [{"negate": false, "terms": [...]}]}."""

    __tablename__ = "platform_condition"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    tree: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PlatformTarget(Base):
    """CPE attributes beyond the version that a statement is limited to: [[attribute, value], ...]."""

    __tablename__ = "platform_target"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    attributes: Mapped[list[Any]] = mapped_column(JSONB)


class ConditionTerm(Base):
    """One platform of one group of a condition; within a group any term, every group must hold."""

    __tablename__ = "condition_term"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    condition_id: Mapped[int] = mapped_column(
        ForeignKey("platform_condition.id", ondelete="CASCADE"), index=True
    )
    group_number: Mapped[int] = mapped_column(SmallInteger)
    negate: Mapped[bool] = mapped_column(Boolean)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    lo: Mapped[bytes] = mapped_column(LargeBinary)
    hi: Mapped[bytes | None] = mapped_column(LargeBinary)


class AffectedRange(Base):
    """One statement: these versions of this product have, or have not, this flaw; keys half-open [lo, hi).

    No foreign keys: millions of rows come by one INSERT ... SELECT that joins those very tables, none of which
    ever loses a row, and checking each id again doubles the time of a load.
    """

    __tablename__ = "affected_range"
    __table_args__ = (
        Index(
            "ix_affected_range_current_product",
            "product_id",
            "vulnerability_id",
            "source",
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index(
            "ix_affected_range_current_vulnerability",
            "vulnerability_id",
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_affected_range_advisory_id", "advisory_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(BigInteger)
    vulnerability_id: Mapped[int] = mapped_column(BigInteger)
    advisory_id: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)  # affected | unaffected | under_investigation
    described: Mapped[bool] = mapped_column(Boolean)
    remedy: Mapped[str | None] = mapped_column(Text)
    scheme: Mapped[str] = mapped_column(Text)
    lo: Mapped[bytes] = mapped_column(LargeBinary)
    hi: Mapped[bytes | None] = mapped_column(LargeBinary)
    introduced: Mapped[str | None] = mapped_column(Text)
    introduced_excluded: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    fixed: Mapped[str | None] = mapped_column(Text)
    last_affected: Mapped[str | None] = mapped_column(Text)
    rank: Mapped[int] = mapped_column(SmallInteger)  # of the source in the product's lane; 0 is heard first
    strength: Mapped[int] = mapped_column(SmallInteger)  # domain.matching.claim.Strength
    target_id: Mapped[int | None] = mapped_column(BigInteger)
    module: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    condition_id: Mapped[int | None] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # of everything above: equal digest, same statement
    valid_from: Mapped[datetime] = mapped_column(Moment)
    valid_to: Mapped[datetime | None] = mapped_column(Moment)


class VendorUpdate(Base):
    """An update a vendor offers for one product, as one record of a source says it.

    What it supersedes is what this record names; `domain.matching.supersedence` follows the chain over all sources.
    """

    __tablename__ = "vendor_update"
    __table_args__ = (
        Index(
            "ix_vendor_update_current_product",
            "product_id",
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_vendor_update_advisory_id", "advisory_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    advisory_id: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)  # KB5034122
    product_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str | None] = mapped_column(Text)  # in the vendor's words: Security Only, Monthly Rollup ...
    released: Mapped[date | None] = mapped_column(Date)
    fixed_build: Mapped[str | None] = mapped_column(Text)
    supersedes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    vulnerabilities: Mapped[list[str]] = mapped_column(ARRAY(Text))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    valid_from: Mapped[datetime] = mapped_column(Moment)
    valid_to: Mapped[datetime | None] = mapped_column(Moment)


class Supersedence(Base):
    """`name` supersedes `older`, says some current record of `vendor_update`: its projection, refreshed with it."""

    __tablename__ = "supersedence"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    older: Mapped[str] = mapped_column(Text, primary_key=True)


class Pace(Base):
    """When the next request to an upstream is allowed; shared by all processes."""

    __tablename__ = "pace"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    next_at: Mapped[datetime] = mapped_column(Moment)


class EnrichmentFact(Base):
    """A fact about a flaw from one source, for as long as the source said so.

    `kind` is kev, ssvc or exploit; `fact` the record's fields. Several sources may list one flaw as exploited
    (kev): each has its own row.
    """

    __tablename__ = "enrichment"
    __table_args__ = (
        Index(
            "uq_enrichment_current",
            "vulnerability_id",
            "kind",
            "source",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_enrichment_kind_valid_from", "kind", "valid_from"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    vulnerability_id: Mapped[int] = mapped_column(ForeignKey("vulnerability.id"))
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    fact: Mapped[dict[str, Any]] = mapped_column(JSONB)
    valid_from: Mapped[datetime] = mapped_column(Moment)
    valid_to: Mapped[datetime | None] = mapped_column(Moment)


class LikelihoodFact(Base):
    """What EPSS said of a flaw from `valid_from` until its next row; without a probability: nothing any more.

    Only days on which the value moved have a row. No foreign key: its rows come out of a join with `vulnerability`,
    from which nothing is ever deleted, and the check took a third of a day's run.
    """

    __tablename__ = "likelihood"

    vulnerability_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    valid_from: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    probability: Mapped[float | None] = mapped_column(REAL)
    percentile: Mapped[float | None] = mapped_column(REAL)
    model_version: Mapped[str | None] = mapped_column(Text)
    scored_on: Mapped[date | None] = mapped_column(Date)


class BundleRoot(Base):
    """Whose bundles are trusted here: the newest root of an origin, which only ever moves forward."""

    __tablename__ = "bundle_root"

    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[bytes] = mapped_column(LargeBinary)  # as signed
    pinned_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)


class BundleExport(Base):
    """A bundle made here: its number, and where each feed stood after it, so that a delta can go on from there."""

    __tablename__ = "bundle_export"

    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sha256: Mapped[str] = mapped_column(Text)  # of its manifest
    made_at: Mapped[datetime] = mapped_column(Moment)
    base_sequence: Mapped[int | None] = mapped_column(BigInteger)
    states: Mapped[dict[str, Any]] = mapped_column(JSONB)


class BundleImport(Base):
    """A bundle offered to this installation, and what became of it; the highest number taken in bars older ones.

    `outcomes` says how each feed fared, those of a delta's base included.
    """

    __tablename__ = "bundle_import"
    __table_args__ = (
        CheckConstraint(
            "state in ('pending', 'rejected', 'importing', 'incomplete', 'imported')", name="state"
        ),
        Index("ix_bundle_import_origin_sequence", "origin", "sequence"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    sha256: Mapped[str] = mapped_column(Text, unique=True)  # of its manifest
    origin: Mapped[str] = mapped_column(Text)
    sequence: Mapped[int] = mapped_column(BigInteger)
    base_sha256: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(Text)
    file: Mapped[str | None] = mapped_column(Text)  # the staged copy, while it waits for a second person
    offered_at: Mapped[datetime] = mapped_column(Moment)
    offered_by: Mapped[str] = mapped_column(Text)  # actor, as in the audit log
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    outcomes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    bytes: Mapped[int | None] = mapped_column(BigInteger)  # the staged file's
    holds: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))  # by feed
    trouble: Mapped[str | None] = mapped_column(Text)  # why an approved one was not taken in
