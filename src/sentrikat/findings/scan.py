"""Match inventories without storing them: the same statements as for stored ones, on tables of the session.

The temporary tables have the names of the stored ones and stand before them in the search path, so the very SQL of
`findings.match` runs over them; the transaction is rolled back at the end and leaves nothing. A component judged
once is remembered for the rest of the scan: a fleet of similar machines costs little more than its first one.

As of a past day: what was published by that day counts, known exploitation and likelihood as of that day. What a
source corrected later is taken in its corrected form: feeds do not say what they used to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import islice

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import (
    APPLICATION_KINDS,
    DISTRIBUTION_KINDS,
    LANGUAGE_KINDS,
    Component,
    Installed,
    Inventory,
    installed_components,
)
from sentrikat.domain.lifecycle import Support
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.conditions import Platform, condition_holds
from sentrikat.domain.matching.microsoft_programs import reported_updates
from sentrikat.domain.matching.program_updates import programs_of
from sentrikat.domain.matching.supersedence import MissingUpdate
from sentrikat.findings.facts import Fact, Flaw, load_facts, load_flaws
from sentrikat.findings.match import decide_everything, refresh_exclusions
from sentrikat.findings.possible import NameHit, hits_of
from sentrikat.infra.database.copy import copy_rows
from sentrikat.inventory.identification import covered_releases, identify_component, needs_names
from sentrikat.inventory.lifecycle import ReleaseEnds, Unsupported
from sentrikat.inventory.titles import TitleIndex
from sentrikat.inventory.updates import UpdateHistory, system_of, update_products

BATCH = 256  # inventories matched together
_REMEMBERED = 400_000  # components; a fleet has fewer, a stream of foreign SBOMs may have more

_MOST_HINTS = 20  # of one component; they are for people to look at
_UPSTREAM = "upstream"  # stands in for a package to find hints; never a result

_SHADOWS = """
create temporary table component (id bigint primary key, module text);
create temporary table component_product (
    component_id bigint, product_id bigint, version_key bytea, method text, context text, judged boolean);
create index on pg_temp.component_product (component_id);
create temporary table target_exclusion (context text, target_id bigint, primary key (context, target_id));
create temporary table target_context (context text primary key, newest_target_id bigint)
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of one component: its identities, the statements that hold for it, and how far it is known."""

    component: Component
    identities: tuple[Identity, ...]
    state: str
    hits: tuple[Fact, ...] = ()
    described: bool = True  # some source makes statements about one of its products
    names: tuple[NameHit, ...] = ()  # flaws nobody describes, of software that is called so
    hints: tuple[str, ...] = ()  # what upstream's ranges say of a package whose own release nobody speaks of
    named: Identity | None = (
        None  # a language package under the CPE name that sources outside its ecosystem use
    )


@dataclass(frozen=True, slots=True)
class Hit:
    """One flaw of one component of one inventory."""

    installed: Installed
    identity: Identity
    fact: Fact
    flaw: Flaw
    assumed: bool  # a platform condition that the inventory cannot answer was taken as met


@dataclass(frozen=True, slots=True)
class Unknown:
    """A component nothing safe can be said of; `hints` are flaws that may concern it."""

    installed: Installed
    identity: Identity | None
    reason: str  # unidentified | no_version | undescribed | unsupported | end_of_life
    hints: tuple[str, ...] = ()
    evidence: str | None = None  # in place of the reason's usual words


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one inventory has: flaws, unknowns, and what its applications were identified as."""

    inventory: Inventory
    hits: tuple[Hit, ...]
    unknown: tuple[Unknown, ...]
    identified: tuple[tuple[Installed, Identity], ...]
    unsupported: tuple[tuple[Installed, Unsupported], ...] = ()  # past the end of its security support
    missing_updates: tuple[MissingUpdate, ...] = ()  # of the system
    missing_program_updates: tuple[MissingUpdate, ...] = ()


