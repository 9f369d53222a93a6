"""`sentrikat audit`: verify, sign, export and hand on the audit log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.orm import Session

from sentrikat.audit.checkpoints import Proof, chains, prove, sign_all
from sentrikat.audit.delivery import deliver, destination_of, state_of
from sentrikat.audit.export import WRITERS, ExportFile, Form, prove_export
from sentrikat.audit.journal import INSTALLATION
from sentrikat.audit.queries import EntryFilters
from sentrikat.audit.signing_key import public_pem, read_public, signing_key
from sentrikat.cli.declared import needs
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Permission
from sentrikat.domain.signed_statement import PublicKey, public_half
from sentrikat.identity import organizations, queries
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.settings import load

BROKEN = 3  # exit status: an entry or a checkpoint is not what was written

app = typer.Typer(help="The audit log: verify, sign, export.", no_args_is_help=True)

Organization = Annotated[
    str | None,
    typer.Option("--organization", "-o", help="Short name of the organization; “installation” for its own."),
]
PublicKeys = Annotated[
    list[Path] | None,
    typer.Option("--public-key", help="A key that `audit key` wrote; may be repeated. None: this server's."),
]


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="audit")


@app.command()
@needs(Permission.AUDIT_READ)
def verify(
    organization: Organization = None,
    every: Annotated[bool, typer.Option("--all", help="Every chain; so it is without options.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Verify this exported file instead; needs no database.")
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option("--checkpoints", help="Compare with the checkpoints of this earlier export."),
    ] = None,
    public_key: PublicKeys = None,
) -> None:
    """Walk the chains and name the first entry that is not as written; status 3 when there is one."""
    if every and organization is not None:
        raise InvalidInput("Nothing was verified: --all and --organization exclude each other.")
    keys = _keys(public_key)
    if export is not None:
        file = ExportFile(export)
        proof = prove_export(file, keys)
        _tell(proof, f"{export} (chain {file.organization_id})", filtered=file.filtered)
        raise typer.Exit(0 if proof.holds else BROKEN)
    earlier = ExportFile(kept) if kept is not None else None
    broken = False
    with _session() as session:
        names = _names(session)
        for chain in _chosen(session, organization, earlier):
            proof = prove(session, chain, keys, earlier.envelopes if earlier is not None else None)
            _tell(proof, names.get(chain, f"chain {chain}"))
            broken = broken or not proof.holds
    raise typer.Exit(BROKEN if broken else 0)


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def checkpoint() -> None:
    """Walk every chain and sign where it ends; status 3 when one is broken, which is then not signed."""
    settings = load()
    key = signing_key(settings)
    with open_database(settings, application_name="sentrikat audit") as database:
        proofs = sign_all(database, key, now=SystemClock().now())
        with database.as_system() as session:
            names = _names(session)
    for proof in proofs:
        name = names.get(proof.organization_id, f"chain {proof.organization_id}")
        if proof.holds:
            print(f"{name}: signed, {_count(proof.walked.entries)} up to entry {proof.walked.last_id}.")
        else:
            _tell(proof, name)
    if not proofs:
        print("Nothing was signed: the audit log has no entry yet.")
    raise typer.Exit(0 if all(proof.holds for proof in proofs) else BROKEN)


@app.command("deliver")
@needs(Permission.INSTALLATION_MANAGE)
def deliver_log() -> None:
    """Hand on to the collector what waits for it; status 1 when it cannot be reached."""
    settings, clock = load(), SystemClock()
    name = destination_of(settings)
    if name is None:
        raise InvalidInput("Nothing was handed on: no collector is named.", hint="Set SENTRIKAT_SYSLOG_HOST.")
    with open_database(settings, application_name="sentrikat audit") as database:
        sent = deliver(database, settings, clock)
        with database.as_system() as session:
            state = state_of(session, name)
    print(f"{name}: {sent:,} messages handed on, {state.waiting:,} entries wait.")
    if state.trouble is not None:
        print(state.trouble)
        raise typer.Exit(1)


@app.command("key")
@needs(Permission.INSTALLATION_READ)
def show_key(
    output: Annotated[Path | None, typer.Option(help="Write the public key here.")] = None,
) -> None:
    """Print the public key that verifies the checkpoints; keep it where this server cannot write."""
    key = signing_key(load())
    pem = public_pem(key)
    if output is not None:
        output.write_text(pem, encoding="ascii")
        print(f"Written to {output}.")
    else:
        print(pem, end="")
    identity = public_half(key).id
    print(f"Fingerprint {' '.join(identity[at : at + 8] for at in range(0, 64, 8))}", file=sys.stderr)


@app.command("export")
@needs(Permission.AUDIT_READ)
def export_log(
    organization: Annotated[
        str,
        typer.Option("--organization", "-o", help="Short name; “installation” for the installation's own."),
    ],
    output: Annotated[Path | None, typer.Option(help="Write to this file; otherwise to the output.")] = None,
    since: Annotated[datetime | None, typer.Option(help="From this moment on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this moment, UTC.")] = None,
    actor: Annotated[str | None, typer.Option(help="Whole: user:4, key:3, cli, system.")] = None,
    action: Annotated[str | None, typer.Option(help="How it begins: sign_in.")] = None,
    subject: Annotated[str | None, typer.Option("--object", help="How it begins: asset:.")] = None,
    address: Annotated[str | None, typer.Option(help="How it begins: 192.0.2.")] = None,
    form: Annotated[Form, typer.Option("--format", help="ocsf: events of the open schema.")] = Form.ENTRY,
) -> None:
    """Write a chain as JSON Lines, with its checkpoints; without filters it can be verified anywhere."""
    filters = EntryFilters(
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        actors=(actor,) if actor else None,
        action=action,
        object=subject,
        address=address,
    )
    with _session() as session:
        [chain] = _chosen(session, organization, None)
        lines = WRITERS[form](session, chain, filters, now=SystemClock().now())
        if output is None:
            for one in lines:
                sys.stdout.buffer.write(one)
            sys.stdout.buffer.flush()
            return
        with output.open("wb") as file:
            file.writelines(lines)
    print(f"Written to {output}.")
    if form is Form.ENTRY:
        print(f"Verify it with: sentrikat audit verify --export {output}")


def _chosen(session: Session, organization: str | None, earlier: ExportFile | None) -> Sequence[int]:
    if organization is None:
        return [earlier.organization_id] if earlier is not None else chains(session)
    if organization == "installation":
        return [INSTALLATION]
    return [organizations.get_by_slug(session, organization).id]


def _names(session: Session) -> dict[int, str]:
    return {INSTALLATION: "installation"} | {row.id: row.slug for row in queries.list_organizations(session)}


def _keys(paths: Sequence[Path] | None) -> dict[str, PublicKey]:
    found = [read_public(path) for path in paths] if paths else [public_half(signing_key(load()))]
    return {key.id: key for key in found}


def _tell(proof: Proof, name: str, *, filtered: bool = False) -> None:
    console = Console(highlight=False, markup=False)
    walked = proof.walked
    if proof.holds:
        signed = proof.checkpoints[-1] if proof.checkpoints else None
        words = f"{name}: holds, {_count(walked.entries)}"
        if filtered:
            words += "; filtered, so each is as written, and whether one is missing cannot be seen"
        elif signed is None:
            words += "; no checkpoint, so a cut end or a chain written anew would not be seen"
        else:
            words += f", {signed.entries} of them signed by {signed.words()}"
        console.print(f"{words}.", soft_wrap=True)
        return
    if (broken := walked.broken) is not None:
        where = f"entry {broken.entry_id}" if broken.entry_id is not None else "the file"
        if broken.at is not None:
            where += f" ({broken.action}, {broken.at:%Y-%m-%d %H:%M:%S} UTC)"
        console.print(f"{name}: BROKEN ({broken.fault}) at {where}: {broken.reason}.", soft_wrap=True)
        console.print(f"  {_count(walked.entries)} before it are as written.", soft_wrap=True)
    if proof.forged is not None:
        console.print(f"{name}: BROKEN ({proof.forged.fault}): {proof.forged.reason}.", soft_wrap=True)


def _count(entries: int) -> str:
    return f"{entries:,} {'entry' if entries == 1 else 'entries'}"


@contextmanager
def _session() -> Iterator[Session]:
    with (
        open_database(load(), application_name="sentrikat audit") as database,
        database.as_system() as session,
    ):
        yield session
