"""Full match and delta, next to PostgreSQL's plain join of the same keys."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.estate import Estate, bulk_load
from benchmarks.measure import Row, watch
from sentrikat.feeds.osv import archive_url
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.findings.match import begin_matching, match_all
from sentrikat.findings.reconcile import reconcile_matches
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import after_merge
from sentrikat.vulnerabilities.merge import Merged
from sentrikat.vulnerabilities.run import run_feed

# The limit: the same pairs by the same keys, and nothing else.
_PLAIN_JOIN = text(
    "select count(*) from component_product cp join affected_range r on r.product_id = cp.product_id"
    " and r.valid_to is null and cp.version_key >= r.lo and (r.hi is null or cp.version_key < r.hi)"
)
# Products of ecosystems OSV writes, installed somewhere, drawn by the seed.
_PRODUCTS = text(
    """
    select kind, namespace, name from (
        select distinct kind, namespace, name from component c
        where (kind in ('pypi', 'npm', 'maven', 'golang') or namespace like 'debian:%')
          and exists (select from install i where i.component_id = c.id and i.removed_at is null)) x
    order by hashtextextended(kind || namespace || name, :seed) limit :count
    """
)
_THIN_OUT = """
with drawn as (
    select i.component_id, sum(i.installs * m.matches) over (
        order by hashint8extended(i.component_id, :seed), i.component_id) as findings
    from (select component_id, count(*) as installs from install where removed_at is null group by 1) i
    join (select component_id, count(*) as matches from match where valid_to is null group by 1) m using (component_id)
)
delete from match m where not exists (
    select from drawn d where d.component_id = m.component_id and d.findings <= :most)
"""
_ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm", "maven": "Maven", "golang": "Go"}


def full_match(database: Database) -> list[Row]:
    """Judge every component by every statement."""
    with database.as_system() as session:
        components = session.scalar(text("select count(*) from component")) or 0
        ranges = session.scalar(text("select count(*) from affected_range where valid_to is null")) or 0
        with watch() as plain:
            pairs = session.scalar(_PLAIN_JOIN) or 0
    with database.as_system() as session:
        begin_matching(session)
        with watch() as ours:
            match_all(session, now=SystemClock().now())
            session.commit()
        matches = session.scalar(text("select count(*) from match where valid_to is null")) or 0
    with database.as_system() as session:
        session.execute(text("analyze match"))
    return [
        Row(
            f"full match, {components:,} components x {ranges:,} ranges: {matches:,} matches",
            "< 30 s at 100,000 x 3 million",
            f"{ours.seconds:.1f} s",
            f"{ours.seconds / plain.seconds:.1f} x PostgreSQL's plain join ({pairs:,} pairs in {plain.seconds:.1f} s)",
        )
    ]


def thin_out(database: Database, seed: int, most: int) -> None:
    """Leave matches of so many components only, drawn by the seed, that about `most` findings come of them."""
    with database.as_system() as session:
        session.execute(text(_THIN_OUT), {"seed": seed, "most": most})


def findings_of_everything(database: Database, *, bulk: bool = False) -> list[Row]:
    """Open the findings of the whole estate: what an installation does once, after its first match.

    `bulk`: for a stage of the full size, whose indexes are built once it stands; the time then says nothing.
    """
    now = SystemClock().now()
    opening = bulk_load(database, "finding") if bulk else database.as_system()
    with opening as session, watch() as ours:
        session.execute(
            text(
                "create temporary table changed_match on commit drop as"
                " select component_id, vulnerability_id from match where valid_to is null"
            )
        )
        reconciled = reconcile_matches(session, now=now)
    with database.as_system() as session:
        session.execute(text("analyze finding"))
    return [
        Row(
            f"open and price {reconciled.opened:,} findings at once",
            "-",
            f"{ours.seconds:.1f} s",
            f"{reconciled.opened / ours.seconds:,.0f} findings a second",
        )
    ]


def delta(database: Database, estate: Estate, seed: int, count: int = 200) -> list[Row]:
    """Publish new flaws of installed products, and wait until their findings can be seen."""
    with database.as_system() as session:
        products = [tuple(row) for row in session.execute(_PRODUCTS, {"seed": seed, "count": count})]
    transport = DictTransport({archive_url("PyPI"): _archive(products)}, live=False)
    clock = SystemClock()
    followed: list[float] = []

    def after(session: Session, merged: Merged) -> None:
        with watch() as following:
            after_merge(session, merged, now=clock.now())
        followed.append(following.seconds)

    with watch() as ours:
        report = run_feed(database, feed("osv"), transport, clock, after=after)
    if report.error:
        raise RuntimeError(report.error)
    with database.as_system() as session:
        opened = session.scalar(
            text(
                "select count(*) from finding f join vulnerability v on v.id = f.vulnerability_id"
                " where v.name like 'CVE-2099-%'"
            )
        )
    return [
        Row(
            f"delta: {len(products)} new vulnerabilities to {opened:,} visible findings over"
            f" {estate.installs:,} installs",
            "< 3 s over 30 million",
            f"{ours.seconds:.2f} s",
            f"of it {followed[0]:.2f} s after the merge; {1000 * ours.seconds / max(opened or 0, 1):.3f} ms a finding",
        )
    ]


def _archive(products: Sequence[tuple[str, str, str]]) -> bytes:
    """Write one OSV record per product: a flaw without a fix, as most are on the day they are published."""
    packed = io.BytesIO()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (kind, namespace, name) in enumerate(products):
            ecosystem = _ECOSYSTEMS.get(kind) or f"Debian:{namespace.partition(':')[2]}"
            record = {
                "schema_version": "1.6.0",
                "id": f"OSV-2099-{number:04}",
                "aliases": [f"CVE-2099-{number:04}"],
                "modified": now,
                "published": now,
                "summary": f"A made-up flaw of {name}",
                "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
                "affected": [
                    {
                        "package": {"ecosystem": ecosystem, "name": name},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
                    }
                ],
            }
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    return packed.getvalue()
