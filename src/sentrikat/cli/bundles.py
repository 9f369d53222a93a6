"""`sentrikat feeds`: bundles for sites without a network, and the keys that vouch for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sentrikat.cli.declared import needs
from sentrikat.cli.feeds import app, progress_of, tell
from sentrikat.cli.tables import show
from sentrikat.domain.errors import Conflict, InvalidInput
from sentrikat.domain.permissions import COMMAND_LINE, Caller, Permission
from sentrikat.feeds.adapter import Document, Feed
from sentrikat.feeds.bundle.listing import listing
from sentrikat.feeds.bundle.root import Root
from sentrikat.feeds.registry import FEEDS, feed
from sentrikat.identity.confirmation import confirmed
from sentrikat.infra.clock import Clock, SystemClock
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings, load
from sentrikat.reactions import following
from sentrikat.vulnerabilities import bundle_export, bundle_import, bundle_trust
from sentrikat.vulnerabilities.bundle_approval import staged_offer
from sentrikat.vulnerabilities.bundle_import import Offer
from sentrikat.vulnerabilities.sources import limits_of

keys_app = typer.Typer(help="Keys that sign bundles, and those that are trusted here.", no_args_is_help=True)
app.add_typer(keys_app, name="bundle-key")

As = Annotated[
    str | None, typer.Option("--as", help="The installation administrator who does this; asks the password.")
]
File = Annotated[Path, typer.Argument(help="The bundle.")]


@app.command("export-bundle")
@needs(Permission.INSTALLATION_MANAGE)
def export_bundle(
    path: Annotated[Path, typer.Argument(help="Where to write it; FILE.manifest.txt lies beside it.")],
    names: Annotated[
        list[str] | None, typer.Option("--feed", help="Only this feed; may be repeated. None: all.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="A delta: what changed after this number, or after the “last” one.")
    ] = None,
) -> None:
    """Fetch the feeds and write them into one signed file, for a site without a network."""
    settings, clock = load(), SystemClock()
    console = Console(highlight=False)

    def told(document: Document, one: Feed) -> None:
        console.print(f"{one.name}: {document.size:,} bytes  {document.url}", soft_wrap=True, markup=False)

    with open_database(settings, application_name="sentrikat feeds") as database:
        manifest = bundle_export.export_bundle(
            database,
            settings,
            clock,
            COMMAND_LINE,
            path,
            [feed(name) for name in names] if names else list(FEEDS),
            since=_number(database, settings, since),
            tell=told,
        )
    lines = list(listing(path, manifest))
    beside = path.with_name(path.name + ".manifest.txt")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines[:4]:
        console.print(line.removeprefix("# "), soft_wrap=True, markup=False)
    print(f"{path}: {len(manifest.documents)} documents; compare at the other end with {beside.name}")


@app.command("import-bundle")
@needs(Permission.INSTALLATION_MANAGE)
def import_bundle(
    path: File,
    login: As = None,
    show: Annotated[bool, typer.Option("--list", help="Only check it and print what it holds.")] = False,
) -> None:
    """Check a bundle, and take in what it holds; with two persons, keep it until the second one approves."""
    settings, clock = load(), SystemClock()
    with open_database(settings, application_name="sentrikat feeds") as database:
        if settings.bundle_two_persons and login is None and not show:
            raise InvalidInput(
                f"{path} was not imported: SENTRIKAT_BUNDLE_TWO_PERSONS is on, and nobody said who brings it.",
                hint="Name the account with --as. Nothing was changed.",
            )
        caller = _caller(database, login, clock)
        with bundle_import.offered(database, caller, path, clock) as offer:
            if show:
                print("\n".join(listing(path, offer.manifest)))
                return
            if settings.bundle_two_persons:
                number = bundle_import.stage(database, settings, caller, offer, clock)
                print(f"Bundle {number} waits: {offer.words}, manifest {offer.sha256}.")
                print(f"A second person approves it with: sentrikat feeds approve-bundle {number} --as LOGIN")
                return
            failed = _take_in(database, caller, offer, clock)
    if failed:
        raise typer.Exit(1)


@app.command("approve-bundle")
@needs(Permission.INSTALLATION_MANAGE)
def approve_bundle(
    number: Annotated[int, typer.Argument(help="As `feeds bundles` shows it.")], login: As
) -> None:
    """Take in a waiting bundle, as a second person."""
    settings, clock = load(), SystemClock()
    with open_database(settings, application_name="sentrikat feeds") as database:
        caller = _person(database, login, clock)
        with staged_offer(database, settings, caller, number, clock) as offer:
            failed = _take_in(database, caller, offer, clock)
    if failed:
        raise typer.Exit(1)


@app.command("reject-bundle")
@needs(Permission.INSTALLATION_MANAGE)
def reject_bundle(number: int, login: As) -> None:
    """Throw a waiting bundle away."""
    settings, clock = load(), SystemClock()
    with open_database(settings, application_name="sentrikat feeds") as database:
        bundle_import.reject(database, settings, _person(database, login, clock), number, clock)
    print(f"Bundle {number} was thrown away.")


@app.command("bundles")
@needs(Permission.INSTALLATION_READ)
def list_bundles() -> None:
    """Show the bundles that were offered here, and what became of them."""
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        rows = [
            (
                str(one.id),
                one.origin[:8],
                str(one.sequence),
                f"{one.made_at:%Y-%m-%d %H:%M} UTC",
                one.state + (", waits" if one.waits else ""),
                one.offered_by,
                one.decided_by or "",
                ", ".join(
                    f"{name}: {outcome}"
                    for name, outcome in one.outcomes.items()
                    if outcome not in bundle_import.GOOD
                ),
            )
            for one in bundle_import.waiting(session, COMMAND_LINE)
        ]
    show(
        ("Bundle", "Origin", "Number", "Made", "State", "By", "Then by", "Not taken in"),
        rows,
        right={"Bundle", "Number"},
        empty="No bundle was brought here yet. Bring one: sentrikat feeds import-bundle FILE",
    )


@keys_app.command("create")
@needs(Permission.INSTALLATION_MANAGE)
def create_key(name: Annotated[str, typer.Option(help="Who makes the bundles, as others read it.")]) -> None:
    """Make the key that signs this installation's bundles."""
    settings = load()
    ring = bundle_export.keyring_of(settings)
    _show_root(ring.create(name.strip()[:100] or "unnamed", SystemClock().now()))
    print(f"The private key is in {ring.key_file}: include the folder in backups, and nobody else needs it.")
    print(f"Carry {ring.roots_file} to the isolated server, and the fingerprint another way.")


