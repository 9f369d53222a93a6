"""`sentrikat feeds`: what is loaded, bring it up to date, carry it in by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import InvalidInput
from sentrikat.feeds.adapter import Feed, Transport
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.registry import FEEDS, feed
from sentrikat.feeds.transports.bundle import BundleTransport
from sentrikat.feeds.transports.file import FileTransport, url_for
from sentrikat.infra.clock import Clock, SystemClock
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import load
from sentrikat.reactions import after_merge
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.vulnerabilities.merge import Merged
from sentrikat.vulnerabilities.run import RunReport, run_feed
from sentrikat.vulnerabilities.sources import outbound_hosts, refresh

app = typer.Typer(
    help="Feeds: what is loaded, bring it up to date, carry it in by hand.", no_args_is_help=True
)


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="feeds")


def follow(clock: Clock) -> Callable[[Session, Merged], None]:
    """Give the step that lets findings follow a feed, for `run_feed`."""

    def after(session: Session, merged: Merged) -> None:
        after_merge(session, merged, now=clock.now())

    return after


@app.command("list")
def list_feeds() -> None:
    """Show every feed with its state and age."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Feed", "State", "Last success", "Records", "Set aside", "License"):
        table.add_column(name, justify="right" if name in {"Records", "Set aside"} else "left")
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        for status in feed_statuses(session, SystemClock().now()):
            table.add_row(
                status.name,
                status.state,
                f"{status.last_success_at:%Y-%m-%d %H:%M} UTC" if status.last_success_at else "never",
                f"{status.record_count:,}",
                f"{status.quarantined:,}",
                status.license,
            )
    console.print(table)


@app.command("outbound")
def outbound() -> None:
    """Show every host this installation may ask; it contacts no other."""
    for name, hosts in outbound_hosts().items():
        print(f"{name:14} {', '.join(sorted(hosts))}")


@app.command("refresh")
def refresh_feeds(
    names: Annotated[list[str] | None, typer.Argument(help="Feeds; none: all.")] = None,
) -> None:
    """Bring feeds up to date from their servers; status 1 when one failed."""
    settings, clock = load(), SystemClock()
    chosen = [feed(name) for name in names] if names else list(FEEDS)
    failed = False
    with open_database(settings, application_name="sentrikat feeds") as database:
        for one in chosen:
            with _progress(one.title) as tick:
                report = refresh(database, settings, clock, one, after=follow(clock), progress=tick)
            failed = _tell(report) or failed
    if failed:
        raise typer.Exit(1)


@app.command("import")
def import_file(
    path: Annotated[
        Path, typer.Argument(help="A feed bundle, or with --feed one document as its source publishes it.")
    ],
    name: Annotated[str | None, typer.Option("--feed", help="The feed that the document belongs to.")] = None,
) -> None:
    """Carry feed data in from a file: the way of installations without a network."""
    if not path.is_file():
        raise InvalidInput(f"{path} was not imported: there is no such file.", hint="Nothing was changed.")
    settings, clock = load(), SystemClock()
    with open_database(settings, application_name="sentrikat feeds") as database:
        if name is not None:
            one = feed(name)
            transport = FileTransport(path, url_for(one, path), clock.now())
            failed = _tell(_import_one(database, one, transport, clock, "file"))
        else:
            failed = import_bundle(database, path, clock)
    if failed:
        raise typer.Exit(1)


def import_bundle(database: Database, path: Path, clock: Clock) -> bool:
    """Import every feed of a bundle; give whether one failed."""
    failed = False
    with BundleReader(path) as reader:
        held = {one.feed for one in reader.manifest.documents}
        for one in FEEDS:
            if one.name in held:
                report = _import_one(database, one, BundleTransport(reader, one.name), clock, "bundle")
                failed = _tell(report) or failed
    return failed


def _import_one(database: Database, one: Feed, transport: Transport, clock: Clock, kind: str) -> RunReport:
    with _progress(one.title) as tick:
        return run_feed(
            database, one, transport, clock, transport_kind=kind, after=follow(clock), progress=tick
        )


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int], None]]:
    """Show a line that counts records while a feed is read."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda count: bar.advance(task, count)


def _tell(report: RunReport) -> bool:
    """Print what a run did; give whether it failed."""
    console = Console(highlight=False, stderr=report.error is not None)
    if report.error is not None:
        console.print(f"{report.feed}: {report.outcome}: {report.error}", soft_wrap=True, markup=False)
        if report.hint:
            console.print(f"  {report.hint}", soft_wrap=True, markup=False)
        return True
    if report.merged is None:
        console.print(f"{report.feed}: nothing new")
        return False
    merged = report.merged
    console.print(
        f"{report.feed}: {report.records:,} records; {merged.added:,} new, {merged.changed:,} changed,"
        f" {merged.withdrawn:,} withdrawn, {report.quarantined:,} set aside"
    )
    return False


def count_records(session: Session) -> int:
    """Give how many records are held; 0 means nothing was ever loaded."""
    return session.scalar(text("select coalesce(sum(record_count), 0) from feed")) or 0
