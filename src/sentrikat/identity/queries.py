"""Read organizations, accounts and keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.domain.permissions import Role
from sentrikat.identity.models import ApiKey, Membership, Organization, UserAccount, WebSession

PAGE = 200  # no list is longer than this


class OrganizationRow(NamedTuple):
    """An organization, and what a person is in it (None: installation administrator only)."""

    id: int
    slug: str
    name: str
    time_zone: str
    role: Role | None = None


class AccountRow(NamedTuple):
    """An account, for a list."""

    id: int
    login: str
    display_name: str
    installation_admin: bool
    disabled_at: datetime | None
    last_sign_in_at: datetime | None


class KeyRow(NamedTuple):
    """A key, for a list; never its secret."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class SessionRow(NamedTuple):
    """A signed-in browser, for its owner."""

    id: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None


def organizations_of(session: Session, user_id: int, *, installation_admin: bool) -> list[OrganizationRow]:
    """Give the organizations a person may enter, in order of name."""
    query = (
        select(Organization.id, Organization.slug, Organization.name, Organization.time_zone, Membership.role)
        .join(
            Membership,
            (Membership.organization_id == Organization.id) & (Membership.user_id == user_id),
            isouter=installation_admin,
        )
        .order_by(Organization.name, Organization.id)
        .limit(PAGE)
    )
    return [
        OrganizationRow(row.id, row.slug, row.name, row.time_zone, Role(row.role) if row.role else None)
        for row in session.execute(query)
    ]


def list_organizations(session: Session) -> list[OrganizationRow]:
    """Give all organizations."""
    query = select(Organization.id, Organization.slug, Organization.name, Organization.time_zone)
    return [OrganizationRow(*row) for row in session.execute(query.order_by(Organization.slug).limit(PAGE))]


def list_accounts(session: Session) -> list[AccountRow]:
    """Give all accounts."""
    query = select(
        UserAccount.id,
        UserAccount.login,
        UserAccount.display_name,
        UserAccount.installation_admin,
        UserAccount.disabled_at,
        UserAccount.last_sign_in_at,
    )
    return [AccountRow(*row) for row in session.execute(query.order_by(UserAccount.login).limit(PAGE))]


def list_keys(
    session: Session, organization_id: int, *, before: int | None = None, limit: int = PAGE
) -> Sequence[KeyRow]:
    """Give an organization's keys, the newest first."""
    query = (
        select(
            ApiKey.id,
            ApiKey.name,
            ApiKey.prefix,
            ApiKey.scopes,
            ApiKey.created_at,
            ApiKey.expires_at,
            ApiKey.revoked_at,
            ApiKey.last_used_at,
        )
        .where(ApiKey.organization_id == organization_id)
        .order_by(ApiKey.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(ApiKey.id < before)
    return [KeyRow(*row) for row in session.execute(query)]


def list_sessions(session: Session, user_id: int) -> list[SessionRow]:
    """Give the signed-in browsers of a person, the latest first."""
    query = (
        select(
            WebSession.id,
            WebSession.created_at,
            WebSession.last_used_at,
            WebSession.expires_at,
            WebSession.address,
            WebSession.user_agent,
        )
        .where(WebSession.user_id == user_id)
        .order_by(WebSession.last_used_at.desc())
        .limit(PAGE)
    )
    return [SessionRow(*row) for row in session.execute(query)]
