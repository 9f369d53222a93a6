"""Directories and SAML providers of the installation: made, changed, ordered, with their group rules.

The settings of each kind have a form of their own (provider_settings.py), checked before they are stored. A secret is
stored encrypted and never given back; whoever points a provider at other servers must enter it anew. SAML
providers have none: what they send is signed with keys of theirs, and ours are the same for all (saml/keys.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission, Role
from sentrikat.identity import notices, web_sessions
from sentrikat.identity.group_rules import EVERYBODY, GroupRule, normal_group
from sentrikat.identity.members import read_role
from sentrikat.identity.models import (
    IdentityGroupRule,
    IdentityProvider,
    Membership,
    Organization,
    UserAccount,
)
from sentrikat.identity.provider_settings import as_stored, check_provider, require_secret, tidy_name, trusted
from sentrikat.identity.provisioning import rules_of
from sentrikat.infra.database.locks import advisory_lock
from sentrikat.infra.encryption import Vault

SECRET = "identity_provider.secret"  # noqa: S105 - what it is encrypted for, not itself
# Who could read the secret by having it sent elsewhere: these say where it goes and how that is checked.
_DESTINATION: dict[str, tuple[str, ...]] = {"ldap": ("hosts", "security", "ca_pem", "ca_file", "bind_dn")}
_MOST_RULES = 500


class ProviderRow(NamedTuple):
    """A provider, for a list; never its secret."""

    id: int
    kind: str
    name: str
    enabled: bool
    provisioning: bool
    accounts: int
    rules: int
    last_sync_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """What an administrator wants of a provider; None leaves as it is."""

    name: str | None = None
    enabled: bool | None = None
    provisioning: bool | None = None
    position: int | None = None
    settings: Mapping[str, Any] | None = None
    secret: str | None = None


def list_providers(session: Session, caller: Caller) -> list[ProviderRow]:
    """Give every provider in the order they are asked."""
    caller.require(Permission.INSTALLATION_READ)
    accounts = (
        select(func.count())
        .where(UserAccount.provider_id == IdentityProvider.id)
        .correlate(IdentityProvider)
        .scalar_subquery()
    )
    rules = (
        select(func.count())
        .where(IdentityGroupRule.provider_id == IdentityProvider.id)
        .correlate(IdentityProvider)
        .scalar_subquery()
    )
    query = select(
        IdentityProvider.id,
        IdentityProvider.kind,
        IdentityProvider.name,
        IdentityProvider.enabled,
        IdentityProvider.provisioning,
        accounts,
        rules,
        IdentityProvider.last_sync_at,
        IdentityProvider.last_error,
        IdentityProvider.last_error_at,
    ).order_by(IdentityProvider.position, IdentityProvider.id)
    return [ProviderRow(*row) for row in session.execute(query)]


def access_provider(
    session: Session, caller: Caller, provider_id: int, permission: Permission
) -> IdentityProvider:
    """Give a provider to somebody who may see or change every one."""
    caller.require(permission)
    provider = session.get(IdentityProvider, provider_id) if provider_id < 2**63 else None
    if provider is None:
        raise NotFound(
            f"There is no identity provider {provider_id}.",
            hint="The list of providers names those there are.",
        )
    return provider


def ask_directory(
    session: Session, caller: Caller, provider_id: int, asked: str, *, now: datetime, **detail: str | bool
) -> IdentityProvider:
    """Give a directory that somebody wants asked (`test` or `sync`), and log that they did."""
    provider = access_provider(session, caller, provider_id, Permission.INSTALLATION_MANAGE)
    if provider.kind != "ldap":
        raise Conflict(
            f"“{provider.name}” is no directory: SAML providers cannot be asked, they speak when people sign in.",
            hint="Nothing was done.",
        )
    _record(session, caller, f"identity_provider.{asked}_asked", provider, detail, now)
    return provider


def provider_named(session: Session, caller: Caller, name: str) -> IdentityProvider:
    """Give the provider of a name."""
    caller.require(Permission.INSTALLATION_READ)
    provider = session.scalar(select(IdentityProvider).where(IdentityProvider.name == name))
    if provider is None:
        raise NotFound(
            f"There is no identity provider “{name}”.", hint="List them with: sentrikat identity list"
        )
    return provider


def create_provider(
    session: Session,
    caller: Caller,
    vault: Callable[[], Vault],
    *,
    kind: str,
    name: str,
    settings: Mapping[str, Any],
    secret: str | None = None,
    enabled: bool = True,
    provisioning: bool = True,
    now: datetime,
) -> IdentityProvider:
    """Add a provider. Without group rules it lets nobody in."""
    caller.require(Permission.INSTALLATION_MANAGE)
    checked = check_provider(kind, name, settings)
    name = _name(session, name, None)
    require_secret(checked, bool(secret))
    last = session.scalar(select(func.max(IdentityProvider.position))) or 0
    provider = IdentityProvider(
        kind=kind,
        name=name,
        position=last + 1,
        enabled=enabled,
        provisioning=provisioning,
        settings=as_stored(checked),
        secret=vault().encrypt(secret, purpose=SECRET) if secret else None,
        created_at=now,
    )
    session.add(provider)
    session.flush()
    _record(session, caller, "identity_provider.created", provider, {"kind": kind, **trusted(checked)}, now)
    return provider


def change_provider(
    session: Session,
    caller: Caller,
    vault: Callable[[], Vault],
    provider: IdentityProvider,
    change: ProviderChange,
    *,
    now: datetime,
) -> None:
    """Change a provider; people it vouches for notice at their next sign-in, or at once if it is switched off."""
    caller.require(Permission.INSTALLATION_MANAGE)
    changed: list[str] = []
    trust: dict[str, Any] = {}
    if change.settings is not None:
        checked = check_provider(
            provider.kind, change.name if change.name is not None else provider.name, change.settings
        )
        wanted = as_stored(checked)
        moved = [
            key
            for key in _DESTINATION.get(provider.kind, ())
            if wanted.get(key) != provider.settings.get(key)
        ]
        if moved and provider.secret is not None and not change.secret:
            if wanted.get("bind_dn") is not None:
                raise InvalidInput(
                    f"“{provider.name}” was not changed: where its password is sent changes ({', '.join(moved)}).",
                    hint="Enter the password of the service account again. Nothing was changed.",
                    fields={"secret": "Enter the password again: where it is sent changes."},
                )
            provider.secret = None
        require_secret(checked, bool(change.secret) or provider.secret is not None)
        if wanted != provider.settings:
            changed += sorted(key for key in wanted if wanted[key] != provider.settings.get(key))
            provider.settings = wanted
            trust = trusted(checked)
    if change.secret:
        provider.secret = vault().encrypt(change.secret, purpose=SECRET)
        changed.append("secret")
    if change.name is not None and (name := _name(session, change.name, provider.id)) != provider.name:
        provider.name = name
        changed.append("name")
    for field in ("enabled", "provisioning", "position"):
        value = getattr(change, field)
        if value is not None and value != getattr(provider, field):
            setattr(provider, field, value)
            changed.append(field)
    if not changed:
        return
    provider.last_error, provider.last_error_at = None, None  # of what was before
    session.flush()
    if not provider.enabled:
        for user_id in session.scalars(select(UserAccount.id).where(UserAccount.provider_id == provider.id)):
            web_sessions.end_all(session, user_id)
    _record(session, caller, "identity_provider.changed", provider, {"changed": changed, **trust}, now)


def delete_provider(session: Session, caller: Caller, provider: IdentityProvider, *, now: datetime) -> int:
    """Remove a provider: its accounts are disabled and lose what its rules gave them; give how many.

    They keep their history, and can be made local accounts: enabled again and given a password.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    users = session.scalars(
        select(UserAccount).where(UserAccount.provider_id == provider.id).with_for_update()
    ).all()
    session.execute(delete(Membership).where(Membership.provider_id == provider.id))
    for user in users:
        web_sessions.end_all(session, user.id)
        user.provider_id, user.external_id = None, None
        user.disabled_at = user.disabled_at or now
        if user.admin_by_rule:
            user.installation_admin = user.admin_by_rule = False
    session.flush()
    _record(session, caller, "identity_provider.deleted", provider, {"accounts_disabled": len(users)}, now)
    session.delete(provider)
    session.flush()
    return len(users)


