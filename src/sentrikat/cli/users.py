"""`sentrikat users`: accounts, organizations and API keys from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from sentrikat.cli.declared import needs
from sentrikat.cli.tables import show
from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.permissions import COMMAND_LINE, Caller, Permission, Role
from sentrikat.identity import (
    accounts,
    api_keys,
    organizations,
    passwords,
    personal_data,
    queries,
    second_factor,
)
from sentrikat.identity.custom_roles import find_role
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.encryption import open_pepper
from sentrikat.infra.settings import load

app = typer.Typer(help="People, organizations and API keys.", no_args_is_help=True)
organizations_app = typer.Typer(help="Organizations of this installation.", no_args_is_help=True)
keys_app = typer.Typer(help="API keys of an organization.", no_args_is_help=True)
app.add_typer(organizations_app, name="organizations")
app.add_typer(keys_app, name="keys")

_ROLE = f"What they are there: {', '.join(Role)}, or a role of the organization's own."
Organization = Annotated[str, typer.Option("--organization", "-o", help="Short name of the organization.")]


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="users")


@app.command("list")
@needs(Permission.INSTALLATION_READ)
def list_users() -> None:
    """List the accounts."""
    with _session() as (session, _now):
        rows = [
            (
                row.login,
                row.display_name,
                "yes" if row.installation_admin else "",
                f"{row.last_sign_in_at:%Y-%m-%d %H:%M} UTC" if row.last_sign_in_at else "never",
                "disabled" if row.disabled_at else "active",
            )
            for row in queries.list_accounts(session)
        ]
    show(
        ("Login", "Name", "Installation administrator", "Last sign-in", "State"),
        rows,
        empty="There is no account yet. Add one: sentrikat users add LOGIN --installation-admin",
    )


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def add(
    login: str,
    name: Annotated[str, typer.Option(help="Name as others read it.")] = "",
    organization: Annotated[
        str | None, typer.Option("--organization", "-o", help="Make them a member of this organization.")
    ] = None,
    role: Annotated[str, typer.Option(help=_ROLE)] = Role.VIEWER.value,
    installation_admin: Annotated[
        bool, typer.Option("--installation-admin", help="Let them run the whole installation.")
    ] = False,
) -> None:
    """Add an account with a random password, which is printed once."""
    password = passwords.random_password()
    with _session() as (session, now):
        user = accounts.create_account(
            session,
            COMMAND_LINE,
            login=login,
            display_name=name,
            password=password,
            installation_admin=installation_admin,
            must_change_password=True,
            now=now,
        )
        if organization is not None:
            owner = organizations.get_by_slug(session, organization)
            given = find_role(session, owner.id, role)
            accounts.set_role(session, COMMAND_LINE, user, owner.id, given, now=now)
        login = user.login
    print(f"The account {login} was created. Its password, shown only now: {password}")


@app.command("set-role")
@needs(Permission.MEMBERS_MANAGE)
def set_role(
    login: str, role: Annotated[str, typer.Argument(help=_ROLE)], organization: Organization
) -> None:
    """Make an account a member of an organization, or change its role there."""
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        owner = organizations.get_by_slug(session, organization)
        given = find_role(session, owner.id, role)
        accounts.set_role(session, COMMAND_LINE, user, owner.id, given, now=now)
    print(f"{user.login} is now {given} of {owner.name}.")


@app.command("reset-password")
@needs(Permission.INSTALLATION_MANAGE)
def reset_password(login: str) -> None:
    """Give an account a new random password, printed once; every browser of it is signed out."""
    password = passwords.random_password()
    hashed = passwords.hash_password(password)
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        accounts.reset_password(session, COMMAND_LINE, user, new_password_hash=hashed, now=now)
    print(f"The new password of {user.login}, shown only now: {password}")


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def disable(login: str) -> None:
    """Shut an account out at once."""
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        accounts.disable_account(session, COMMAND_LINE, user, now=now)
    print(f"The account {user.login} is disabled; every browser of it was signed out.")


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def enable(login: str) -> None:
    """Let a disabled account sign in again."""
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        accounts.enable_account(session, COMMAND_LINE, user, now=now)
    print(f"The account {user.login} may sign in again.")


@app.command("reset-second-factor")
@needs(Permission.INSTALLATION_MANAGE)
def reset_second_factor(login: str) -> None:
    """Take away the second factor that somebody lost; every browser of the account is signed out."""
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        had = second_factor.reset(session, COMMAND_LINE, user, now=now)
    if not had:
        raise NotFound(f"The account {user.login} has no second factor.", hint="Nothing was changed.")
    print(f"The second factor of {user.login} was removed; every browser of it was signed out.")


@app.command("set-email")
@needs(Permission.INSTALLATION_MANAGE)
def set_email(login: str, email: Annotated[str, typer.Argument(help="Empty: none.")]) -> None:
    """Say where mails to an account go: links to choose a new password, and what administrators are told."""
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        accounts.set_email(session, COMMAND_LINE, user, email, now=now)
        place = user.email
    print(f"Mails to {user.login} go to {place}." if place else f"{user.login} gets no mails.")


@app.command("break-glass")
@needs(Permission.INSTALLATION_MANAGE)
def break_glass(
    login: str, off: Annotated[bool, typer.Option("--off", help="Make it an account like others.")] = False
) -> None:
    """Make a local account one for emergencies: it may always sign in here, and administrators are told."""
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        accounts.set_break_glass(session, COMMAND_LINE, user, not off, now=now)
    print(f"{user.login} is {'an account like others' if off else 'an emergency account'} now.")


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def export(login: str) -> None:
    """Print everything that is kept about a person, as JSON; no secret is in it."""
    with _session() as (session, _now):
        for piece in personal_data.export(session, accounts.get_account(session, login), None):
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


@app.command()
@needs(Permission.INSTALLATION_MANAGE)
def erase(
    login: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False
) -> None:
    """Take a person out of their account, for good: name, mail, password, second factor, sessions, tokens, roles."""
    if not yes:
        typer.confirm(f"Erase {login}? This cannot be undone.", abort=True)
    with _session() as (session, now):
        user = accounts.get_account(session, login)
        pseudonym = personal_data.erase(session, COMMAND_LINE, user, now=now)
    print(f"The person was erased; the account is {pseudonym} now, and cannot sign in.")
    print("The audit log stays as it was: its entries cannot be changed (docs/security/data.md).")


@organizations_app.command("list")
@needs(Permission.INSTALLATION_READ)
def list_organizations() -> None:
    """List the organizations."""
    with _session() as (session, _now):
        rows = [(row.slug, row.name, row.time_zone) for row in queries.list_organizations(session)]
    show(
        ("Short name", "Name", "Time zone"),
        rows,
        empty="There is no organization yet. Add one: sentrikat users organizations add SHORT_NAME",
    )


@organizations_app.command("add")
@needs(Permission.INSTALLATION_MANAGE)
def add_organization(
    slug: Annotated[str, typer.Argument(metavar="SHORT_NAME", help="Lower-case letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="Name as people read it.")] = "",
    time_zone: Annotated[str, typer.Option(help="IANA name, such as Europe/Zurich.")] = "UTC",
) -> None:
    """Add an organization."""
    with _session() as (session, now):
        made = organizations.create_organization(
            session, COMMAND_LINE, name=name or slug, slug=slug, time_zone=time_zone, now=now
        )
    print(f"The organization {made.name} ({made.slug}) was created.")


@keys_app.command("list")
@needs(Permission.KEYS_READ)
def list_keys(organization: Organization) -> None:
    """List the keys of an organization."""
    with _session() as (session, now):
        owner = organizations.get_by_slug(session, organization)
        rows = [
            (
                str(row.id),
                row.name,
                f"sk_{row.prefix}",
                ", ".join(row.scopes),
                f"{row.expires_at:%Y-%m-%d}" if row.expires_at else "never",
                "revoked"
                if row.revoked_at
                else "expired"
                if row.expires_at is not None and row.expires_at <= now
                else "valid",
            )
            for row in queries.list_keys(session, owner.id)
        ]
    show(
        ("Id", "Name", "Begins with", "Scopes", "Expires", "State"),
        rows,
        right={"Id"},
        empty=f"{organization} has no key yet. Make one: sentrikat users keys create"
        f" --organization {organization} --name NAME --scope agent:report",
    )


@keys_app.command("create")
@needs(Permission.KEYS_MANAGE)
def create_key(
    organization: Organization,
    name: Annotated[str, typer.Option(help="Who uses it.")],
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; may be repeated.")] = None,
    days: Annotated[int, typer.Option(help="Ends after so many days; 0: never.", min=0, max=3650)] = 365,
    network: Annotated[
        list[str] | None, typer.Option(help="May be used from this network only; may be repeated.")
    ] = None,
    max_assets: Annotated[
        int | None, typer.Option(help="How many assets it may bring in; left out: any number.")
    ] = None,
) -> None:
    """Create a key and print it, this once."""
    wanted = api_keys.read_scopes(scope or [Permission.REPORT_SUBMIT.value])
    pepper = open_pepper(load())
    with _session() as (session, now):
        made = api_keys.create_key(
            session,
            _in(session, organization),
            pepper=pepper,
            limits=api_keys.Limits(tuple(network or ()), max_assets),
            name=name,
            scopes=wanted,
            expires_at=now + timedelta(days=days) if days else None,
            now=now,
        )
    print(f"The key, shown only now: {made.secret}")


@keys_app.command("revoke")
@needs(Permission.KEYS_MANAGE)
def revoke_key(prefix: str, organization: Organization) -> None:
    """Revoke a key by how it begins."""
    with _session() as (session, now):
        caller = _in(session, organization)
        found = _key(session, caller, prefix, organization)
        api_keys.revoke_key(session, caller, found.id, now=now)
    print(f"The key sk_{found.prefix} ({found.name}) is revoked.")


@keys_app.command("rotate")
@needs(Permission.KEYS_MANAGE)
def rotate_key(
    prefix: str,
    organization: Organization,
    overlap_hours: Annotated[
        int, typer.Option(help="How long the old key still works.", min=0, max=720)
    ] = 24,
) -> None:
    """Make a key that takes the place of another, and print it, this once."""
    pepper = open_pepper(load())
    with _session() as (session, now):
        caller = _in(session, organization)
        found = _key(session, caller, prefix, organization)
        overlap = timedelta(hours=overlap_hours)
        made = api_keys.rotate_key(session, caller, found.id, pepper=pepper, overlap=overlap, now=now)
    print(f"The key sk_{found.prefix} ({found.name}) ends at {now + overlap:%Y-%m-%d %H:%M} UTC.")
    print(f"The key that takes its place, shown only now: {made.secret}")


def _key(session: Session, caller: Caller, prefix: str, organization: str) -> queries.KeyRow:
    wanted = prefix.removeprefix("sk_")[:10]
    rows = queries.list_keys(session, caller.organization_id)
    found = next((row for row in rows if row.prefix == wanted), None)
    if found is None:
        raise InvalidInput(
            f"Nothing was changed: {organization} has no key that begins with {prefix}.",
            hint=f"List them with: sentrikat users keys list -o {organization}",
        )
    return found


def _in(session: Session, organization: str) -> Caller:
    owner = organizations.get_by_slug(session, organization)
    return Caller(owner.id, COMMAND_LINE.actor, COMMAND_LINE.permissions)


@contextmanager
def _session() -> Iterator[tuple[Session, datetime]]:
    with (
        open_database(load(), application_name="sentrikat users") as database,
        database.as_system() as session,
    ):
        yield session, SystemClock().now()
