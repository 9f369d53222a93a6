"""What the first start of an installation does, after the migrations: an explicit, ordered list.

Each step looks for itself whether it has been done, so a start that was cut short is
continued by the next one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from sentrikat.demo import demo_reports
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.registry import FEEDS
from sentrikat.feeds.snapshot import PATH as SNAPSHOT
from sentrikat.feeds.snapshot import SHA256 as SNAPSHOT_SHA256
from sentrikat.feeds.transports.bundle import BundleTransport
from sentrikat.identity.accounts import FIRST_LOGIN, create_first_administrator
from sentrikat.identity.organizations import create_organization
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database import Database
from sentrikat.inventory.attributes import change_attributes
from sentrikat.inventory.host import scan_host
from sentrikat.inventory.host.report import report_body
from sentrikat.inventory.receipts import accept
from sentrikat.reactions import after_asset_change, following, run_ingest
from sentrikat.vulnerabilities.run import run_feed

# The command line acts for the installation itself.
INSTALLATION = Caller(0, "system", frozenset({Permission.INSTALLATION_MANAGE}))


def prepare(database: Database, console: Console, *, demo: bool) -> int:
    """Make what the first page needs: an account and an organization, whose id is returned. A second or two."""
    _administrator(database, console)
    return _organization(database, demo=demo)


def fill(database: Database, console: Console, organization_id: int, *, demo: bool) -> None:
    """Bring in what there is to look at: feeds, this host, sample machines. Minutes; pages work meanwhile."""
    _snapshot(database, console)
    _this_host(database, organization_id, console)
    if demo:
        _demo(database, organization_id, console)


def _administrator(database: Database, console: Console) -> None:
    with database.as_system() as session:
        password = create_first_administrator(session, now=_now())
    if password is not None:
        console.print(
            f"First account: [bold]{FIRST_LOGIN}[/], password [bold]{password}[/] (shown only now; for the first sign-in, within 7 days)"
        )


def _organization(database: Database, *, demo: bool) -> int:
    """Make the first organization, unless there is one; the one without real data is called Demo."""
    with database.as_system() as session:
        known = session.scalar(text("select min(id) from organization"))
        if known is not None:
            return int(known)
        name, slug = ("Demo", "demo") if demo else ("Main", "main")
        return create_organization(session, INSTALLATION, name=name, slug=slug, now=_now()).id


def _snapshot(database: Database, console: Console) -> None:
    """Import the shipped snapshot, feed by feed; a feed that has data already is left alone."""
    clock = SystemClock()
    with database.as_system() as session:
        loaded = set(session.scalars(text("select name from feed where last_success_at is not null")))
    if not SNAPSHOT.is_file():
        console.print("Feeds: no snapshot in this build; the first refresh brings everything.")
        return
    with SNAPSHOT.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SNAPSHOT_SHA256:
        console.print(
            f"Feeds: the shipped snapshot was not loaded: its SHA-256 is {digest[:16]}, and this version was built with"
            f" {SNAPSHOT_SHA256[:16]}. Install SentriKat again; the first refresh brings everything.",
            markup=False,
        )
        return
    with BundleReader(SNAPSHOT) as reader:
        held = {one.feed for one in reader.manifest.documents} - loaded
        chosen = [one for one in FEEDS if one.name in held]
        if not chosen:
            return
        console.print(
            f"Loading the shipped snapshot of the feeds, made on {reader.manifest.made_at:%d %B %Y}."
        )

        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            feeds = bar.add_task("feeds", total=len(chosen))
            for one in chosen:
                records = bar.add_task(one.title, total=None)
                report = run_feed(
                    database,
                    one,
                    BundleTransport(reader, one.name),
                    clock,
                    transport_kind="bundle",
                    after=following(clock),
                    progress=lambda count, task=records: bar.advance(task, count),  # type: ignore[misc]
                )
                bar.update(records, total=report.records or 1, completed=report.records or 1)
                bar.advance(feeds)
                if report.error is not None:
                    bar.console.print(f"  {one.title} was not loaded: {report.error}", markup=False)


def _this_host(database: Database, organization_id: int, console: Console) -> None:
    with database.as_system() as session:
        if session.scalar(text("select exists (select from asset)")):
            return
    found = scan_host(collected_at=_now())
    for warning in found.warnings:
        console.print(f"This host: not looked at: {warning}", markup=False)
    inventory = found.inventory
    _take_in(database, organization_id, report_body(inventory), exposure=None)
    console.print(f"This host: {inventory.hostname}, {len(inventory.software)} packages")


def _demo(database: Database, organization_id: int, console: Console) -> None:
    with database.as_system() as session:
        is_demo = session.scalar(
            text("select slug = 'demo' from organization where id = :id"), {"id": organization_id}
        )
    if not is_demo:
        return
    count = 0
    for report in demo_reports():
        count += _take_in(database, organization_id, report.body, exposure=report.exposure)
    if count:
        console.print(f"Demo: {count} sample machines")


def _take_in(database: Database, organization_id: int, body: bytes, *, exposure: str | None) -> bool:
    """Take a report in at once, as the worker would; give whether it was new."""
    with database.as_system() as session:
        receipt = accept(session, organization_id, body, now=_now())
        if receipt.processed_at is not None:
            return False
        receipt_id = receipt.id
    run_ingest(database, receipt_id=receipt_id)
    if exposure is not None:
        caller = Caller(organization_id, "system", frozenset({Permission.INVENTORY_WRITE}))
        with database.as_system() as session:
            asset_id = session.scalar(
                text("select asset_id from receipt where id = :receipt_id"), {"receipt_id": receipt_id}
            )
            if asset_id is not None:
                change_attributes(session, caller, asset_id, exposure=exposure, now=_now())
                after_asset_change(session, organization_id, asset_id, now=_now())
    return True


def _now() -> datetime:
    return SystemClock().now()