def set_rules(
    session: Session,
    caller: Caller,
    provider: IdentityProvider,
    rules: Sequence[GroupRule],
    *,
    now: datetime,
) -> None:
    """Replace a provider's group rules; they count from each person's next sign-in or synchronization."""
    caller.require(Permission.INSTALLATION_MANAGE)
    checked = [_checked(session, number, rule) for number, rule in enumerate(rules, 1)]
    if len(checked) > _MOST_RULES:
        raise InvalidInput(
            f"The rules were not stored: there are {len(checked)}, and at most {_MOST_RULES} are allowed.",
            hint="Put people into fewer groups. Nothing was changed.",
        )
    if checked == rules_of(session, provider.id):
        return
    session.execute(delete(IdentityGroupRule).where(IdentityGroupRule.provider_id == provider.id))
    for position, rule in enumerate(checked):
        session.add(
            IdentityGroupRule(
                provider_id=provider.id,
                position=position,
                group_name=rule.group,
                organization_id=rule.organization_id,
                role=rule.role.value if rule.role is not None else None,
                installation_admin=rule.installation_admin,
            )
        )
    session.flush()
    said = [
        {
            "group": rule.group,
            "organization_id": rule.organization_id,
            "role": rule.role.value if rule.role is not None else None,
            "installation_admin": rule.installation_admin,
        }
        for rule in checked
    ]
    _record(session, caller, "identity_provider.rules", provider, {"rules": said}, now)


