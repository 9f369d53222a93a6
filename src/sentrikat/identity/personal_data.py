"""What is kept about one person: given out whole, and taken out of everything but the log.

    export(session, user, entered)       JSON in pieces: account, memberships, sessions, tokens, the log
    erase(session, caller, user)         the account keeps its number and nothing else of the person

The log stays as it is: its entries are chained and signed so that nobody can take one out, and it says who did what
in an organization. After an erasure `user:12` in it leads to no name any more; but entries about accounts, and refused
sign-ins, hold the login name of their time (docs/security/data.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.audit.models import AuditEntry
from sentrikat.domain.errors import Conflict
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import accounts, api_keys, throttle, web_sessions
from sentrikat.identity.models import (
    ApiKey,
    HalfOpenSignIn,
    IdentityProvider,
    Membership,
    Organization,
    PasswordReset,
    RecoveryCode,
    SecurityNotice,
    SignInAttempt,
    StoredRole,
    TotpFactor,
    UserAccount,
    WebSession,
)
from sentrikat.identity.queries import HELD_ROLE
from sentrikat.identity.saml.models import SamlSession

_INSTALLATION = 0  # the chain of what concerns no organization
_AT_ONCE = 500  # entries of the log that are held in memory


def export(session: Session, user: UserAccount, entered: Collection[int] | None) -> Iterator[bytes]:
    """Yield one JSON document of everything kept about a person; never a secret, nor the hash of one.

    Of the log, entries of the installation and of the organizations `entered` (None: all): whoever left an
    organization has no claim to what it runs. What others did to the account is told without their addresses.
    """
    yield b'{"account":' + _json(_account(session, user))
    for name, query in _kept(user).items():
        rows = [dict(row._mapping) for row in session.execute(query)]  # noqa: SLF001 - SQLAlchemy's own way to a mapping
        yield b',\n"' + name.encode() + b'":' + _json(rows)
    yield b',\n"log":['
    own = f"user:{user.id}"
    query = (
        select(AuditEntry)
        .where(
            or_(AuditEntry.actor == own, AuditEntry.object == own, AuditEntry.object == f"login:{user.login}")
        )
        .order_by(AuditEntry.id)
    )
    if entered is not None:
        query = query.where(AuditEntry.organization_id.in_([_INSTALLATION, *entered]))
    before = b"\n"
    for entry in session.scalars(query.execution_options(yield_per=_AT_ONCE)):
        told = {
            "at": entry.at,
            "organization_id": entry.organization_id or None,
            "actor": entry.actor,
            "action": entry.action,
            "object": entry.object,
            "address": entry.address if entry.actor == own else None,
            "detail": entry.detail,
        }
        yield before + _json(told)
        before = b",\n"
    yield b"\n]}\n"


def erase(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> str:
    """Take a person out of their account, for good; give the name that stands there instead.

    One transaction with its entries in the log, which no longer hold the name.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    if accounts.is_erased(user):
        raise Conflict(
            f"Nothing was erased: “{user.login}” is an erased account.", hint="Nothing was changed."
        )
    if caller.actor == f"user:{user.id}":
        raise Conflict(
            f"The account “{user.login}” was not erased: it is your own.",
            hint="Another installation administrator can do it. Nothing was changed.",
        )
    if user.installation_admin and user.disabled_at is None:
        accounts.require_another_administrator(session, user, "erased")
    login, pseudonym = user.login, accounts.pseudonym_of(user.id)
    subjects = (throttle.login_subject(login), throttle.factor_subject(user.id))
    installation = replace(caller, organization_id=_INSTALLATION)
    _end_tokens(session, caller, user, pseudonym, now)
    for organization_id in session.scalars(
        delete(Membership).where(Membership.user_id == user.id).returning(Membership.organization_id)
    ).all():
        there = replace(caller, organization_id=organization_id)
        record(session, there, "membership.removed", f"user:{user.id}", {"login": pseudonym}, now=now)
    web_sessions.end_all(session, user.id)
    for table in (TotpFactor, RecoveryCode, PasswordReset, SamlSession, SecurityNotice):
        session.execute(delete(table).where(table.user_id == user.id))
    session.execute(delete(SecurityNotice).where(SecurityNotice.login == login))
    session.execute(delete(SignInAttempt).where(SignInAttempt.subject.in_(subjects)))
    session.execute(
        update(UserAccount)
        .where(UserAccount.id == user.id)
        .values(
            login=pseudonym,
            display_name=f"Erased person {user.id}",
            email=None,
            password_hash=None,
            password_changed_at=now,
            must_change_password=False,
            installation_admin=False,
            admin_by_rule=False,
            break_glass=False,
            disabled_at=now,
            last_sign_in_at=None,
            provider_id=None,
            external_id=None,
        )
    )
    record(session, installation, "account.erased", f"user:{user.id}", {"login": pseudonym}, now=now)
    session.refresh(user)
    return pseudonym


