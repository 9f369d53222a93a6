"""Records on their way in: encoded in Python, streamed to temporary tables, merged by `merge` in SQL.

Memory is bounded by one batch whatever the feed's size. A record whose digest is the one held is only noted as
seen, so a second import of the same feed costs its parsing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import (
    Advisory,
    BuiltFrom,
    CatalogueEntry,
    Condition,
    Enrichment,
    Record,
    ReleaseCycles,
    SameFlaw,
    Statement,
    Status,
    VendorUpdate,
)
from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.matching.claim import Strength
from sentrikat.domain.matching.lanes import lane_of, scheme_of
from sentrikat.domain.matching.precedence import rank
from sentrikat.domain.ranges import VersionRange, bounds
from sentrikat.domain.versions import Scheme
from sentrikat.infra.database.copy import copy_rows
from sentrikat.vulnerabilities.packing import packer

BATCH = 10_000  # rows held in memory before they are streamed out: some 10 MB
_UNDATED = datetime.min.replace(tzinfo=UTC)

_TABLES = """
create temporary table staged_advisory (
    external_id text, digest bytea, document bytea, modified_at timestamptz, withdrawn boolean
) on commit drop;
create temporary table staged_vulnerability (
    name text, external_id text, title text, description text, published_at timestamptz,
    modified_at timestamptz, rejected boolean, weaknesses text[], links text[]
) on commit drop;
create temporary table staged_alias (name text, alias text) on commit drop;
create temporary table staged_score (
    vulnerability text, external_id text, version text, vector text, score real, severity text,
    provider text, is_primary boolean
) on commit drop;
create temporary table staged_statement (
    external_id text, vulnerability text, ecosystem text, name text, status text, described boolean,
    remedy text, scheme text, lo bytea, hi bytea, introduced text, introduced_excluded boolean, fixed text,
    last_affected text, rank smallint, strength smallint, target bytea, module text, note text,
    condition bytea, digest bytea
) on commit drop;
create temporary table staged_target (digest bytea, attributes jsonb) on commit drop;
create temporary table staged_condition (digest bytea, tree jsonb) on commit drop;
create temporary table staged_term (
    condition bytea, group_number smallint, negate boolean, ecosystem text, name text, lo bytea, hi bytea
) on commit drop;
create temporary table staged_enrichment (vulnerability text, kind text, fact jsonb) on commit drop;
create temporary table staged_likelihood (
    vulnerability text, probability real, percentile real, model_version text, scored_on date
) on commit drop;
create temporary table staged_name (
    ecosystem text, name text, vendor text, title text, end_of_life date, target_software text[], live boolean,
    replacement_ecosystem text, replacement text
) on commit drop;
create temporary table staged_update (
    external_id text, name text, ecosystem text, product text, kind text, released date, fixed_build text,
    supersedes text[], vulnerabilities text[], digest bytea
) on commit drop;
create temporary table staged_built_from (release text, binary_name text, package text) on commit drop;
create temporary table staged_cycle (
    product text, cycle text, label text, latest text, released_on date, security_ends_on date,
    security_over boolean, support_ends_on date, support_over boolean, extended_ends_on date, extended_over boolean
) on commit drop;
create temporary table staged_cycle_product (product text, ecosystem text, name text) on commit drop;
create temporary table seen (external_id text) on commit drop;
"""

_COLUMNS = {
    "staged_advisory": "external_id digest document modified_at withdrawn",
    "staged_vulnerability": "name external_id title description published_at modified_at rejected"
    " weaknesses links",
    "staged_alias": "name alias",
    "staged_score": "vulnerability external_id version vector score severity provider is_primary",
    "staged_statement": "external_id vulnerability ecosystem name status described remedy scheme lo hi"
    " introduced introduced_excluded fixed last_affected rank strength target module note condition digest",
    "staged_target": "digest attributes",
    "staged_condition": "digest tree",
    "staged_term": "condition group_number negate ecosystem name lo hi",
    "staged_enrichment": "vulnerability kind fact",
    "staged_likelihood": "vulnerability probability percentile model_version scored_on",
    "staged_name": "ecosystem name vendor title end_of_life target_software live replacement_ecosystem"
    " replacement",
    "staged_update": "external_id name ecosystem product kind released fixed_build supersedes vulnerabilities digest",
    "staged_built_from": "release binary_name package",
    "staged_cycle": "product cycle label latest released_on security_ends_on security_over support_ends_on"
    " support_over extended_ends_on extended_over",
    "staged_cycle_product": "product ecosystem name",
    "seen": "external_id",
}


@dataclass(slots=True)
class Staging:
    """One run's records of one source."""

    session: Session
    source: str
    held: dict[str, bytes] = field(default_factory=dict)
    records: int = 0
    unorderable: int = 0  # statements whose bounds their scheme cannot order
    has_enrichment: bool = False
    has_likelihood: bool = False
    has_advisory: bool = False
    has_names: bool = False
    has_updates: bool = False
    has_cycles: bool = False
    _rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    _staged: dict[str, tuple[datetime | None, bytes]] = field(default_factory=dict)  # id: modified, digest
    _again: dict[str, Advisory] = field(default_factory=dict)
    _last_condition: tuple[Condition | None, bytes] = (None, b"")
    _pack: Callable[[bytes], bytes] = field(default_factory=packer)
    _ranks: dict[str, int] = field(default_factory=dict)  # by ecosystem
    _known_targets: set[bytes] = field(default_factory=set)
    _known_conditions: set[bytes] = field(default_factory=set)

    def begin(self) -> None:
        """Make the tables, and read which advisories are held."""
        for statement in filter(str.strip, _TABLES.split(";")):
            self.session.execute(text(statement))
        self._rows = {table: [] for table in _COLUMNS}
        held = self.session.execute(
            text("select external_id, digest from advisory where source = :source"), {"source": self.source}
        )
        self.held = {external_id: bytes(digest) for external_id, digest in held}

    def add(self, record: Record) -> None:
        """Take one record in."""
        self.records += 1
        if isinstance(record, Advisory):
            self.has_advisory = True
            self._advisory(record)
        elif isinstance(record, Enrichment):
            self._enrichment(record)
        elif isinstance(record, SameFlaw):
            self._rows["staged_alias"].append((record.name, record.alias))
        elif isinstance(record, BuiltFrom):
            self._rows["staged_built_from"].append((record.release, record.binary, record.package))
        elif isinstance(record, ReleaseCycles):
            self.has_cycles = True
            self._cycles(record)
        else:
            self.has_names = True
            self._name(record)
        if sum(map(len, self._rows.values())) >= BATCH:
            self.flush()

    def keep(self, record_id: str) -> None:
        """Note that a record was there though it could not be read: what is held of it stays."""
        self._rows["seen"].append((record_id,))

    def finish(self) -> None:
        """Stream the rest, and let records that came twice, in two forms, count once: the newer form."""
        self.flush()
        again, self._again = self._again, {}
        if not again:
            return
        for table in (
            "staged_advisory",
            "staged_vulnerability",
            "staged_score",
            "staged_statement",
            "staged_update",
        ):
            self.session.execute(
                text(f"delete from {table} where external_id = any(:ids)"),  # noqa: S608
                {"ids": list(again)},
            )
        for record_id, advisory in again.items():
            del self._staged[record_id]
            self._advisory(advisory)
        self.flush()

    def flush(self) -> None:
        """Stream what is held in memory to the database."""
        for table, rows in self._rows.items():
            if rows:
                copy_rows(self.session, table, _COLUMNS[table].split(), rows)
                rows.clear()

    def _advisory(self, advisory: Advisory) -> None:
        document = orjson.dumps(advisory)
        digest = hashlib.blake2b(document, digest_size=16).digest()
        self._rows["seen"].append((advisory.id,))
        if advisory.id in self._staged:
            # Also where this form is the held one: a document of an archive, taken back by the list that follows it.
            self._take_newer(advisory, digest)
            return
        if self.held.get(advisory.id) == digest:
            return
        self._staged[advisory.id] = (advisory.modified, digest)
        withdrawn = advisory.withdrawn is not None
        self._rows["staged_advisory"].append(
            (advisory.id, digest, self._pack(document), advisory.modified, withdrawn)
        )
        names = advisory.vulnerabilities
        # Words and scores of a record about many flaws are about none of them in particular.
        about_one = len(names) == 1
        for name in names:
            self._rows["staged_vulnerability"].append(
                (
                    name,
                    advisory.id,
                    _storable(advisory.title) if about_one else None,
                    _storable(advisory.description) if about_one else None,
                    advisory.published if about_one else None,
                    advisory.modified if about_one else None,
                    advisory.rejected,
                    list(advisory.weaknesses) if about_one else [],
                    list(advisory.references) if about_one else [],
                )
            )
        if about_one:
            # Only a record that calls itself the flaw is another name of it: an errata is not, though it repairs one.
            own = {advisory.id} if names[0] in advisory.aliases else set()
            for alias in (own | set(advisory.aliases)) - {names[0]}:
                self._rows["staged_alias"].append((names[0], alias))
            for score in advisory.scores:
                self._rows["staged_score"].append(
                    (
                        names[0],
                        advisory.id,
                        score.version,
                        score.vector,
                        score.score,
                        score.severity,
                        score.provider,
                        score.primary,
                    )
                )
        if withdrawn or advisory.rejected:
            return
        for update in advisory.updates:
            self._update(advisory.id, update)
        rows = self._rows["staged_statement"]
        seen: set[bytes] = set()
        for statement in advisory.statements:
            encoded = self._statement(statement)
            if encoded[-1] in seen:
                continue
            seen.add(encoded[-1])
            for name in names:
                rows.append((advisory.id, name, *encoded))

    def _take_newer(self, advisory: Advisory, digest: bytes) -> None:
        """Remember the newer of two forms of one record that a run brought, for `finish`.

        Two archives mostly hold the very same form (OSV's of SUSE and openSUSE, of Wolfi and Chainguard): nothing to
        remember, and nothing to write again at the end.
        """
        modified, staged = self._staged[advisory.id]
        if advisory.id in self._again:
            modified = self._again[advisory.id].modified
        elif digest == staged:
            return
        if (advisory.modified or _UNDATED) >= (modified or _UNDATED):
            self._again[advisory.id] = advisory

    def _statement(self, statement: Statement) -> tuple[Any, ...]:
        """Give the columns of `staged_statement` after the vulnerability."""
        versions, product = statement.versions, statement.product
        scheme = scheme_of(product.ecosystem)
        described = statement.described
        try:
            lo, hi = _bounds(scheme, versions)
        except InvalidVersion:
            # Bounds that cannot be ordered say nothing that could be checked: review, never a guess.
            self.unorderable += 1
            lo, hi, described = b"", None, False
        if not described or statement.status is Status.INVESTIGATING:
            strength = Strength.NONE
        elif statement.status is Status.UNAFFECTED:
            strength = Strength.EXEMPT
        else:
            strength = Strength.BLANKET if lo == b"" and hi is None else Strength.BOUNDED
        condition = None
        if statement.condition is not None:
            # Statements of one configuration share one condition, and encoding it is half the work.
            if statement.condition is not self._last_condition[0]:
                self._last_condition = (statement.condition, self._condition(statement.condition))
            condition = self._last_condition[1]
        target = self._target(statement.target) if statement.target else None
        status, remedy = statement.status, statement.remedy
        fields = (
            product.ecosystem,
            product.name,
            status.value,
            described,
            remedy.value if remedy is not None else None,
            scheme.value,
            lo,
            hi,
            _storable(versions.introduced),
            versions.introduced_excluded,
            _storable(versions.fixed),
            _storable(versions.last_affected),
            self._rank(product.ecosystem),
            int(strength),
            target,
            statement.module,
            _storable(statement.note),
            condition,
        )
        return (*fields, hashlib.blake2b(repr(fields).encode(), digest_size=16).digest())

    def _rank(self, ecosystem: str) -> int:
        known = self._ranks.get(ecosystem)
        if known is None:
            known = self._ranks[ecosystem] = rank(lane_of(ecosystem), self.source)
        return known

    def _update(self, advisory_id: str, update: VendorUpdate) -> None:
        self.has_updates = True
        fields = (
            update.name,
            update.product.ecosystem,
            update.product.name,
            _storable(update.kind),
            update.released,
            _storable(update.fixed_build),
            list(update.supersedes),
            list(update.vulnerabilities),
        )
        digest = hashlib.blake2b(repr(fields).encode(), digest_size=16).digest()
        self._rows["staged_update"].append((advisory_id, *fields, digest))

    def _target(self, target: tuple[tuple[str, str], ...]) -> bytes:
        attributes = orjson.dumps(target)
        digest = hashlib.blake2b(attributes, digest_size=16).digest()
        if digest not in self._known_targets:
            self._known_targets.add(digest)
            self._rows["staged_target"].append((digest, attributes.decode()))
        return digest

    def _condition(self, condition: Condition) -> bytes:
        tree = orjson.dumps(condition)
        digest = hashlib.blake2b(tree, digest_size=16).digest()
        if digest in self._known_conditions:
            return digest
        self._known_conditions.add(digest)
        self._rows["staged_condition"].append((digest, tree.decode()))
        for number, group in enumerate(condition.groups):
            for term in group.terms:
                lo, hi = b"", None
                if term.versions is not None:
                    try:
                        lo, hi = _bounds(scheme_of(term.product.ecosystem), term.versions)
                    except InvalidVersion:
                        # Any version of the platform fulfils it: a condition too wide shows too much, not too little.
                        lo, hi = b"", None
                self._rows["staged_term"].append(
                    (digest, number, group.negate, term.product.ecosystem, term.product.name, lo, hi)
                )
        return digest

    def _enrichment(self, enrichment: Enrichment) -> None:
        if (likely := enrichment.likelihood) is not None:
            self.has_likelihood = True
            self._rows["staged_likelihood"].append(
                (
                    enrichment.vulnerability,
                    likely.probability,
                    likely.percentile,
                    likely.model_version,
                    likely.scored_on,
                )
            )
            return
        self.has_enrichment = True
        if (exploited := enrichment.exploitation) is not None:
            kind, fact = "kev", exploited
        elif (exploit := enrichment.published_exploit) is not None:
            kind, fact = "exploit", exploit  # type: ignore[assignment]
        else:
            kind, fact = "ssvc", enrichment.decision_points  # type: ignore[assignment]
        self._rows["staged_enrichment"].append((enrichment.vulnerability, kind, orjson.dumps(fact).decode()))

    def _name(self, entry: CatalogueEntry) -> None:
        self._rows["staged_name"].append(
            (
                entry.product.ecosystem,
                entry.product.name,
                _storable(entry.vendor) or "",
                _storable(entry.title) or "",
                entry.end_of_life,
                list(entry.target_software),
                entry.live,
                entry.replaced_by.ecosystem if entry.replaced_by else None,
                entry.replaced_by.name if entry.replaced_by else None,
            )
        )

    def _cycles(self, record: ReleaseCycles) -> None:
        for cycle in record.cycles:
            ends = [
                value
                for ending in (cycle.security, cycle.support, cycle.extended)
                for value in ((ending.on, ending.over) if ending else (None, None))
            ]
            self._rows["staged_cycle"].append(
                (record.product, cycle.name, cycle.label, cycle.latest, cycle.released, *ends)
            )
        for product in record.products:
            self._rows["staged_cycle_product"].append((record.product, product.ecosystem, product.name))


def _storable(words: str | None) -> str | None:
    """PostgreSQL text holds no NUL character; a source's stray one is dropped."""
    return words.replace("\x00", "") if words is not None and "\x00" in words else words


@lru_cache(maxsize=65536)
def _bounds(scheme: Scheme, versions: VersionRange) -> tuple[bytes, bytes | None]:
    if versions.scheme is not scheme:
        versions = replace(versions, scheme=scheme)
    return bounds(versions)
