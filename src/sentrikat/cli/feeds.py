"""`sentrikat feeds`: what is loaded, bring it up to date, carry it in by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sentrikat.cli.declared import needs
from sentrikat.cli.tables import show
from sentrikat.domain.errors import Conflict, InvalidInput
from sentrikat.domain.permissions import COMMAND_LINE, Permission
from sentrikat.feeds.adapter import Feed, Transport
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.registry import FEEDS, feed
from sentrikat.feeds.transports.bundle import BundleTransport
from sentrikat.feeds.transports.file import FileTransport, url_for
from sentrikat.infra.clock import Clock, SystemClock
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import load
from sentrikat.reactions import following
from sentrikat.vulnerabilities.candidates import decide_approval, reject_candidate
from sentrikat.vulnerabilities.coverage import WINDOW, coverage_of_new_flaws
from sentrikat.vulnerabilities.freshness import feed_statuses
from sentrikat.vulnerabilities.rollback import release, roll_back
from sentrikat.vulnerabilities.run import run_feed
from sentrikat.vulnerabilities.run_record import RunReport
from sentrikat.vulnerabilities.sources import approve, limits_of, outbound_hosts, refresh

app = typer.Typer(
    help="Feeds: what is loaded, bring it up to date, carry it in by hand.", no_args_is_help=True
)


def add_to(parent: typer.Typer) -> None:
    """Register the commands, those about bundles too, which use this module."""
    import_module("sentrikat.cli.bundles")
    parent.add_typer(app, name="feeds")


@app.command("list")
@needs(Permission.KNOWLEDGE_READ)
def list_feeds() -> None:
    """Show every feed with its state and age."""
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        rows = [
            (
                one.name,
                one.state,
                f"{one.data_as_of:%Y-%m-%d}" if one.data_as_of else "never",
                f"{one.last_success_at:%Y-%m-%d %H:%M} UTC" if one.last_success_at else "never",
                f"{one.record_count:,}",
                f"{one.quarantined:,}",
                one.license,
            )
            for one in feed_statuses(session, SystemClock().now())
        ]
    show(
        ("Feed", "State", "Data of", "Last success", "Records", "Set aside", "License"),
        rows,
        right={"Records", "Set aside"},
        empty="There is no feed.",
    )


@app.command("status")
@needs(Permission.KNOWLEDGE_READ)
def status(
    names: Annotated[list[str] | None, typer.Argument(help="Feeds; none: all.")] = None,
) -> None:
    """Say what is wrong with feeds and what to do about it; status 1 when one is not fresh."""
    chosen = {feed(name).name for name in names} if names else None
    console = Console(highlight=False)
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        now = SystemClock().now()
        statuses = [one for one in feed_statuses(session, now) if chosen is None or one.name in chosen]
        coverage = coverage_of_new_flaws(session, now)
    for one in statuses:
        console.print(f"{one.name:14} {one.state}, {one.record_count:,} records", soft_wrap=True)
        if one.candidate is not None:
            console.print(
                f"  run {one.candidate.run_id} of {one.candidate.held_at:%Y-%m-%d %H:%M} UTC is held"
            )
        for problem in one.problems:
            console.print(f"  {problem}", soft_wrap=True, markup=False)
        if one.remedy:
            console.print(f"  {one.remedy}", soft_wrap=True, markup=False)
        if one.usual_records is not None:
            fewest, most = one.usual_records
            band = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
            console.print(f"  usually {band} records a run")
        if one.unfamiliar:
            named = ", ".join(f"{name} {count:,}" for name, count in one.unfamiliar.items())
            console.print(f"  not known to this version: {named}", soft_wrap=True, markup=False)
        if (covered := coverage.get(one.name)) is not None and covered.share is not None:
            console.print(
                f"  describes the products of {covered.described:,} of the {covered.published:,} CVEs published"
                f" in the last {WINDOW.days} days ({covered.share:.0%})",
                soft_wrap=True,
            )
    if not all(one.good for one in statuses):
        raise typer.Exit(1)


@app.command("approve")
@needs(Permission.INSTALLATION_MANAGE)
def approve_feed(
    name: Annotated[str, typer.Argument(help="The feed whose held run goes live.")],
    run: Annotated[
        int | None, typer.Option("--run", help="The run looked at, so that no newer one is meant.")
    ] = None,
) -> None:
    """Let a held run live."""
    settings, clock, one = load(), SystemClock(), feed(name)
    with open_database(settings, application_name="sentrikat feeds") as database:
        with database.as_system() as session:
            held = decide_approval(session, COMMAND_LINE, name, run, now=clock.now())
        print(f"{name}: {held.effect.words()}")
        with progress_of(one.title) as tick:
            report = approve(
                database,
                settings,
                clock,
                one,
                accepted_by=COMMAND_LINE.actor,
                after=following(clock),
                progress=tick,
            )
    if tell(report):
        raise typer.Exit(1)


@app.command("reject")
@needs(Permission.INSTALLATION_MANAGE)
def reject_feed(
    name: Annotated[str, typer.Argument(help="The feed whose held run is dropped.")],
    run: Annotated[
        int | None, typer.Option("--run", help="The run looked at, so that no newer one is meant.")
    ] = None,
) -> None:
    """Drop a held run; the same documents are refused from now on."""
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        dropped = reject_candidate(session, COMMAND_LINE, feed(name).name, run, now=SystemClock().now())
    print(f"{name}: run {dropped.run_id} is dropped; the data of the last good run stays in use")


@app.command("rollback")
@needs(Permission.INSTALLATION_MANAGE)
def roll_back_feed(
    name: Annotated[str, typer.Argument(help="The feed whose last run is undone.")],
    to: Annotated[int | None, typer.Option("--to", help="The run whose data is to be in use again.")] = None,
) -> None:
    """Undo the last run of a feed, or all after one; the feed then waits until it is released."""
    clock, one = SystemClock(), feed(name)
    with open_database(load(), application_name="sentrikat feeds") as database:
        report = roll_back(database, one.name, clock, COMMAND_LINE, to=to, after=following(clock))
    if report.effect is not None:
        print(f"{name}: rolled back; {report.effect.words()}")
    print(f"  It is not updated until you run: sentrikat feeds release {name}")


@app.command("release")
@needs(Permission.INSTALLATION_MANAGE)
def release_feed(
    name: Annotated[str, typer.Argument(help="The feed that may be updated again.")],
) -> None:
    """Let a feed that was rolled back be updated again."""
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        release(session, COMMAND_LINE, feed(name).name, now=SystemClock().now())
    print(f"{name}: released; the next run fetches it")


@app.command("outbound")
@needs(Permission.INSTALLATION_READ)
def outbound() -> None:
    """Show every host this installation may ask; it contacts no other."""
    for name, hosts in outbound_hosts().items():
        print(f"{name:14} {', '.join(sorted(hosts))}")


@app.command("refresh")
@needs(Permission.INSTALLATION_MANAGE)
def refresh_feeds(
    names: Annotated[list[str] | None, typer.Argument(help="Feeds; none: all.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Let what comes live, however unusual it is.")
    ] = False,
) -> None:
    """Bring feeds up to date from their servers; status 1 when one failed."""
    settings, clock = load(), SystemClock()
    chosen = [feed(name) for name in names] if names else list(FEEDS)
    failed = False
    with open_database(settings, application_name="sentrikat feeds") as database:
        for one in chosen:
            with progress_of(one.title) as tick:
                report = refresh(
                    database,
                    settings,
                    clock,
                    one,
                    after=following(clock),
                    progress=tick,
                    accepted_by=COMMAND_LINE.actor if accept else None,
                )
            failed = tell(report) or failed
    if failed:
        raise typer.Exit(1)


@app.command("import")
@needs(Permission.INSTALLATION_MANAGE)
def import_file(
    path: Annotated[Path, typer.Argument(help="One document as its source publishes it.")],
    name: Annotated[str | None, typer.Option("--feed", help="The feed that the document belongs to.")] = None,
) -> None:
    """Carry one document in from a file; whole bundles come by import-bundle."""
    if not path.is_file():
        raise InvalidInput(f"{path} was not imported: there is no such file.", hint="Nothing was changed.")
    settings, clock = load(), SystemClock()
    if name is None:
        raise InvalidInput(
            f"{path} was not imported: the feed it belongs to was not named.",
            hint="Name it with --feed; a bundle is imported with: sentrikat feeds import-bundle. Nothing was changed.",
        )
    if settings.bundle_two_persons:
        raise Conflict(
            f"{path} was not imported: SENTRIKAT_BUNDLE_TWO_PERSONS is on, and nobody signed this file.",
            hint="Import a bundle, which a second person approves. Nothing was changed.",
            code="two_persons",
        )
    one = feed(name)
    with open_database(settings, application_name="sentrikat feeds") as database:
        transport = FileTransport(path, url_for(one, path), clock.now())
        failed = tell(_import_one(database, one, transport, clock, "file"))
    if failed:
        raise typer.Exit(1)


def import_bundle(database: Database, path: Path, clock: Clock) -> bool:
    """Import every feed of a bundle that is trusted without a signature, as the shipped snapshot is."""
    failed = False
    with BundleReader(path) as reader:
        held = {one.feed for one in reader.manifest.documents}
        for one in FEEDS:
            if one.name in held:
                report = _import_one(database, one, BundleTransport(reader, one.name), clock, "bundle")
                failed = tell(report) or failed
    return failed


def _import_one(database: Database, one: Feed, transport: Transport, clock: Clock, kind: str) -> RunReport:
    with progress_of(one.title) as tick:
        return run_feed(
            database,
            one,
            transport,
            clock,
            transport_kind=kind,
            after=following(clock),
            progress=tick,
            limits=limits_of(load()),
        )


@contextmanager
def progress_of(title: str) -> Iterator[Callable[[int], None]]:
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


def tell(report: RunReport) -> bool:
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