def _end_tokens(session: Session, caller: Caller, user: UserAccount, pseudonym: str, now: datetime) -> None:
    """Revoke a person's tokens, and take out of them what they called them and where they used them."""
    for token in session.scalars(select(ApiKey).where(ApiKey.user_id == user.id).with_for_update()):
        token.name, token.networks, token.last_used_from = f"token of {pseudonym}", [], None
        api_keys.end_key(session, replace(caller, organization_id=token.organization_id), token, now)


def _account(session: Session, user: UserAccount) -> dict[str, Any]:
    provider = session.get(IdentityProvider, user.provider_id) if user.provider_id is not None else None
    factor = session.get(TotpFactor, user.id)
    return {
        "id": user.id,
        "login": user.login,
        "display_name": user.display_name,
        "email": user.email,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
        "last_sign_in_at": user.last_sign_in_at,
        "password_changed_at": user.password_changed_at,
        "installation_admin": user.installation_admin,
        "break_glass": user.break_glass,
        "identity_provider": provider.name if provider is not None else None,
        "name_at_provider": user.external_id,
        "second_factor_since": factor.created_at if factor is not None else None,
    }


def _kept(user: UserAccount) -> dict[str, Select[*tuple[Any, ...]]]:
    """Give what is read for each part of the document; secrets and their hashes are not among the columns."""
    return {
        "memberships": select(
            Organization.slug,
            Organization.name,
            func.coalesce(StoredRole.name, Membership.role).label("role"),
            Membership.created_at,
        )
        .join(Membership, Membership.organization_id == Organization.id)
        .outerjoin(StoredRole, HELD_ROLE)
        .where(Membership.user_id == user.id)
        .order_by(Organization.slug),
        "sessions": select(
            WebSession.created_at,
            WebSession.last_used_at,
            WebSession.expires_at,
            WebSession.address,
            WebSession.user_agent,
            WebSession.method,
            WebSession.factor,
        )
        .where(WebSession.user_id == user.id)
        .order_by(WebSession.id),
        "sign_ins_left_half_open": select(
            HalfOpenSignIn.created_at,
            HalfOpenSignIn.expires_at,
            HalfOpenSignIn.address,
            HalfOpenSignIn.user_agent,
            HalfOpenSignIn.method,
        )
        .where(HalfOpenSignIn.user_id == user.id)
        .order_by(HalfOpenSignIn.id),
        "sessions_at_providers": select(
            SamlSession.name_id, SamlSession.session_index, SamlSession.created_at, SamlSession.expires_at
        )
        .where(SamlSession.user_id == user.id)
        .order_by(SamlSession.id),
        "tokens": select(
            ApiKey.organization_id,
            ApiKey.name,
            ApiKey.prefix,
            ApiKey.scopes,
            ApiKey.networks,
            ApiKey.created_at,
            ApiKey.expires_at,
            ApiKey.revoked_at,
            ApiKey.last_used_at,
            ApiKey.last_used_from,
        )
        .where(ApiKey.user_id == user.id)
        .order_by(ApiKey.id),
        "recovery_codes": select(RecoveryCode.used_at).where(RecoveryCode.user_id == user.id),
        "mailed_links": select(PasswordReset.expires_at).where(PasswordReset.user_id == user.id),
        "notices": select(SecurityNotice.kind, SecurityNotice.address, SecurityNotice.at)
        .where(SecurityNotice.login == user.login)
        .order_by(SecurityNotice.id),
        "failed_attempts": select(SignInAttempt.at)
        .where(SignInAttempt.subject == throttle.login_subject(user.login))
        .order_by(SignInAttempt.id),
    }


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)
