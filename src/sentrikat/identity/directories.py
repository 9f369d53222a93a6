"""Sign-in with a directory's password: what sign_in.py asks after the local accounts.

Each directory gets the same treatment: the bind without a transaction open, then one short transaction that
lets the person in or logs why not. Why a directory refused somebody stands in the audit log of the
installation; the person is told what everybody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from pydantic import ValidationError
from sqlalchemy import select

from sentrikat.audit.journal import record
from sentrikat.domain.errors import SentriKatError
from sentrikat.domain.permissions import Caller
from sentrikat.identity.accounts import normal_login
from sentrikat.identity.admission import Proven, SignInMethod
from sentrikat.identity.ldap.authentication import Authenticated, authenticate
from sentrikat.identity.ldap.connection import DirectoryUnavailable
from sentrikat.identity.ldap.people import DirectoryPerson
from sentrikat.identity.ldap.settings import LdapSettings
from sentrikat.identity.models import IdentityProvider
from sentrikat.identity.providers import note_trouble, secret_of
from sentrikat.identity.provisioning import ExternalPerson, NotAdmitted, admit
from sentrikat.identity.sign_in import PasswordSource
from sentrikat.infra.clock import Clock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import open_vault
from sentrikat.infra.outbound import rules_of
from sentrikat.infra.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoredDirectory:
    """A directory as it is asked: its settings read, its secret decrypted."""

    provider_id: int
    name: str
    settings: LdapSettings
    secret: str | None = field(repr=False)  # in no log and no traceback


def password_sources(
    database: Database, settings: Settings, clock: Clock
) -> Callable[[str | None], Sequence[PasswordSource]]:
    """Give what gives the directories of this moment, for a sign-in from an address."""

    def sources(address: str | None) -> Sequence[PasswordSource]:
        return [
            partial(_prove, database, clock, directory, address)
            for directory in stored_directories(database, settings, clock)
        ]

    return sources


def stored_directories(database: Database, settings: Settings, clock: Clock) -> list[StoredDirectory]:
    """Read the directories that are switched on, in their order.

    One whose secret or settings cannot be read is told to administrators and left out: it must not keep
    everybody else from signing in.
    """
    with database.as_system() as session:
        providers = session.scalars(
            select(IdentityProvider)
            .where(IdentityProvider.kind == "ldap", IdentityProvider.enabled)
            .order_by(IdentityProvider.position, IdentityProvider.id)
        ).all()
    if not providers:
        return []  # no vault is opened, and no key file made, for nothing
    readable = []
    for provider in providers:
        try:
            readable.append(stored_directory(provider, settings))
        except (SentriKatError, ValidationError) as error:
            words = (
                error.message
                if isinstance(error, SentriKatError)
                else f"Its settings are not usable: {error}"
            )
            log.warning("directory left out", provider=provider.name, error=words)
            with database.as_system() as session:
                note_trouble(session, provider.id, words, now=clock.now())
    return readable


def stored_directory(provider: IdentityProvider, settings: Settings) -> StoredDirectory:
    """Read one directory."""
    return StoredDirectory(
        provider.id,
        provider.name,
        LdapSettings.model_validate(provider.settings).within(rules_of(settings)),
        secret_of(provider, open_vault(settings)) if provider.secret is not None else None,
    )


def external_person(
    directory: StoredDirectory, person: DirectoryPerson, groups: frozenset[str]
) -> ExternalPerson:
    """Give somebody as provisioning knows people."""
    return ExternalPerson(
        directory.provider_id, person.external_id, person.login, person.display_name, person.email, groups
    )


def _prove(
    database: Database,
    clock: Clock,
    directory: StoredDirectory,
    address: str | None,
    login: str,
    password: str,
) -> Proven | None:
    now = clock.now()
    try:
        answer = authenticate(directory.settings, directory.secret, login, password, now=now)
    except DirectoryUnavailable as error:
        with database.as_system() as session:
            note_trouble(session, directory.provider_id, error.message, now=now)
        raise
    with database.as_system() as session:
        note_trouble(session, directory.provider_id, None, now=now)
        if isinstance(answer, Authenticated):
            admitted = admit(
                session, external_person(directory, answer.person, answer.groups), address=address, now=now
            )
            if isinstance(admitted, NotAdmitted):
                return None
            return Proven(admitted.id, SignInMethod.LDAP, directory.provider_id)
        if answer.why is not None:
            record(
                session,
                Caller(0, f"provider:{directory.provider_id}", frozenset(), address),
                "sign_in.directory_refused",
                f"login:{normal_login(login)[:100]}",
                {"directory": directory.name, "why": answer.why}
                | ({"code": answer.sub_code} if answer.sub_code else {}),
                now=now,
            )
    return None
