"""Bring accounts to what their directory says now: gone and disabled ones shut out, roles moved.

Everything is read before anything is changed. Nobody is disabled when the directory did not answer, gave only
a part, or gave nobody at all; and when a large share would be disabled at once, that is held for a person to
look at: a search base with a typing error looks exactly like everybody leaving. A group base with one looks
like everybody leaving their groups, and is held as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity.directories import StoredDirectory, external_person
from sentrikat.identity.group_rules import entitled
from sentrikat.identity.ldap.authentication import bind_to_search, on_first_host
from sentrikat.identity.ldap.connection import DirectoryUnavailable, connect
from sentrikat.identity.ldap.people import DirectoryPerson, find_people, groups_of
from sentrikat.identity.models import IdentityProvider, Membership, UserAccount
from sentrikat.identity.providers import note_trouble
from sentrikat.identity.provisioning import NotAdmittedReason, refresh, rules_of, shut_out
from sentrikat.infra.clock import Clock
from sentrikat.infra.database import Database
from sentrikat.infra.database.locks import advisory_lock

_ALWAYS_ALLOWED = 2  # so many leave without any share being asked: in a team of five, one is 20 %


@dataclass(frozen=True, slots=True)
class Synced:
    """What a synchronization saw and did."""

    accounts: int  # accounts here that were looked up
    found: int = 0
    disabled: tuple[str, ...] = ()  # login names
    without_rule: int = 0  # there, but no rule speaks for them any more
    held: tuple[str, ...] = ()  # login names that would have been disabled
    losing: tuple[str, ...] = ()  # held: login names that would have lost what their groups gave them
    trouble: str | None = None

    @property
    def sentence(self) -> str:
        """Say it to an administrator."""
        if self.trouble is not None:
            return f"Nothing was changed: {self.trouble}"
        if self.losing:
            return (
                f"No role was changed: the directory names no group of anybody, and {len(self.losing)} of "
                f"{self.accounts} accounts would have lost what groups gave them. Look at the group base, then "
                f"let it happen. {len(self.disabled) or 'Nobody'} disabled."
            )
        if self.held:
            return (
                f"Nobody was disabled: {len(self.held)} of {self.accounts} accounts would have been, "
                "which is more than this directory's limit. Look at the directory, then let it happen."
            )
        shut = f"{len(self.disabled)} disabled" if self.disabled else "nobody disabled"
        without = f", {self.without_rule} without a rule" if self.without_rule else ""
        return f"{self.found} of {self.accounts} accounts found, {shut}{without}."

    def as_detail(self) -> dict[str, Any]:
        """Give it as the audit log and the provider's row keep it."""
        return {
            "accounts": self.accounts,
            "found": self.found,
            "disabled": list(self.disabled[:100]),
            "without_rule": self.without_rule,
            "held": list(self.held[:100]),
            "losing": list(self.losing[:100]),
            "trouble": self.trouble,
            "sentence": self.sentence,
        }


def synchronize(
    database: Database, directory: StoredDirectory, clock: Clock, *, caller: Caller, accept_many: bool = False
) -> Synced:
    """Look up every active account of a directory and bring it up to date."""
    now = clock.now()
    with database.as_system() as session:
        known = {
            row.external_id: row.login
            for row in session.execute(
                select(UserAccount.external_id, UserAccount.login).where(
                    UserAccount.provider_id == directory.provider_id, UserAccount.disabled_at.is_(None)
                )
            )
        }
    if directory.settings.bind_dn is None:
        return Synced(len(known), trouble="without a service account nobody can be looked up.")
    try:
        people, groups = _read(directory, sorted(known), now)
    except DirectoryUnavailable as error:
        with database.as_system() as session:
            note_trouble(session, directory.provider_id, error.message, now=now)
        return Synced(len(known), trouble=error.message)
    gone = {one: "gone from the directory" for one in known if one not in people}
    shut = gone | {one: person.shut for one, person in people.items() if person.shut is not None}
    names = tuple(sorted(known[one] for one in shut if one in known))
    limit = max(_ALWAYS_ALLOWED, len(known) * directory.settings.sync_hold_percent / 100)
    # A directory that knows nobody any more is a mistake more often than a firm that closed.
    held = bool(shut) and (len(names) > limit or (not people and len(known) > 1))
    with database.as_system() as session:
        advisory_lock(session, f"directory sync:{directory.provider_id}")
        note_trouble(session, directory.provider_id, None, now=now)
        losing = () if any(groups.values()) else _losing(session, directory.provider_id, groups)
        if held and not accept_many:
            outcome = Synced(len(known), found=len(people), held=names)
        elif len(losing) > 1 and not accept_many:  # one person can leave their last group
            _apply(session, directory, people, {}, shut, now)  # who left is shut out all the same
            outcome = Synced(len(known), len(people), names, losing=losing)
        else:
            without = _apply(session, directory, people, groups, shut, now)
            outcome = Synced(len(known), len(people), names, without)
        _keep(session, directory, outcome, caller, now)
    return outcome


