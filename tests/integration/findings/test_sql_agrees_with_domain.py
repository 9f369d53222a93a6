"""The set-based join and the pure judge give the same answer, and incremental work the same as all of it.

Random worlds: sources say random things of few products and few versions, in two rounds so that statements come, go
and change; components carry every kind of identity there is. Small vocabularies make the collisions that matter.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Advisory, Condition, Product, Remedy, Statement, Status, Term, TermGroup
from sentrikat.domain.inventory import (
    Component,
    Inventory,
    OperatingSystem,
    Software,
    installed_components,
    no_source,
)
from sentrikat.domain.matching.claim import Claim, Identity, Strength
from sentrikat.domain.matching.conditions import Platform, condition_holds
from sentrikat.domain.matching.lanes import lane_of, scheme_of
from sentrikat.domain.matching.verdict import Outcome, judge
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.findings.facts import condition_of
from sentrikat.findings.match import begin_matching, match_all, match_components, match_new, match_statements
from sentrikat.findings.reconcile import reconcile_asset, reconcile_matches
from sentrikat.findings.scan import Scanner
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.identification import identify
from sentrikat.vulnerabilities.merge import merge
from sentrikat.vulnerabilities.staging import Staging
from tests.builders import NOON, forget_temporary, store_component

FLAWS = ("CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1003")
APPLICATION = ("overrides", "nvd", "vulnrichment", "osv", "elsewhere")  # the last is on no list
DISTRIBUTION = ("debian", "redhat", "redhat_data", "osv")
VERSIONS = ("1.0", "1.5", "2.0", "3.0")
PRODUCTS = (
    Product("cpe:a", "acme:anvil"),
    Product("cpe:a", "acme:rope"),
    Product("pypi", "anvil"),
    Product("debian:12", "anvil"),
    Product("debian:11", "anvil"),
    Product("rocky:9", "anvil"),
    Product("rhel:9", "anvil"),  # what Rocky is rebuilt from
    Product("rhel:9", "anvil-source"),
    Product("rocky:9", "anvil-source"),
)
PLATFORMS = (
    Product("cpe:o", "microsoft:windows"),
    Product("cpe:o", "debian:debian_linux"),
    Product("cpe:a", "acme:rope"),
    Product("cpe:h", "acme:hammer"),
)

COMPONENTS = (
    *(
        Component("cpe", family, "anvil", version, cpe=f"cpe:2.3:a:acme:anvil:{version}:*:*:*:*:{target}:*:*")
        for version, family, target in (
            ("1.0", "windows", "*"),
            ("1.5", "linux", "*"),
            ("2.0", "windows", "wordpress"),
            ("3.0", "linux", "linux"),
        )
    ),
    # Declares two products: judged by statements on either.
    Component(
        "application",
        "linux",
        "anvil",
        "1.5",
        cpe="cpe:2.3:a:acme:rope:1.5:*:*:*:*:*:*:*",
        purl="pkg:pypi/anvil@2.0",
    ),
    Component("application", "windows", "anvil", None, cpe="cpe:2.3:a:acme:anvil:*:*:*:*:*:*:*:*"),
    Component("pypi", "", "anvil", "1.5"),
    Component("pypi", "", "anvil", "not a version"),
    Component("deb", "debian:12", "anvil", "1.5"),
    Component("deb", "debian:11", "anvil", "1.5"),
    Component("deb", "debian:10", "anvil", "1.0"),  # ended: judged by what is said of 11 and 12
    Component("rpm", "rocky:9", "anvil", "1.5", "anvil-source", "2.0", module="anvil:8:20260101:x86_64"),
    Component("rpm", "rocky:9", "anvil", "2.0", "anvil-source", None, module="anvil"),
    Component("rpm", "rocky:9", "anvil", "1.0"),
    # What it declares and what conditions call it are the same product; it is judged all the same.
    Component("os", "linux", "debian", "12", cpe="cpe:2.3:o:debian:debian_linux:12:*:*:*:*:*:*:*"),
)


@st.composite
def ranges(draw: st.DrawFn, scheme: Scheme) -> VersionRange:
    """Spans with every kind of bound, and some that no scheme can order."""
    introduced = draw(st.sampled_from((None, None, *VERSIONS)))
    kind = draw(st.sampled_from(("fixed", "last", "open", "exact")))
    end = draw(st.sampled_from(VERSIONS))
    if kind == "exact":
        return VersionRange(scheme, introduced=end, last_affected=end)
    return VersionRange(
        scheme,
        introduced,
        fixed=end if kind == "fixed" else None,
        last_affected=end if kind == "last" else None,
        introduced_excluded=introduced is not None and draw(st.booleans()),
    )


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """One or two groups of platforms, some negated, some limited to versions."""

    def term() -> Term:
        product = draw(st.sampled_from(PLATFORMS))
        limited = draw(st.booleans())
        return Term(product, VersionRange(Scheme.GENERIC, fixed="2.0") if limited else None)

    return Condition(
        tuple(
            TermGroup(tuple(term() for _ in range(draw(st.integers(1, 2)))), negate=draw(st.booleans()))
            for _ in range(draw(st.integers(1, 2)))
        )
    )


@st.composite
def statements(draw: st.DrawFn, product: Product) -> Statement:
    """A statement with anything a source may say."""
    scheme = scheme_of(product.ecosystem)
    bounded = draw(st.integers(0, 3)) > 0
    versions = draw(ranges(scheme)) if bounded else VersionRange(scheme)
    is_rpm, is_cpe = scheme is Scheme.RPM, product.ecosystem.startswith("cpe:")
    return Statement(
        product,
        draw(st.sampled_from((Status.AFFECTED,) * 4 + (Status.UNAFFECTED, Status.INVESTIGATING))),
        versions,
        described=draw(st.integers(0, 3)) > 0,
        remedy=draw(st.sampled_from((None, Remedy.OPEN))),
        target=draw(
            st.sampled_from(
                ((), (), (("target_sw", "windows"),), (("target_sw", "wordpress"),), (("edition", "pro"),))
            )
        )
        if is_cpe
        else (),
        module=draw(st.sampled_from((None, None, "", "anvil:8", "anvil:9", "anvil"))) if is_rpm else None,
        condition=draw(st.none() | st.none() | conditions()) if is_cpe else None,
    )


@st.composite
def said(draw: st.DrawFn) -> dict[str, list[Advisory]]:
    """What each source says: by source, a few records about a few flaws."""
    found: dict[str, list[Advisory]] = defaultdict(list)
    for _ in range(draw(st.integers(1, 6))):
        product = draw(st.sampled_from(PRODUCTS))
        sources = DISTRIBUTION if lane_of(product.ecosystem) == "distribution" else APPLICATION
        source = draw(st.sampled_from(sources))
        flaws = draw(st.lists(st.sampled_from(FLAWS), min_size=1, max_size=2, unique=True))
        record = Advisory(
            source,
            f"{flaws[0]}/{product.name}" if draw(st.booleans()) else flaws[0],
            tuple(flaws),
            tuple(draw(st.lists(statements(product), min_size=1, max_size=4))),
        )
        if all(record.id != other.id for other in found[source]):
            found[source].append(record)
    return dict(found)


@dataclass(frozen=True)
class World:
    """Two rounds of what sources say, and which components come before, between and after."""

    first: dict[str, list[Advisory]]
    second: dict[str, list[Advisory]]
    complete: bool
    components: tuple[Component, ...]
    early: int
    middle: int


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Everything there is."""
    components = draw(st.permutations(COMPONENTS))
    early = draw(st.integers(0, len(components)))
    return World(
        draw(said()),
        draw(said()),
        draw(st.booleans()),
        tuple(components),
        early,
        draw(st.integers(early, len(components))),
    )


