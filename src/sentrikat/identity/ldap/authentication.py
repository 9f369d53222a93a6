"""A login name and a password, shown to a directory: who it is, and in which groups.

The proof is always a bind with the very entry that was found, on a connection of its own. Hosts are asked in
their order until one answers; a refusal is an answer, so a wrong password is tried once and locks nobody
twice as fast.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sentrikat.identity.ldap.connection import (
    BindRefused,
    Directory,
    DirectoryUnavailable,
    connect,
    escaped_in_dn,
)
from sentrikat.identity.ldap.people import DirectoryPerson, find_person, groups_of, login_of
from sentrikat.identity.ldap.settings import LOGIN, LdapSettings

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The directory vouches for somebody."""

    person: DirectoryPerson
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class NotAuthenticated:
    """It does not. `why` is for the log; None when it does not know the name, which is no news."""

    why: str | None = None
    sub_code: str | None = None


def authenticate(
    settings: LdapSettings, secret: str | None, typed: str, password: str, *, now: datetime
) -> Authenticated | NotAuthenticated:
    """Check a password; DirectoryUnavailable when no host could."""
    login = login_of(settings, typed)
    if login is None or not password:
        return NotAuthenticated()
    return on_first_host(
        settings, lambda host, port: _ask(settings, host, port, secret, login, password, now)
    )


def on_first_host(settings: LdapSettings, ask: Callable[[str, int], Answer]) -> Answer:
    """Ask the hosts in turn; the first answer counts, the last trouble is raised."""
    trouble: list[DirectoryUnavailable] = []
    for host, port in settings.endpoints:
        try:
            return ask(host, port)
        except DirectoryUnavailable as error:
            trouble.append(error)
    if len(trouble) == 1:
        raise trouble[0]
    raise DirectoryUnavailable(
        " ".join(error.message for error in trouble), step=trouble[-1].step, hint=trouble[-1].hint
    ) from trouble[-1]


def bind_to_search(directory: Directory, settings: LdapSettings, secret: str | None) -> None:
    """Sign the service account in."""
    outcome = directory.bind(settings.bind_dn or "", secret or "")
    if isinstance(outcome, BindRefused):
        raise DirectoryUnavailable(
            f"{directory.host} refused the service account “{settings.bind_dn}”: {outcome.why}.",
            step="bind",
            hint="Enter its name and password again under Settings → Identity providers.",
        )


def name_to_bind(settings: LdapSettings, login: str) -> str:
    """Give the name somebody binds with when there is no service account."""
    template = settings.bind_template or LOGIN
    if "=" in template:
        return template.replace(LOGIN, escaped_in_dn(login))
    if "@" in login:
        return login  # they typed the whole user principal name
    return template.replace(LOGIN, login)


def _ask(
    settings: LdapSettings, host: str, port: int, secret: str | None, login: str, password: str, now: datetime
) -> Authenticated | NotAuthenticated:
    with connect(settings, host, port) as directory:
        if settings.bind_dn is not None:
            bind_to_search(directory, settings, secret)
        else:
            outcome = directory.bind(name_to_bind(settings, login), password)
            if isinstance(outcome, BindRefused):
                return NotAuthenticated(outcome.why, outcome.sub_code)
        person = find_person(directory, settings, login, now=now)
        if person is None:
            _spend_a_bind(settings, host, port)
            return NotAuthenticated()
        with connect(settings, host, port) as proof:
            outcome = proof.bind(person.dn, password)
        if isinstance(outcome, BindRefused):
            return NotAuthenticated(outcome.why, outcome.sub_code)
        if person.shut is not None:
            return NotAuthenticated(f"the account is {person.shut}")
        return Authenticated(person, groups_of(directory, settings, person))


def _spend_a_bind(settings: LdapSettings, host: str, port: int) -> None:
    """Take as long for an unknown name as for a known one with a wrong password."""
    nobody = secrets.token_hex(8)
    with connect(settings, host, port) as directory:
        directory.bind(f"cn={nobody},{settings.base_dn}", nobody)