def _read(
    directory: StoredDirectory, external_ids: list[str], now: datetime
) -> tuple[dict[str, DirectoryPerson], dict[str, frozenset[str]]]:
    settings = directory.settings

    def read(host: str, port: int) -> tuple[dict[str, DirectoryPerson], dict[str, frozenset[str]]]:
        with connect(settings, host, port) as connection:
            bind_to_search(connection, settings, directory.secret)
            people, whole = find_people(connection, settings, external_ids, now=now)
            if not whole:
                raise DirectoryUnavailable(
                    f"{host}:{port} gave only a part of the accounts.",
                    step="search",
                    hint="Raise the directory's size limit for the service account.",
                )
            groups = {
                one: groups_of(connection, settings, person)
                for one, person in people.items()
                if person.shut is None
            }
        return people, groups

    return on_first_host(settings, read)


def _losing(session: Session, provider_id: int, found: Iterable[str]) -> tuple[str, ...]:
    """Give the login names of those who have something now that they would not have without any group."""
    left = entitled(rules_of(session, provider_id), ())
    given = session.execute(
        select(
            UserAccount.external_id,
            UserAccount.login,
            UserAccount.admin_by_rule,
            Membership.organization_id,
            Membership.role,
        )
        .outerjoin(
            Membership, (Membership.user_id == UserAccount.id) & (Membership.provider_id == provider_id)
        )
        .where(UserAccount.provider_id == provider_id, UserAccount.external_id.in_(sorted(found)))
    )
    kept = {organization: role.value for organization, role in left.roles.items()}
    return tuple(
        sorted(
            {
                row.login
                for row in given
                if (row.admin_by_rule and not left.installation_admin)
                or (row.role is not None and kept.get(row.organization_id) != row.role)
            }
        )
    )


def _apply(
    session: Session,
    directory: StoredDirectory,
    people: Mapping[str, DirectoryPerson],
    groups: Mapping[str, frozenset[str]],
    shut: Mapping[str, str | None],
    now: datetime,
) -> int:
    caller = Caller(0, f"provider:{directory.provider_id}", frozenset())
    for external_id, why in sorted(shut.items()):
        user = session.scalar(
            select(UserAccount).where(
                UserAccount.provider_id == directory.provider_id, UserAccount.external_id == external_id
            )
        )
        if user is not None:
            shut_out(session, caller, user, why or "", now=now)
    without = 0
    for external_id, person in sorted(people.items()):
        if external_id in groups:
            reason = refresh(session, external_person(directory, person, groups[external_id]), now=now)
            without += reason is NotAdmittedReason.NO_RULE
    return without


def _keep(
    session: Session, directory: StoredDirectory, outcome: Synced, caller: Caller, now: datetime
) -> None:
    before = session.scalar(
        select(IdentityProvider.last_sync).where(IdentityProvider.id == directory.provider_id)
    )
    session.execute(
        update(IdentityProvider)
        .where(IdentityProvider.id == directory.provider_id)
        .values(last_sync_at=now, last_sync=outcome.as_detail())
    )
    # Every hour the same would bury the log: only what did something, or is held for the first time.
    said, told = outcome.as_detail(), before or {}
    is_held = bool(outcome.held or outcome.losing)
    if outcome.disabled or (is_held and any(said[key] != told.get(key, []) for key in ("held", "losing"))):
        record(
            session,
            Caller(0, caller.actor, caller.permissions, caller.address),
            "identity_provider.sync_held" if is_held else "identity_provider.synced",
            f"provider:{directory.provider_id}",
            {"name": directory.name, **said},
            now=now,
        )
