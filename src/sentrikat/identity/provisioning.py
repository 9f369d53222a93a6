"""What becomes of somebody a directory or SAML provider vouches for: an account, its roles, or no way in.

    admit(session, person)     at a sign-in: makes the account if rules let them in, brings roles up to date
    refresh(session, person)   in a synchronization: the same for an account that exists, without signing in

The provider decides who somebody is, the rules of this installation decide what they may. No rule that speaks
for them means no way in. An account is found by the provider's immutable name for the person and by nothing
else: a login name or a mail address that happens to be the same never opens an account that somebody else has.

Memberships that rules gave are marked with the provider and follow the groups; those that people gave stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Caller, Role
from sentrikat.identity import web_sessions
from sentrikat.identity.accounts import is_login, normal_display_name, normal_login
from sentrikat.identity.group_rules import Entitled, GroupRule, entitled, normal_group
from sentrikat.identity.models import IdentityGroupRule, IdentityProvider, Membership, UserAccount
from sentrikat.infra.database.locks import advisory_lock

_LONGEST_NAME = 200
_LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3
_LONGEST_EXTERNAL_ID = 1024


@dataclass(frozen=True, slots=True)
class ExternalPerson:
    """Somebody a provider vouches for, right now.

    `external_id` never changes and is never given to somebody else (objectGUID, entryUUID, a persistent
    NameID). `groups` are names and DNs, in any spelling.
    """

    provider_id: int
    external_id: str
    login: str
    display_name: str
    email: str | None
    groups: frozenset[str]


class NotAdmittedReason(StrEnum):
    """Why somebody the provider vouches for has no way in; for the log and administrators, not for them."""

    PROVIDER_OFF = "provider_off"
    NO_EXTERNAL_ID = "no_external_id"
    NO_RULE = "no_rule"
    PROVISIONING_OFF = "provisioning_off"
    LOGIN_INVALID = "login_invalid"
    LOGIN_TAKEN = "login_taken"
    DISABLED = "disabled"


REASON_WORDS: dict[NotAdmittedReason, str] = {
    NotAdmittedReason.PROVIDER_OFF: "the provider is switched off or was removed",
    NotAdmittedReason.NO_EXTERNAL_ID: "the provider gave no immutable name for the person",
    NotAdmittedReason.NO_RULE: "no group rule speaks for any of their groups",
    NotAdmittedReason.PROVISIONING_OFF: "they have no account, and this provider may not make accounts",
    NotAdmittedReason.LOGIN_INVALID: "their name at the provider cannot be a login name here",
    NotAdmittedReason.LOGIN_TAKEN: "another account has their login name, and is never taken over",
    NotAdmittedReason.DISABLED: "their account is disabled here",
}


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """The provider vouches for them, and they have no way in all the same."""

    reason: NotAdmittedReason


def admit(
    session: Session, person: ExternalPerson, *, address: str | None, now: datetime
) -> UserAccount | NotAdmitted:
    """Give the account of somebody who has just proven to the provider who they are, or say why there is none.

    Needs a session that sees every organization. Writes the audit entries of what it changes and of a refusal,
    in the session's transaction, so the caller commits either way; the sign-in itself is the caller's to log.
    """
    caller = _caller(person.provider_id, address)
    user, reason = _admit(session, caller, person, now)
    if user is not None and reason is None:
        return user
    assert reason is not None
    record(
        session,
        caller,
        "sign_in.not_admitted",
        f"user:{user.id}" if user is not None else f"login:{normal_login(person.login)[:100]}",
        {"reason": reason.value, "provider_id": person.provider_id, "external_id": person.external_id[:200]},
        now=now,
    )
    return NotAdmitted(reason)


def refresh(session: Session, person: ExternalPerson, *, now: datetime) -> NotAdmittedReason | None:
    """Bring an existing account to what the provider says now; give why it has no way in, if so."""
    caller = _caller(person.provider_id, None)
    provider = session.get(IdentityProvider, person.provider_id)
    user = _account_of(session, person)
    if provider is None or user is None:
        return NotAdmittedReason.PROVIDER_OFF if provider is None else NotAdmittedReason.PROVISIONING_OFF
    return _bring_up_to_date(session, caller, user, person, now)


def rules_of(session: Session, provider_id: int) -> list[GroupRule]:
    """Give a provider's rules in the order they are read."""
    rows = session.scalars(
        select(IdentityGroupRule)
        .where(IdentityGroupRule.provider_id == provider_id)
        .order_by(IdentityGroupRule.position)
    )
    return [
        GroupRule(
            row.group_name, row.organization_id, Role(row.role) if row.role else None, row.installation_admin
        )
        for row in rows
    ]