@dataclass(slots=True)
class Scanner:
    """Judges inventories against the loaded feeds. One per transaction; nothing is kept.

    `today` is the day that releases are over or not, unless it is asked as of another; None: nobody asks.
    """

    session: Session
    as_of: date | None = None
    today: date | None = None
    _covered: frozenset[str] = frozenset()
    _known: dict[Component, Judged] = field(default_factory=dict)
    _flaws: dict[int, Flaw] = field(default_factory=dict)
    _sources: dict[tuple[str, str], str] = field(default_factory=dict)
    _next_id: int = 1
    _ends: ReleaseEnds | None = None
    _updates: UpdateHistory = field(init=False)

    def begin(self) -> None:
        """Make the tables of the session."""
        self._updates = UpdateHistory(self.session)
        for statement in filter(str.strip, _SHADOWS.split(";")):
            self.session.execute(text(statement))
        # A statement this connection prepared before would go on meaning the stored tables: a new table that stands
        # before one of the same name does not make a prepared plan invalid.
        self.session.execute(text("discard plans"))
        self._covered = covered_releases(self.session)
        if (day := self.as_of or self.today) is not None:
            self._ends = ReleaseEnds.load(self.session, day)
        self._sources = {
            (row.namespace, row.binary_name): row.source_name
            for row in self.session.execute(
                text("select namespace, binary_name, source_name from package_source")
            )
        }

    def scan(self, inventories: Iterable[Inventory]) -> Iterator[ScanResult]:
        """Yield one result per inventory, in order."""
        remaining = iter(inventories)
        while batch := list(islice(remaining, BATCH)):
            installed = [installed_components(one, self._source_of) for one in batch]
            self._judge({item.component for items in installed for item in items})
            for inventory, items in zip(batch, installed, strict=True):
                yield self._result(inventory, items)
            if len(self._known) > _REMEMBERED:
                self._known.clear()

    def _source_of(self, release: str, binary: str) -> str | None:
        return self._sources.get((release, binary))

    def _judge(self, components: set[Component]) -> None:
        """Judge the components not met before."""
        fresh = [one for one in components if one not in self._known]
        if not fresh:
            return
        upstreams = {one: _upstream(one) for one in fresh if self._is_uncovered(one)}
        named = [one for one in fresh if needs_names(one) or one.kind in LANGUAGE_KINDS]
        asked = [*named, *upstreams.values()]
        titles = TitleIndex.load(self.session, asked) if asked else None
        identified: dict[int, tuple[Component, list[Identity], str]] = {}
        upstream_numbers: dict[Component, int] = {}
        for component in fresh:
            found, state = identify_component(component, titles, self._covered)
            identified[self._next_id] = (component, found, state)
            self._next_id += 1
            if titles is not None and (upstream := upstreams.get(component)) is not None:
                upstream_numbers[component] = self._next_id
                identified[self._next_id] = (upstream, titles.identities(upstream, "linux"), _UPSTREAM)
                self._next_id += 1
        products = {one.product for _, found, _ in identified.values() for one in found}
        ids = self._product_ids(products)
        self._fill(identified, ids)
        facts = self._decide()
        names = hits_of(
            self.session,
            {number: one for number, (one, _, state) in identified.items() if state is not _UPSTREAM},
        )
        spoken = {fact.vulnerability_id for hits in facts.values() for fact in hits}
        missing = (
            spoken.union(one.vulnerability_id for hits in names.values() for one in hits) - self._flaws.keys()
        )
        self._flaws.update(load_flaws(self.session, missing, self.as_of))
        for number, (component, found, state) in identified.items():
            if state is _UPSTREAM:
                continue
            decided = {one.vulnerability_id for one in facts.get(number, ())}
            hints = facts.get(upstream_numbers.get(component, 0), ())
            self._known[component] = Judged(
                component=component,
                identities=tuple(found),
                state=state,
                hits=tuple(facts.get(number, ())),
                described=any(one.product in ids for one in found if one.judged),
                named=_named(component, found, titles),
                hints=self._most_pressing(hints),
                names=tuple(one for one in names.get(number, ()) if one.vulnerability_id not in decided),
            )

    def _is_uncovered(self, component: Component) -> bool:
        """Say whether a package belongs to a release no source makes statements about."""
        return (
            component.kind in DISTRIBUTION_KINDS
            and component.version is not None
            and component.namespace not in self._covered
        )

    def _most_pressing(self, facts: Iterable[Fact]) -> tuple[str, ...]:
        flaws = [self._flaws[one.vulnerability_id] for one in facts if one.vulnerability_id in self._flaws]
        flaws.sort(key=lambda one: (one.exploited_since is None, -(one.epss or 0.0), one.name))
        return tuple(one.name for one in flaws[:_MOST_HINTS])

    def _by_name(self, known: Judged) -> list[str]:
        """Give the flaws that names may mean, as of the day asked about."""
        found = []
        for one in known.names:
            flaw = self._flaws.get(one.vulnerability_id)
            if flaw is None:
                continue
            if one.basis == "catalog":
                told = self.as_of is None or flaw.exploited_since is not None
            else:
                told = (
                    known.state != "identified"
                )  # identification knows better which statements are about it
            if told:
                found.append(flaw.name)
        return found[:_MOST_HINTS]

    def _product_ids(self, products: set[Product]) -> dict[Product, int]:
        """Give the ids of products that some source makes statements about."""
        wanted = sorted(products)
        rows = self.session.execute(
            text(
                "select p.id, p.ecosystem, p.name from"
                " unnest(cast(:ecosystems as text[]), cast(:names as text[])) as w(ecosystem, name)"
                " join product p on p.ecosystem = w.ecosystem and p.name = w.name"
                " where exists (select from affected_range r where r.product_id = p.id and r.valid_to is null)"
            ),
            {"ecosystems": [one.ecosystem for one in wanted], "names": [one.name for one in wanted]},
        )
        return {Product(row.ecosystem, row.name): row.id for row in rows}

    def _fill(
        self, identified: Mapping[int, tuple[Component, list[Identity], str]], ids: Mapping[Product, int]
    ) -> None:
        self.session.execute(text("truncate pg_temp.component, pg_temp.component_product"))
        copy_rows(
            self.session,
            "pg_temp.component",
            ("id", "module"),
            ((number, one.module) for number, (one, _, _) in identified.items()),
        )
        copy_rows(
            self.session,
            "pg_temp.component_product",
            ("component_id", "product_id", "version_key", "method", "context", "judged"),
            (
                (number, ids[one.product], one.version_key, one.method, one.context, one.judged)
                for number, (_, found, _) in identified.items()
                for one in found
                if one.product in ids
            ),
        )
        self.session.execute(text("analyze pg_temp.component_product"))

    def _decide(self) -> dict[int, list[Fact]]:
        refresh_exclusions(self.session)
        decide_everything(self.session)
        facts = load_facts(self.session)
        self.session.execute(text("drop table covering, decided"))
        return facts

    def _result(self, inventory: Inventory, items: Sequence[Installed]) -> ScanResult:
        judged = [(item, self._known[item.component]) for item in items]
        system, updates = system_of(asdict(inventory.os)), reported_updates(inventory)
        programs = programs_of(item.component for item in items)
        platform = _platform(judged, self._updates.held(system, updates, programs))
        hits: list[Hit] = []
        unknown: list[Unknown] = []
        identified: list[tuple[Installed, Identity]] = []
        unsupported: list[tuple[Installed, Unsupported]] = []
        for item, known in judged:
            best = next((one for one in known.identities if one.judged), None)
            if best is not None and (
                known.named is not None or item.component.kind in APPLICATION_KINDS | {"cpe"}
            ):
                identified.append((item, known.named or best))
            hints = [*known.hints, *self._by_name(known)]
            for fact in known.hits:
                flaw = self._flaws.get(fact.vulnerability_id)
                if flaw is None:  # published after the day asked about
                    continue
                if fact.conditions:
                    answers = [condition_holds(one, platform) for one in fact.conditions]
                    if all(answer is False for answer in answers):
                        continue
                    assumed = True not in answers
                else:
                    assumed = False
                if fact.verdict == "unknown":
                    hints.append(flaw.name)
                    continue
                identity = next(
                    (one for one in known.identities if one.product == fact.product), known.identities[0]
                )
                hits.append(Hit(item, identity, fact, flaw, assumed))
            past = self._ends.past(item.component, known.identities) if self._ends else None
            if past is not None:
                unsupported.append((item, past))
                if item.component.kind == "os" and past.support is Support.ENDED:
                    unknown.append(Unknown(item, best, "end_of_life", evidence=past.sentence))
            reason = _unknown_reason(item.component, known, self._covered, self._ends)
            if reason is None and hints:
                reason = "undescribed"
            if reason is not None:
                unknown.append(Unknown(item, best, reason, tuple(hints)))
        return ScanResult(
            inventory,
            tuple(hits),
            tuple(unknown),
            tuple(identified),
            tuple(unsupported),
            self._updates.missing(system, updates, self.as_of),
            self._updates.missing_of_programs(system, updates, programs, self.as_of),
        )