def read_rule_role(word: str | None) -> Role | None:
    """Read the role of a rule; none is fine for one that gives the installation only."""
    return read_role(word) if word else None


def secret_of(provider: IdentityProvider, vault: Vault) -> str | None:
    """Give the stored secret to the code that shows it to the provider, and to nobody else."""
    return vault.decrypt(provider.secret, purpose=SECRET) if provider.secret is not None else None


def note_trouble(session: Session, provider_id: int, words: str | None, *, now: datetime) -> None:
    """Keep whether a provider answered: what was wrong, or None. The log has the beginning and the end.

    Administrators are told of the beginning, once: the row is locked, and has trouble until it answers again.
    """
    provider = session.get(IdentityProvider, provider_id, with_for_update=True)
    if provider is None or (words is None and provider.last_error is None):
        return
    began, ended = words is not None and provider.last_error is None, words is None
    caller = Caller(0, f"provider:{provider_id}", frozenset())
    if began:
        _record(session, caller, "identity_provider.unavailable", provider, {"why": str(words)[:1000]}, now)
        notices.tell_outage(session, provider.name, now=now)
    elif ended:
        _record(session, caller, "identity_provider.answers", provider, {}, now)
    session.execute(
        update(IdentityProvider)
        .where(IdentityProvider.id == provider_id)
        .values(last_error=words, last_error_at=now if words is not None else None)
    )


def _checked(session: Session, number: int, rule: GroupRule) -> GroupRule:
    group = normal_group(rule.group)
    problem = None
    if not 0 < len(group) <= 1000:
        problem = "a group's name has 1 to 1000 characters"
    elif (rule.organization_id is None) != (rule.role is None):
        problem = "an organization needs a role, and a role an organization"
    elif rule.organization_id is None and not rule.installation_admin:
        problem = "it gives nothing"
    elif group == EVERYBODY and rule.installation_admin:
        problem = "not everybody of a provider can run the installation"
    elif rule.organization_id is not None and session.get(Organization, rule.organization_id) is None:
        problem = f"there is no organization {rule.organization_id}"
    if problem is not None:
        raise InvalidInput(
            f"The rules were not stored: rule {number} is wrong, {problem}.",
            hint="Nothing was changed.",
            fields={f"rules.{number}": problem},
        )
    return GroupRule(group, rule.organization_id, rule.role, rule.installation_admin)


def _name(session: Session, name: str, own_id: int | None) -> str:
    name = tidy_name(name)
    advisory_lock(session, "identity-providers")  # two with one name at once: the second is told
    taken = session.scalar(select(IdentityProvider.id).where(IdentityProvider.name == name))
    if taken is not None and taken != own_id:
        raise Conflict(
            f"The provider was not stored: the name “{name}” is taken.",
            hint="Choose another one. Nothing was changed.",
            fields={"name": "This name is taken."},
        )
    return name


def _record(
    session: Session,
    caller: Caller,
    action: str,
    provider: IdentityProvider,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    installation = Caller(0, caller.actor, caller.permissions, caller.address)
    record(
        session, installation, action, f"provider:{provider.id}", {"name": provider.name, **detail}, now=now
    )