def shut_out(session: Session, caller: Caller, user: UserAccount, why: str, *, now: datetime) -> None:
    """Disable an account because its provider says so, and end its sessions at once."""
    if user.disabled_at is not None:
        return
    session.execute(update(UserAccount).where(UserAccount.id == user.id).values(disabled_at=now))
    web_sessions.end_all(session, user.id)
    record(session, caller, "account.disabled", f"user:{user.id}", {"login": user.login, "why": why}, now=now)


def _admit(
    session: Session, caller: Caller, person: ExternalPerson, now: datetime
) -> tuple[UserAccount | None, NotAdmittedReason | None]:
    provider = session.get(IdentityProvider, person.provider_id)
    if provider is None or not provider.enabled:
        return None, NotAdmittedReason.PROVIDER_OFF
    if not 0 < len(person.external_id) <= _LONGEST_EXTERNAL_ID:
        return None, NotAdmittedReason.NO_EXTERNAL_ID
    # Two browsers of one person at once make one account.
    advisory_lock(session, f"external:{person.provider_id}:{person.external_id}")
    user = _account_of(session, person)
    if user is None:
        gives = entitled(rules_of(session, person.provider_id), _groups(person))
        if not gives:
            return None, NotAdmittedReason.NO_RULE
        if not provider.provisioning:
            return None, NotAdmittedReason.PROVISIONING_OFF
        user, reason = _create(session, caller, person, now)
        if user is None:
            return None, reason
        _apply(session, caller, user, gives, now)
        return user, None
    if user.disabled_at is not None:
        return user, NotAdmittedReason.DISABLED
    return user, _bring_up_to_date(session, caller, user, person, now)


def _account_of(session: Session, person: ExternalPerson) -> UserAccount | None:
    return session.scalar(
        select(UserAccount)
        .where(UserAccount.provider_id == person.provider_id, UserAccount.external_id == person.external_id)
        .with_for_update()
    )


def _create(
    session: Session, caller: Caller, person: ExternalPerson, now: datetime
) -> tuple[UserAccount | None, NotAdmittedReason | None]:
    login = normal_login(person.login)
    if not is_login(login):
        return None, NotAdmittedReason.LOGIN_INVALID
    advisory_lock(session, f"login:{login}")  # as accounts.create_account does
    if _taken(session, login):
        return None, NotAdmittedReason.LOGIN_TAKEN
    user = UserAccount(
        login=login,
        display_name=_display_name(person, login),
        email=_email(person),
        password_hash=None,
        password_changed_at=now,
        provider_id=person.provider_id,
        external_id=person.external_id,
        created_at=now,
    )
    session.add(user)
    session.flush()
    record(
        session,
        caller,
        "account.created",
        f"user:{user.id}",
        {"login": login, "provider_id": person.provider_id, "external_id": person.external_id[:200]},
        now=now,
    )
    return user, None


