"""`sentrikat identity`: directories and SAML providers from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from sentrikat.cli.declared import needs
from sentrikat.cli.tables import show
from sentrikat.domain.errors import Conflict, InvalidInput
from sentrikat.domain.permissions import COMMAND_LINE, Permission
from sentrikat.identity import organizations, providers
from sentrikat.identity.directories import StoredDirectory, stored_directory
from sentrikat.identity.directory_sync import synchronize
from sentrikat.identity.group_rules import GroupRule
from sentrikat.identity.ldap.diagnosis import diagnose
from sentrikat.identity.provisioning import rules_of
from sentrikat.identity.saml.settings import FROM_METADATA
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database import Database
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.encryption import open_vault
from sentrikat.infra.settings import load

app = typer.Typer(help="Directories and SAML providers that people sign in with.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="identity")


@app.command("list")
@needs(Permission.INSTALLATION_READ)
def list_providers() -> None:
    """List the providers in the order they are asked."""
    with _database() as database, database.as_system() as session:
        rows = [
            (
                row.name,
                row.kind,
                "on" if row.enabled else "off",
                str(row.accounts),
                str(row.rules),
                f"{row.last_sync_at:%Y-%m-%d %H:%M} UTC" if row.last_sync_at else "never",
                row.last_error or "",
            )
            for row in providers.list_providers(session, COMMAND_LINE)
        ]
    show(
        ("Name", "Kind", "State", "Accounts", "Rules", "Last synchronization", "Trouble"),
        rows,
        right={"Accounts", "Rules"},
        empty="No identity provider yet: everybody signs in with a password of this installation."
        " Add one: sentrikat identity add-directory, or add-saml",
    )


@app.command("add-directory")
@needs(Permission.INSTALLATION_MANAGE)
def add_directory(
    name: str,
    file: Annotated[Path, typer.Argument(help="Settings as JSON; docs/admin/directories.md lists them.")],
    password: Annotated[
        str, typer.Option(envvar="DIRECTORY_PASSWORD", help="Of the service account; asked for if left out.")
    ] = "",
) -> None:
    """Add a directory. It lets nobody in until it has group rules."""
    settings = _read_json(file)
    if settings.get("bind_dn") and not password:
        password = typer.prompt("Password of the service account", hide_input=True)
    with _database() as database, database.as_system() as session:
        made = providers.create_provider(
            session,
            COMMAND_LINE,
            partial(open_vault, load()),
            kind="ldap",
            name=name,
            settings=settings,
            secret=password or None,
            now=SystemClock().now(),
        )
        name = made.name
    print(f"The directory {name} was added. Give it rules with: sentrikat identity add-rule")


@app.command("add-saml")
@needs(Permission.INSTALLATION_MANAGE)
def add_saml(
    name: Annotated[str, typer.Argument(help="What people see on the button.")],
    metadata: Annotated[Path | None, typer.Option(help="The provider's metadata, an XML file.")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings as JSON, beside or without metadata; docs/admin/saml.md.")
    ] = None,
) -> None:
    """Add a SAML provider. It lets nobody in until it has group rules."""
    given = _saml_settings(metadata, settings)
    with _database() as database, database.as_system() as session:
        made = providers.create_provider(
            session,
            COMMAND_LINE,
            partial(open_vault, load()),
            kind="saml",
            name=name,
            settings=given,
            now=SystemClock().now(),
        )
        name, number = made.name, made.id
    where = load().public_url or "SENTRIKAT_PUBLIC_URL"
    print(f"The SAML provider {name} was added. Our metadata for it: {where}/saml/{number}/metadata")
    print("Give it rules with: sentrikat identity add-rule")


@app.command("change-saml")
@needs(Permission.INSTALLATION_MANAGE)
def change_saml(
    name: Annotated[str, typer.Argument(help="Name of the provider.")],
    metadata: Annotated[Path | None, typer.Option(help="Its new metadata, an XML file.")] = None,
    settings: Annotated[Path | None, typer.Option(help="What else changes, as JSON; the rest stays.")] = None,
) -> None:
    """Change a SAML provider: what its new metadata says, and single settings."""
    given = _saml_settings(metadata, settings)
    with _database() as database, database.as_system() as session:
        found = providers.provider_named(session, COMMAND_LINE, name)
        if found.kind != "saml":
            raise Conflict(f"“{name}” is no SAML provider.", hint="Nothing was changed.")
        kept = {
            key: value
            for key, value in found.settings.items()
            if metadata is None or key not in FROM_METADATA
        }
        change = providers.ProviderChange(settings=kept | given)
        vault = partial(open_vault, load())
        providers.change_provider(session, COMMAND_LINE, vault, found, change, now=SystemClock().now())
    print(f"The SAML provider {name} is as wanted.")


class Switch(StrEnum):
    """Whether people may come in through a provider."""

    ON = "on"
    OFF = "off"


@app.command("switch")
@needs(Permission.INSTALLATION_MANAGE)
def switch(
    name: Annotated[str, typer.Argument(help="Name of the directory or SAML provider.")],
    state: Annotated[Switch, typer.Argument()],
) -> None:
    """Switch a provider on or off. Off ends the sessions of everybody it vouches for."""
    with _database() as database, database.as_system() as session:
        found = providers.provider_named(session, COMMAND_LINE, name)
        change = providers.ProviderChange(enabled=state is Switch.ON)
        vault = partial(open_vault, load())
        providers.change_provider(session, COMMAND_LINE, vault, found, change, now=SystemClock().now())
    print(f"{name} is {state.value} now.")


@app.command("add-rule")
@needs(Permission.INSTALLATION_MANAGE)
def add_rule(
    provider: Annotated[str, typer.Argument(help="Name of the provider.")],
    group: Annotated[str, typer.Argument(help="Name or DN of the group; * is everybody.")],
    organization: Annotated[str | None, typer.Option("--organization", "-o", help="Short name.")] = None,
    role: Annotated[str | None, typer.Option(help="What they are there.")] = None,
    installation_admin: Annotated[
        bool, typer.Option("--installation-admin", help="Let them run the whole installation.")
    ] = False,
) -> None:
    """Add a rule after the others; of those that match, the first decides for each organization."""
    with _database() as database, database.as_system() as session:
        found = providers.provider_named(session, COMMAND_LINE, provider)
        owner = organizations.get_by_slug(session, organization) if organization is not None else None
        rule = GroupRule(
            group, owner.id if owner is not None else None, providers.read_rule_role(role), installation_admin
        )
        rules = [*rules_of(session, found.id), rule]
        providers.set_rules(session, COMMAND_LINE, found, rules, now=SystemClock().now())
    print(f"{provider} has {len(rules)} rules now.")


@app.command("test")
@needs(Permission.INSTALLATION_MANAGE)
def try_out(
    provider: Annotated[str, typer.Argument(help="Name of the directory.")],
    login: Annotated[str, typer.Option(help="Look for this person, their groups and rules.")] = "",
) -> None:
    """Try a directory step by step, and say in words how far it came (status 1 when a step failed)."""
    with _database() as database:
        directory, rules = _directory(database, provider, "test", login=login)
    steps = diagnose(directory.settings, directory.secret, rules, login=login, now=SystemClock().now())
    for step in steps:
        print(f"{step.host}  {'ok    ' if step.good else 'FAILED'}  {step.name}: {step.words}")
    if not all(step.good for step in steps):
        raise typer.Exit(1)


@app.command("sync")
@needs(Permission.INSTALLATION_MANAGE)
def sync(
    provider: Annotated[str, typer.Argument(help="Name of the directory.")],
    accept_many: Annotated[
        bool, typer.Option("--accept-many", help="Disable also more accounts than the limit allows.")
    ] = False,
) -> None:
    """Bring the accounts of a directory to what it says now (status 1 when nothing was changed for a reason)."""
    with _database() as database:
        directory, _rules = _directory(database, provider, "sync", accept_many=accept_many)
        outcome = synchronize(
            database, directory, SystemClock(), caller=COMMAND_LINE, accept_many=accept_many
        )
    print(outcome.sentence)
    for login in outcome.held:
        print(f"would be disabled: {login}")
    for login in outcome.losing:
        print(f"would lose what groups gave: {login}")
    if outcome.held or outcome.losing or outcome.trouble:
        raise typer.Exit(1)


def _directory(
    database: Database, name: str, asked: str, **detail: str | bool
) -> tuple[StoredDirectory, list[GroupRule]]:
    with database.as_system() as session:
        found = providers.provider_named(session, COMMAND_LINE, name)
        providers.ask_directory(session, COMMAND_LINE, found.id, asked, now=SystemClock().now(), **detail)
        rules = rules_of(session, found.id)
    return stored_directory(found, load()), rules


def _saml_settings(metadata: Path | None, settings: Path | None) -> dict[str, Any]:
    given = _read_json(settings) if settings is not None else {}
    if metadata is not None:
        try:
            given["metadata"] = metadata.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"Nothing was changed: {metadata} cannot be read as text ({error}).",
                hint="Give the metadata as the provider offers it, an XML file in UTF-8.",
            ) from error
    return given


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"Nothing was changed: {file} cannot be read as JSON ({error}).",
            hint="Give a file that holds one JSON object.",
        ) from error
    if not isinstance(content, dict):
        raise InvalidInput(
            f"Nothing was changed: {file} holds no object.", hint="Give a file that holds one JSON object."
        )
    return content


@contextmanager
def _database() -> Iterator[Database]:
    with open_database(load(), application_name="sentrikat identity") as database:
        yield database