def load(session: Session, source: str, records: list[Advisory], *, complete: bool, later: int) -> None:
    """Merge what a source says, and match what that changed."""
    staging = Staging(session, source)
    staging.begin()
    for record in records:
        staging.add(record)
    merge(session, staging, complete=complete, now=NOON + timedelta(hours=later))
    begin_matching(session)
    match_statements(session, now=NOON + timedelta(hours=later))
    forget_temporary(session)


def arrive(session: Session, components: tuple[Component, ...], *, later: int) -> None:
    """Store components, identify and match them."""
    ids = [store_component(session, component) for component in components]
    identify(session, ids)
    match_new(session, ids, now=NOON + timedelta(hours=later))
    forget_temporary(session)


def live_through(session: Session, world: World) -> None:
    """Let things happen in order, each matched incrementally."""
    arrive(session, world.components[: world.early], later=1)
    for source, records in world.first.items():
        load(session, source, records, complete=False, later=2)
    arrive(session, world.components[world.early : world.middle], later=3)
    for source, records in world.second.items():
        load(session, source, records, complete=world.complete, later=4)
    arrive(session, world.components[world.middle :], later=5)


Decision = tuple[str, int, tuple[int, ...] | None]


def current_matches(session: Session) -> dict[tuple[int, int], Decision]:
    """What is stored as matching: verdict, chosen statement, conditions."""
    return {
        (row.component_id, row.vulnerability_id): (
            row.verdict,
            row.range_id,
            tuple(row.condition_ids) if row.condition_ids is not None else None,
        )
        for row in session.execute(text("select * from match where valid_to is null"))
    }