def _upstream(component: Component) -> Component:
    """Give the program a package was made of: its source's name, and the version without epoch and revision.

    Only for hints: a distribution repairs old versions in place, so upstream's ranges prove nothing of its packages.
    """
    version = (component.version or "").rpartition(":")[2]
    return Component(
        kind="upstream",
        namespace="linux",
        name=component.source_name or component.name,
        version=version.rpartition("-")[0] or version,
    )


def _named(component: Component, found: Sequence[Identity], titles: TitleIndex | None) -> Identity | None:
    """Give the identity of a language package with its CPE name, where its name tells one."""
    if component.kind not in LANGUAGE_KINDS or not found or titles is None:
        return None
    name = titles.name_of_package(component.kind, component.name, component.version)
    return replace(found[0], cpe=name.format()) if name is not None else None


def _platform(judged: Sequence[tuple[Installed, Judged]], updates: Iterable[str]) -> Platform:
    keys: dict[Product, list[bytes]] = {one: list(keys) for one, keys in update_products(updates).items()}
    system_known = False
    for item, known in judged:
        for one in known.identities:
            keys.setdefault(one.product, []).append(one.version_key)
        if item.component.kind == "os" and known.identities:
            system_known = True
    return Platform({product: tuple(found) for product, found in keys.items()}, system_known)


def _unknown_reason(
    component: Component, known: Judged, covered: frozenset[str], ends: ReleaseEnds | None
) -> str | None:
    if component.kind == "os":
        return None  # its packages and updates are judged, and listed where they cannot be
    if known.state == "unsupported":
        over = is_end_of_life(component.namespace, covered) or (
            ends is not None and ends.is_over(component.namespace)
        )
        return "end_of_life" if over else "unsupported"
    if known.state == "ignored":
        return None
    if known.state in {"unidentified", "no_version"}:
        return known.state
    if component.kind in APPLICATION_KINDS | {"cpe"} and not known.described:
        return "undescribed"
    return None


def is_end_of_life(release: str, covered: frozenset[str]) -> bool:
    """Say whether a release is older than every release of its distribution that still gets statements."""
    distribution, _, number = release.partition(":")
    held = [one.partition(":")[2] for one in covered if one.partition(":")[0] == distribution]
    try:
        numbers = [tuple(int(part) for part in one.split(".")) for one in held if one[:1].isdigit()]
        own = tuple(int(part) for part in number.split("."))
    except ValueError:
        return False
    return bool(numbers) and own < min(numbers)