@keys_app.command("rotate")
@needs(Permission.INSTALLATION_MANAGE)
def rotate_key() -> None:
    """Replace the key; the next bundle carries the announcement, signed by the old key."""
    _show_root(bundle_export.keyring_of(load()).rotate(SystemClock().now()))
    print("The old key is deleted. Who imports the next bundle refuses the old key from then on.")


@keys_app.command("show")
@needs(Permission.INSTALLATION_READ)
def show_keys(
    output: Annotated[
        Path | None, typer.Option(help="Write the public roots of this installation here.")
    ] = None,
) -> None:
    """Show the key that signs here, if there is one, and whose bundles are trusted."""
    settings = load()
    ring = bundle_export.keyring_of(settings)
    if ring.key_file.exists():
        print("Signs here:")
        _show_root(ring.root())
        if output is not None:
            output.write_bytes(ring.roots_file.read_bytes())
            print(f"Written to {output}.")
    elif output is not None:
        ring.signer()  # says what is missing
    with (
        open_database(settings, application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        roots = bundle_trust.trusted_roots(session)
    print("Trusted here:" if roots else "Nobody's bundles are trusted here.")
    for root in roots.values():
        _show_root(root)


@keys_app.command("trust")
@needs(Permission.INSTALLATION_MANAGE)
def trust_key(
    path: Annotated[Path, typer.Argument(help="What `bundle-key show --output` wrote at the other end.")],
    fingerprint: Annotated[
        str, typer.Option(help="The key's fingerprint, which came another way than the file.")
    ],
) -> None:
    """Take the bundles of an origin from now on."""
    try:
        chain = path.read_bytes()
    except OSError as trouble:
        raise InvalidInput(
            f"{path} was not read: {trouble.strerror or trouble}.", hint="Nothing was changed."
        ) from trouble
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        root = bundle_trust.pin(
            session, COMMAND_LINE, chain, fingerprint=fingerprint, now=SystemClock().now()
        )
    print("Trusted from now on:")
    _show_root(root)


@keys_app.command("distrust")
@needs(Permission.INSTALLATION_MANAGE)
def distrust_key(origin: Annotated[str, typer.Argument(help="The origin, or how it begins.")]) -> None:
    """Take no bundle of an origin any more."""
    with (
        open_database(load(), application_name="sentrikat feeds") as database,
        database.as_system() as session,
    ):
        root = bundle_trust.distrust(session, COMMAND_LINE, origin, now=SystemClock().now())
    print(f"Bundles of {root.name} are refused from now on.")


def _take_in(database: Database, caller: Caller, offer: Offer, clock: Clock) -> bool:
    """Run the feeds of an offer and print what came of it; give whether one was not taken in."""

    @contextmanager
    def each(one: Feed) -> Iterator[object]:
        with progress_of(one.title) as tick:
            yield tick

    reports = bundle_import.take_in(
        database, caller, offer, clock, each=each, after=following(clock), limits=limits_of(load())
    )
    failed = False
    for report in reports:
        failed = tell(report) or failed
        if report.error is None and report.outcome not in bundle_import.GOOD:
            print(f"{report.feed}: {report.outcome}")
            failed = True
    print(f"Bundle {offer.words}: {'taken in, but for the feeds named above' if failed else 'taken in'}.")
    return failed


def _number(database: Database, settings: Settings, since: str | None) -> int | None:
    if since is None:
        return None
    if since == "last":
        return bundle_export.last_export(database, settings)
    if not since.isascii() or not since.isdigit() or len(since) > 15:
        raise InvalidInput(
            f"No bundle was made: --since is {since!r}, and it is a number or “last”.",
            hint="Nothing was changed.",
        )
    return int(since)


def _caller(database: Database, login: str | None, clock: Clock) -> Caller:
    return COMMAND_LINE if login is None else _person(database, login, clock)


def _person(database: Database, login: str | None, clock: Clock) -> Caller:
    if login is None:
        raise Conflict("Nobody said who does this.", hint="Name the account with --as. Nothing was changed.")
    password = typer.prompt(f"Password of {login}", hide_input=True)
    return confirmed(database, login, password, clock)


def _show_root(root: Root) -> None:
    print(f"  {root.name}, origin {root.origin}, root {root.version} of {root.made_at:%Y-%m-%d}")
    for key in root.keys:
        print(f"  fingerprint {' '.join(key.id[at : at + 8] for at in range(0, 64, 8))}")