def claims_by_flaw(session: Session) -> dict[int, list[Claim]]:
    """Every current statement as the judge reads it."""
    found: dict[int, list[Claim]] = defaultdict(list)
    for row in session.execute(
        text(
            "select r.*, p.ecosystem, p.name, v.name as flaw, t.attributes, k.tree, a.external_id"
            " from affected_range r join product p on p.id = r.product_id"
            " join vulnerability v on v.id = r.vulnerability_id join advisory a on a.id = r.advisory_id"
            " left join platform_target t on t.id = r.target_id"
            " left join platform_condition k on k.id = r.condition_id where r.valid_to is null"
        )
    ):
        claim = Claim(
            id=row.id,
            vulnerability=row.flaw,
            source=row.source,
            advisory=row.external_id,
            rank=row.rank,
            product=Product(row.ecosystem, row.name),
            status=Status(row.status),
            described=row.described,
            remedy=Remedy(row.remedy) if row.remedy else None,
            scheme=Scheme(row.scheme),
            lo=bytes(row.lo),
            hi=bytes(row.hi) if row.hi is not None else None,
            introduced=row.introduced,
            introduced_excluded=row.introduced_excluded,
            fixed=row.fixed,
            last_affected=row.last_affected,
            target=tuple((key, value) for key, value in row.attributes or ()),
            module=row.module,
            condition=condition_of(row.tree) if row.tree else None,
            condition_id=row.condition_id,
        )
        assert claim.strength == Strength(row.strength), "stored strength is the domain's"
        found[row.vulnerability_id].append(claim)
    return found


def identities_of(session: Session) -> dict[int, tuple[str | None, list[Identity]]]:
    """Every component's module and identities, as stored."""
    found: dict[int, tuple[str | None, list[Identity]]] = {
        row.id: (row.module, []) for row in session.execute(text("select id, module from component"))
    }
    for row in session.execute(
        text(
            "select cp.*, p.ecosystem, p.name from component_product cp join product p on p.id = cp.product_id"
        )
    ):
        found[row.component_id][1].append(
            Identity(
                Product(row.ecosystem, row.name),
                Scheme(row.scheme),
                row.version,
                bytes(row.version_key),
                row.method,
                row.confidence,
                row.cpe,
                row.context,
                row.judged,
            )
        )
    return found


def by_the_domain(session: Session) -> dict[tuple[int, int], Decision]:
    """What the pure judge says of every component and flaw, in the form of `current_matches`."""
    decisions: dict[tuple[int, int], Decision] = {}
    claims = claims_by_flaw(session)
    for component_id, (module, identities) in identities_of(session).items():
        for flaw_id, of_flaw in claims.items():
            verdict = judge(identities, of_flaw, module)
            if verdict.outcome is Outcome.NOT_AFFECTED or verdict.chosen is None:
                continue
            needed = {one.condition_id for one in verdict.conditions if one.condition_id is not None}
            decisions[component_id, flaw_id] = (
                str(verdict.outcome),
                verdict.chosen.id,
                tuple(sorted(needed)) if needed else None,
            )
    return decisions


