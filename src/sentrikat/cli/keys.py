"""`sentrikat keys`: exchange the keys that secrets in the database are encrypted with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from cryptography.fernet import Fernet

from sentrikat.audit.journal import record
from sentrikat.cli.declared import needs
from sentrikat.domain.errors import Conflict
from sentrikat.domain.permissions import COMMAND_LINE, Permission
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database import Database
from sentrikat.infra.database.locks import lock_number
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.encryption import KEY_FILE, Vault, open_vault, read_keys, write_keys
from sentrikat.infra.key_rotation import refuse_while_needed, rotate_portion, secret_columns, waiting
from sentrikat.infra.settings import Settings, load
from sentrikat.migrations import all_metadata

app = typer.Typer(help="The keys that secrets in the database are encrypted with.", no_args_is_help=True)

_ONE_AT_A_TIME = "select pg_try_advisory_lock(%s)"


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="keys")


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def new() -> None:
    """Print a fresh key, for SENTRIKAT_ENCRYPTION_KEYS. Nothing is stored or changed."""
    print(Fernet.generate_key().decode())


@app.command()
@needs(Permission.INSTALLATION_READ)
def status() -> None:
    """Say where the keys are, how many there are, and how many secrets wait for the newest (status 1 when some)."""
    settings = load()
    with open_database(settings, application_name="sentrikat keys") as database:
        vault = open_vault(settings)
        with database.as_system() as session:
            left = waiting(session, all_metadata(), vault)
    print(f"Keys: {_count(settings)}, from {_place(settings)}.")
    for name, count in left.items():
        print(f"{name}: {count} values need an older key.")
    if left:
        print("Run: sentrikat keys rotate")
        raise typer.Exit(1)
    print("Every secret is encrypted with the newest key.")


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def rotate(
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Forget the older keys when nothing needs them any more.")
    ] = False,
) -> None:
    """Encrypt every secret with a new key. Killed in the middle, the next run continues with the same key."""
    settings = load()
    with open_database(settings, application_name="sentrikat keys") as database:
        lock = database.engine.raw_connection()
        try:
            cursor = lock.cursor()
            cursor.execute(_ONE_AT_A_TIME, (lock_number("encryption keys"),))
            if cursor.fetchone() != (True,):
                raise Conflict(
                    "No key was changed: another sentrikat keys rotate runs at this moment.",
                    hint="Wait for its end.",
                )
            vault = _with_newest_key(settings, database)
            total = _rotate_all(database, vault)
            print(f"{total} secrets were encrypted with the newest key; every other had it already.")
            if settings.encryption_keys is not None:
                print(
                    "The older keys in SENTRIKAT_ENCRYPTION_KEYS are not needed once every process has the new list."
                )
            elif drop_old:
                print(f"{_drop(settings, database, vault)} older keys were forgotten.")
            elif _count(settings) > 1:
                print("The older keys are kept. Forget them with: sentrikat keys rotate --drop-old")
        finally:
            lock.close()


def _with_newest_key(settings: Settings, database: Database) -> Vault:
    """Add a key, unless the last rotation is unfinished or the keys are somebody else's to write."""
    vault = open_vault(settings)
    with database.as_system() as session:
        left = waiting(session, all_metadata(), vault)
    if left:
        print(f"Continuing: {sum(left.values())} secrets are not encrypted with the newest key yet.")
        return vault
    if settings.encryption_keys is not None:
        print(
            "The keys come from SENTRIKAT_ENCRYPTION_KEYS, which this command cannot change. To begin a rotation, put\n"
            "a fresh key (sentrikat keys new) in front of the present ones, separated by a comma, restart every\n"
            "process with it, and run this again."
        )
        return vault
    path = settings.data_dir / KEY_FILE
    # Logged first: a key that cannot be logged is not written.
    with database.as_system() as session:
        record(session, COMMAND_LINE, "encryption_key.added", "encryption_keys:file", now=SystemClock().now())
        write_keys(path, [Fernet.generate_key().decode(), *read_keys(path)])
    print(
        f"A new key stands first in {path}. Save the file with your backups: no secret can be read without it."
    )
    return open_vault(settings)


def _rotate_all(database: Database, vault: Vault) -> int:
    total = 0
    for secret in secret_columns(all_metadata()):
        after = None
        while True:
            with database.as_system() as session:
                portion = rotate_portion(session, secret, vault, after)
                if portion.rotated:
                    record(
                        session,
                        COMMAND_LINE,
                        "secrets.encrypted_anew",
                        f"column:{secret.name}",
                        {"values": portion.rotated},
                        now=SystemClock().now(),
                    )
            total += portion.rotated
            if portion.last is None:
                break
            after = portion.last
            if portion.rotated:
                print(f"{secret.name}: {portion.rotated} of {portion.seen}", flush=True)
    return total


def _drop(settings: Settings, database: Database, vault: Vault) -> int:
    path = settings.data_dir / KEY_FILE
    keys = read_keys(path)
    if len(keys) == 1:
        return 0
    came = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    with database.as_system() as session:
        refuse_while_needed(session, database.engine, all_metadata(), vault, came)
        record(
            session,
            COMMAND_LINE,
            "encryption_key.dropped",
            "encryption_keys:file",
            {"keys": len(keys) - 1},
            now=SystemClock().now(),
        )
        write_keys(path, keys[:1])
    return len(keys) - 1


def _count(settings: Settings) -> int:
    if settings.encryption_keys is not None:
        return len(settings.encryption_keys.get_secret_value().replace(",", " ").split())
    return len(read_keys(settings.data_dir / KEY_FILE))


def _place(settings: Settings) -> str:
    return (
        "SENTRIKAT_ENCRYPTION_KEYS"
        if settings.encryption_keys is not None
        else str(settings.data_dir / KEY_FILE)
    )
