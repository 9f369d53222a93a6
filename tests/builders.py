"""Short ways to make what tests are about: statements, advisories, feeds that say them, hosts that run something."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import (
    Advisory,
    Condition,
    Enrichment,
    Exploitation,
    Likelihood,
    Product,
    Record,
    Remedy,
    Score,
    Statement,
    Status,
    Term,
    TermGroup,
)
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.lanes import scheme_of
from sentrikat.domain.ranges import VersionRange
from sentrikat.feeds.adapter import Document, Feed, FeedState, FetchOptions, Quarantined, Transport
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.ingest import IngestResult, ingest
from sentrikat.inventory.receipts import accept
from sentrikat.reactions import after_ingest, following
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
DEBIAN_12 = {"family": "linux", "name": "debian", "version": "12", "arch": "x86_64"}
WINDOWS = {"family": "windows", "name": "Windows 11 Pro", "version": "10.0.22631.3447"}


# -- what sources say --------------------------------------------------------------------


def statement(
    ecosystem: str,
    name: str,
    *,
    introduced: str | None = None,
    fixed: str | None = None,
    last_affected: str | None = None,
    introduced_excluded: bool = False,
    status: Status = Status.AFFECTED,
    **more: Any,
) -> Statement:
    """One source's word on a span of versions; without bounds, on every version."""
    versions = VersionRange(scheme_of(ecosystem), introduced, fixed, last_affected, introduced_excluded)
    remedy = more.pop("remedy", Remedy.FIXED if fixed and status is Status.AFFECTED else None)
    return Statement(Product(ecosystem, name), status, versions, remedy=remedy, **more)


def advisory(
    flaw: str, *statements: Statement, source: str = "nvd", named: str | None = None, **more: Any
) -> Advisory:
    """One record about one flaw."""
    return Advisory(source, named or flaw, (flaw,), statements, **more)


def runs_on(*terms: Term | tuple[str, str], negate: bool = False) -> Condition:
    """The condition that any of these platforms is there."""
    return Condition((TermGroup(tuple(map(_term, terms)), negate),))


def _term(term: Term | tuple[str, str]) -> Term:
    return term if isinstance(term, Term) else Term(Product(*term))


def exploited(
    flaw: str,
    since: str = "2026-05-01",
    *,
    due: str | None = None,
    ransomware: bool = False,
    source: str = "kev",
    vendor: str = "",
    product: str = "",
) -> Enrichment:
    """A catalog entry: known to be exploited."""
    day = datetime.fromisoformat(since).date()
    due_day = datetime.fromisoformat(due).date() if due else day + timedelta(days=21)
    return Enrichment(
        source,
        flaw,
        exploitation=Exploitation(
            since=day, due=due_day, ransomware=ransomware, action="Update.", vendor=vendor, product=product
        ),
    )


def likely(
    flaw: str,
    probability: float,
    *,
    percentile: float = 0.5,
    model: str = "v2026.06.15",
    on: str = "2026-06-01",
) -> Enrichment:
    """An EPSS score."""
    day = datetime.fromisoformat(on).date()
    return Enrichment("epss", flaw, likelihood=Likelihood(probability, percentile, model, day))


def score(
    value: float, severity: str, *, version: str = "3.1", provider: str = "nvd@nist.gov", primary: bool = True
) -> Score:
    """A CVSS score; its vector only tells it from others."""
    return Score(version, f"CVSS:{version}/{provider}/{value}", value, severity, provider, primary)


# -- feeds that say them -----------------------------------------------------------------


def feed_saying(
    name: str,
    records: Sequence[Record | Quarantined],
    *,
    complete: bool = False,
    cut: bool = False,
    revision: str | None = None,
) -> Feed:
    """A feed whose one document holds these records; the same records make the same document."""
    content = (revision or repr(records)).encode()

    def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
        yield Document(
            name=f"{name}.json",
            url=f"https://feeds.example/{name}.json",
            fetched_at=options.now,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            opener=lambda: io.BytesIO(content),
            cut=cut,
        )

    def parse(_document: Document) -> Iterator[Record | Quarantined]:
        yield from records

    return Feed(
        name=name,
        title=name,
        sources=(f"https://feeds.example/{name}.json",),
        license="CC0-1.0",
        terms="",
        pace=timedelta(days=1),
        complete=complete,
        fetch=fetch,
        parse=parse,
    )