# Each example is a dozen merges and matches; `HYPOTHESIS_PROFILE=thorough` runs fifty times as many.
ENOUGH = settings(
    max_examples=settings().max_examples // 8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@ENOUGH
@given(world=worlds())
def test_sql_decides_what_the_domain_decides_and_incremental_work_equals_all_of_it(
    database: Database, world: World
) -> None:
    with database.as_system() as session:
        live_through(session, world)
        incremental = current_matches(session)

        assert incremental == by_the_domain(session)

        session.execute(text("delete from match"))
        begin_matching(session)
        match_all(session, now=NOON)
        forget_temporary(session)
        assert current_matches(session) == incremental
        session.rollback()


LINUX = Inventory(
    "linux",
    None,
    "linux",
    None,
    OperatingSystem("linux", "debian", "12", cpe="cpe:2.3:o:debian:debian_linux:12:*:*:*:*:*:*:*"),
    None,
    True,
    (
        Software("cpe", "anvil", "1.5", cpe="cpe:2.3:a:acme:anvil:1.5:*:*:*:*:*:*:*"),
        Software("cpe", "rope", "1.0", cpe="cpe:2.3:a:acme:rope:1.0:*:*:*:*:*:*:*"),
        Software("pypi", "anvil", "1.5"),
        Software("deb", "libanvil1", "1.5", source_name="anvil"),
        Software("rpm", "anvil", "1.5", source_name="anvil-source", module="anvil:8:1:x", release="rocky:9"),
    ),
)
WINDOWS = Inventory(
    "windows",
    None,
    "windows",
    None,
    OperatingSystem("windows", "Windows 11 Pro", "10.0.22631.3447"),
    None,
    True,
    (
        Software("cpe", "anvil", "2.0", cpe="cpe:2.3:a:acme:anvil:2.0:*:*:*:*:wordpress:*:*"),
        Software("application", "anvil", "1.0", cpe="cpe:2.3:a:acme:anvil:1.0:*:*:*:*:*:*:*"),
        Software("pypi", "anvil", "3.0"),
    ),
)
NAMELESS = Inventory(  # nobody said which operating system: conditions on one are assumed
    "nameless",
    None,
    "nameless",
    None,
    OperatingSystem("other"),
    None,
    True,
    (Software("cpe", "anvil", "1.0", cpe="cpe:2.3:a:acme:anvil:1.0:*:*:*:*:*:*:*"),),
)


def move_in(session: Session, inventories: tuple[Inventory, ...]) -> dict[str, int]:
    """An organization with an asset per inventory, its components installed but neither identified nor matched."""
    organization = session.execute(
        text("insert into organization (slug, name, created_at) values ('acme', 'Acme', :now) returning id"),
        {"now": NOON},
    ).scalar_one()
    ids: dict[Component, int] = {}
    for inventory in inventories:
        asset = session.execute(
            text(
                "insert into asset (organization_id, hostname, os_family, os, first_seen_at, last_report_at)"
                " values (:organization, :hostname, :family, '{}', :now, :now) returning id"
            ),
            {
                "organization": organization,
                "hostname": inventory.hostname,
                "family": inventory.os.family,
                "now": NOON,
            },
        ).scalar_one()
        for installed in installed_components(inventory, no_source):
            if installed.component not in ids:
                ids[installed.component] = store_component(session, installed.component)
            session.execute(
                text(
                    "insert into install (organization_id, asset_id, component_id, first_seen_at)"
                    " values (:organization, :asset, :component, :now)"
                ),
                {
                    "organization": organization,
                    "asset": asset,
                    "component": ids[installed.component],
                    "now": NOON,
                },
            )
    identify(session, list(ids.values()))
    begin_matching(session)
    match_components(session, list(ids.values()), now=NOON)
    forget_temporary(session)
    return {"organization": organization}


Found = set[tuple[str, int, int, str]]  # host, component, flaw, verdict


def open_now(session: Session) -> Found:
    """The open findings."""
    return {
        tuple(row)
        for row in session.execute(
            text(
                "select a.hostname, f.component_id, f.vulnerability_id, f.verdict from finding f"
                " join asset a on a.id = f.asset_id where f.closed_at is null"
            )
        )
    }


def expected_now(session: Session) -> Found:
    """What the domain expects to be found: a verdict, and a platform condition that holds or cannot be told."""
    identities = identities_of(session)
    claims = claims_by_flaw(session)
    hosts: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in session.execute(
        text(
            "select a.hostname, c.id, c.kind from install i join asset a on a.id = i.asset_id"
            " join component c on c.id = i.component_id"
        )
    ):
        hosts[row.hostname].append((row.id, row.kind))
    found: Found = set()
    for host, components in hosts.items():
        keys: dict[Product, list[bytes]] = defaultdict(list)
        for component_id, _ in components:
            for one in identities[component_id][1]:
                keys[one.product].append(one.version_key)
        platform = Platform(
            {product: tuple(found) for product, found in keys.items()},
            system_known=any(kind == "os" and identities[number][1] for number, kind in components),
        )
        for component_id, _ in components:
            module, own = identities[component_id]
            for flaw_id, of_flaw in claims.items():
                verdict = judge(own, of_flaw, module)
                needed = [one.condition for one in verdict.conditions if one.condition is not None]
                if verdict.outcome is not Outcome.NOT_AFFECTED and (
                    not needed or any(condition_holds(one, platform) is not False for one in needed)
                ):
                    found.add((host, component_id, flaw_id, str(verdict.outcome)))
    return found


def scanned(session: Session) -> set[tuple[str, str, str, str]]:
    """What a scan of the same inventories finds: host, component, flaw, verdict."""
    scanner = Scanner(session)
    scanner.begin()
    found = set()
    for result in scanner.scan((LINUX, WINDOWS, NAMELESS)):
        for hit in result.hits:
            found.add((result.inventory.hostname, hit.installed.component.name, hit.flaw.name, "affected"))
        for one in result.unknown:
            if one.reason in {"unsupported", "end_of_life"}:
                continue  # its hints are what upstream says, which is no finding
            for hint in one.hints:
                found.add((result.inventory.hostname, one.installed.component.name, hint, "unknown"))
    return found


@ENOUGH
@given(first=said(), second=said(), complete=st.booleans())
def test_findings_follow_the_domain_and_a_scan_finds_the_same(
    database: Database, first: dict[str, list[Advisory]], second: dict[str, list[Advisory]], complete: bool
) -> None:
    with database.as_system() as session:
        for source, records in first.items():
            load(session, source, records, complete=False, later=1)
        organization = move_in(session, (LINUX, WINDOWS, NAMELESS))["organization"]
        for asset in session.scalars(text("select id from asset order by id")).all():
            reconcile_asset(session, organization, asset, now=NOON)
            forget_temporary(session)
        assert open_now(session) == expected_now(session)

        for number, (source, records) in enumerate(second.items()):
            staging = Staging(session, source)
            staging.begin()
            for record in records:
                staging.add(record)
            later = NOON + timedelta(hours=2 + number)
            merge(session, staging, complete=complete, now=later)
            begin_matching(session)
            match_statements(session, now=later)
            reconcile_matches(session, now=later)
            forget_temporary(session)
        assert open_now(session) == expected_now(session)

        named = {
            (row.hostname, row.component, row.flaw, row.verdict)
            for row in session.execute(
                text(
                    "select a.hostname, c.name as component, v.name as flaw, f.verdict from finding f"
                    " join asset a on a.id = f.asset_id join component c on c.id = f.component_id"
                    " join vulnerability v on v.id = f.vulnerability_id where f.closed_at is null"
                )
            )
        }
        assert scanned(session) == named
        session.rollback()