def _bring_up_to_date(
    session: Session, caller: Caller, user: UserAccount, person: ExternalPerson, now: datetime
) -> NotAdmittedReason | None:
    gives = entitled(rules_of(session, person.provider_id), _groups(person))
    _apply(session, caller, user, gives, now)
    if not gives:
        web_sessions.end_all(session, user.id)
        return NotAdmittedReason.NO_RULE
    changes: dict[str, str | None] = {}
    login = normal_login(person.login)
    if login != user.login and is_login(login):
        advisory_lock(session, f"login:{login}")
        if not _taken(session, login):  # renamed in the directory; else they keep the name they have here
            changes["login"] = login
    if (name := _display_name(person, user.login)) != user.display_name:
        changes["display_name"] = name
    if (email := _email(person)) != user.email:
        changes["email"] = email
    if changes:
        before = user.login
        for column, value in changes.items():
            setattr(user, column, value)
        session.flush()
        record(
            session,
            caller,
            "account.updated",
            f"user:{user.id}",
            {"login": before, "changed": sorted(changes)}
            | ({"renamed": login} if "login" in changes else {}),
            now=now,
        )
    return None


def _apply(session: Session, caller: Caller, user: UserAccount, gives: Entitled, now: datetime) -> None:
    """Bring roles that rules gave to what they give now. What people gave is left as it is."""
    held = {
        row.organization_id: row
        for row in session.scalars(select(Membership).where(Membership.user_id == user.id))
    }
    for organization_id, role in sorted(gives.roles.items()):
        membership = held.get(organization_id)
        if membership is not None and (membership.provider_id is None or membership.role == role.value):
            continue
        session.execute(
            insert(Membership)
            .values(
                organization_id=organization_id,
                user_id=user.id,
                role=role.value,
                created_at=now,
                provider_id=user.provider_id,
            )
            .on_conflict_do_update(
                index_elements=[Membership.organization_id, Membership.user_id],
                set_={"role": role.value, "custom_role_id": None},
            )
        )
        _record_membership(
            session,
            caller,
            organization_id,
            user,
            {"role": role.value} | ({"before": membership.role} if membership is not None else {}),
            now,
        )
    for organization_id, membership in sorted(held.items()):
        if membership.provider_id is not None and organization_id not in gives.roles:
            session.execute(
                delete(Membership).where(
                    Membership.organization_id == organization_id, Membership.user_id == user.id
                )
            )
            _record_membership(session, caller, organization_id, user, {"before": membership.role}, now)
    session.expire_all()  # the statements above went past the objects of this session
    if gives.installation_admin and not user.installation_admin:
        _set_admin(session, caller, user, True, now)
    elif not gives.installation_admin and user.admin_by_rule:
        _set_admin(session, caller, user, False, now)


def _record_membership(
    session: Session,
    caller: Caller,
    organization_id: int,
    user: UserAccount,
    detail: dict[str, str],
    now: datetime,
) -> None:
    # A membership is the organization's affair, and stands in its chain.
    record(
        session,
        replace(caller, organization_id=organization_id),
        "membership.set" if "role" in detail else "membership.removed",
        f"user:{user.id}",
        {"login": user.login, **detail, "by": "group rule"},
        now=now,
    )


def _set_admin(session: Session, caller: Caller, user: UserAccount, wanted: bool, now: datetime) -> None:
    user.installation_admin = wanted
    user.admin_by_rule = wanted
    session.flush()
    record(
        session,
        caller,
        "account.installation_admin",
        f"user:{user.id}",
        {"login": user.login, "installation_admin": wanted, "by": "group rule"},
        now=now,
    )


def _taken(session: Session, login: str) -> bool:
    return session.scalar(select(UserAccount.id).where(UserAccount.login == login)) is not None


def _groups(person: ExternalPerson) -> frozenset[str]:
    return frozenset(normal_group(group) for group in person.groups)


def _display_name(person: ExternalPerson, login: str) -> str:
    try:
        return normal_display_name(person.display_name) or login
    except InvalidInput:
        return normal_display_name(person.display_name[:_LONGEST_NAME]) or login


def _email(person: ExternalPerson) -> str | None:
    email = (person.email or "").strip().casefold()
    good = "@" in email and len(email) <= _LONGEST_EMAIL and email.isprintable() and " " not in email
    return email if good else None


def _caller(provider_id: int, address: str | None) -> Caller:
    return Caller(0, f"provider:{provider_id}", frozenset(), address)