def publish(
    database: Database,
    clock: Clock,
    source: str,
    *records: Record | Quarantined,
    complete: bool = False,
    cut: bool = False,
) -> RunReport:
    """Run a feed that says this, and let findings follow."""
    feed = feed_saying(source, records, complete=complete, cut=cut)
    return run_feed(database, feed, DictTransport({}), clock, after=following(clock))


# -- hosts that run something ------------------------------------------------------------


def deb(name: str, version: str | None, source: str | None = None) -> dict[str, Any]:
    """A Debian package as an agent reports it."""
    found = {"type": "deb", "name": name, "version": version, "source_name": source or name}
    return {key: value for key, value in found.items() if value is not None}


def cpe(vendor: str, product: str, version: str | None, *, part: str = "a", **more: Any) -> dict[str, Any]:
    """Software known by its CPE name."""
    name = f"cpe:2.3:{part}:{vendor}:{product}:{version or '*'}:*:*:*:*:*:*:*"
    found = {"type": "cpe", "name": product, "version": version, "cpe": name, **more}
    return {key: value for key, value in found.items() if value is not None}


def new_organization(database: Database, slug: str = "acme", *, time_zone: str = "UTC") -> int:
    """An organization without anything."""
    with database.as_system() as session:
        made: int = session.execute(
            text(
                "insert into organization (slug, name, time_zone, created_at)"
                " values (:slug, :slug, :zone, :now) returning id"
            ),
            {"slug": slug, "zone": time_zone, "now": NOON},
        ).scalar_one()
        return made


def report(
    database: Database,
    clock: Clock,
    organization_id: int,
    hostname: str,
    software: Iterable[dict[str, Any]],
    *,
    os: dict[str, Any] | None = None,
    complete: bool = True,
    confirm: bool = True,
    updates: Iterable[str] = (),
) -> IngestResult:
    """Send an agent's report and take it in, as the worker does; each report is a minute newer than the last."""
    with database.as_system() as session:
        sent = session.scalar(text("select count(*) from receipt")) or 0
    moment = clock.now() + timedelta(minutes=sent)
    body = {
        "report_id": f"report-{organization_id}-{sent}",
        "agent_id": f"agent-{organization_id}-{hostname}",
        "hostname": hostname,
        "os": os or DEBIAN_12,
        "collected_at": moment.isoformat(),
        "complete": complete,
        "software": list(software),
        "updates": list(updates),
    }
    with database.as_organization(organization_id) as session:
        receipt = accept(session, organization_id, orjson.dumps(body), now=moment)
    with database.as_system() as session:
        if confirm:  # what removes much of an inventory is held until somebody confirms it
            session.execute(text("update receipt set confirmed = true where id = :id"), {"id": receipt.id})
        result = ingest(session, receipt.id, now=clock.now())
        if result.changed:
            after_ingest(session, result, now=clock.now())
        return result


def store_component(session: Session, component: Component) -> int:
    """Put a component into its table, not identified yet."""
    names = [
        "kind",
        "namespace",
        "name",
        "version",
        "source_name",
        "source_version",
        "vendor",
        "module",
        "bundle_id",
        "cpe",
        "purl",
        "arch",
    ]
    made: int = session.execute(
        text(
            f"insert into component (identity, {', '.join(names)})"
            f" values (:identity, {', '.join(':' + name for name in names)}) returning id"
        ),
        {"identity": component.identity(), **{name: getattr(component, name) for name in names}},
    ).scalar_one()
    return made


def forget_temporary(session: Session) -> None:
    """Drop the temporary tables, as the end of a transaction would: for several runs within one."""
    names = session.scalars(
        text("select relname from pg_class where relnamespace = pg_my_temp_schema() and relkind = 'r'")
    ).all()
    if names:
        session.execute(text("drop table " + ", ".join(f'pg_temp."{name}"' for name in names)))


def rows(database: Database, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """Rows of a query that sees everything."""
    with database.as_system() as session:
        return [tuple(row) for row in session.execute(text(query), values)]


OPEN_FINDINGS = """
select a.hostname, c.name, c.version, v.name, f.verdict
from finding f join asset a on a.id = f.asset_id join component c on c.id = f.component_id
join vulnerability v on v.id = f.vulnerability_id
where f.closed_at is null order by 1, 2, 3, 4
"""


def open_findings(database: Database) -> list[tuple[str, str, str, str, str]]:
    """(host, component, version, flaw, verdict) of every open finding."""
    return rows(database, OPEN_FINDINGS)


def open_flaws(database: Database, hostname: str) -> set[str]:
    """The flaws that a host has open findings of, whatever their verdict."""
    return {flaw for host, _, _, flaw, _ in open_findings(database) if host == hostname}
