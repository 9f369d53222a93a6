"""Read organizations, accounts and keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from sentrikat.domain.permissions import CustomRole, MemberRole, Role, administers, chosen_permissions
from sentrikat.identity.models import (
    ApiKey,
    Membership,
    Organization,
    StoredRole,
    UserAccount,
    WebSession,
)

PAGE = 200  # no list is longer than this
MOST_CHOICES = 2_000  # to choose from in a form, where there are no pages


class OrganizationRow(NamedTuple):
    """An organization, and what a person is in it (None: installation administrator only)."""

    id: int
    slug: str
    name: str
    time_zone: str
    role: MemberRole | None = None


class AccountRow(NamedTuple):
    """An account, for a list."""

    id: int
    login: str
    display_name: str
    installation_admin: bool
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    must_change_password: bool
    organizations: int
    sessions: int


class MemberRow(NamedTuple):
    """A member of an organization, for a list."""

    user_id: int
    login: str
    display_name: str
    role: MemberRole
    since: datetime
    disabled_at: datetime | None
    last_sign_in_at: datetime | None


class KeyRow(NamedTuple):
    """A key, for a list; never its secret."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    networks: list[str]
    max_assets: int | None
    user_id: int | None  # of a person's token
    owner: str | None  # their login name; None for a former member as well
    rotated_from: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None


class SessionRow(NamedTuple):
    """A signed-in browser, for its owner."""

    id: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None
    method: str
    factor: str | None


# What a membership says of its role; a query that selects it joins `HELD_ROLE` besides, and reads it by `role_in`.
ROLE_COLUMNS = (
    Membership.role,
    StoredRole.id.label("custom_id"),
    StoredRole.name.label("custom_name"),
    StoredRole.permissions.label("custom_permissions"),
)
HELD_ROLE: ColumnElement[bool] = (StoredRole.organization_id == Membership.organization_id) & (
    StoredRole.id == Membership.custom_role_id
)


def role_in(row: Row[*tuple[Any, ...]]) -> MemberRole | None:
    """Give the role in a row with `ROLE_COLUMNS`; None where there is no membership."""
    if row.custom_id is not None:
        return CustomRole(row.custom_id, row.custom_name, chosen_permissions(row.custom_permissions))
    return Role(row.role) if row.role is not None else None


def _organizations_of(*, installation_admin: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(Organization.id, Organization.slug, Organization.name, Organization.time_zone, *ROLE_COLUMNS)
        .join(
            Membership,
            (Membership.organization_id == Organization.id) & (Membership.user_id == bindparam("user_id")),
            isouter=installation_admin,
        )
        .outerjoin(StoredRole, HELD_ROLE)
        .order_by(Organization.name, Organization.id)
        .limit(PAGE)
    )


# Asked at every request: put together once.
_ENTERED = {everywhere: _organizations_of(installation_admin=everywhere) for everywhere in (False, True)}


def organizations_of(session: Session, user_id: int, *, installation_admin: bool) -> list[OrganizationRow]:
    """Give the organizations a person may enter, in order of name."""
    query = _ENTERED[installation_admin]
    return [
        OrganizationRow(row.id, row.slug, row.name, row.time_zone, role_in(row))
        for row in session.execute(query, {"user_id": user_id})
    ]


def is_administrator_somewhere(session: Session, user_id: int) -> bool:
    """Say whether a person administers an organization."""
    query = (
        select(*ROLE_COLUMNS)
        .select_from(Membership)
        .outerjoin(StoredRole, HELD_ROLE)
        .where(Membership.user_id == user_id)
    )
    return any(administers(role_in(row)) for row in session.execute(query))


def list_organizations(
    session: Session, *, after: str | None = None, limit: int = PAGE
) -> list[OrganizationRow]:
    """Give organizations in order of their short names, from the one after `after`."""
    query = select(Organization.id, Organization.slug, Organization.name, Organization.time_zone)
    if after is not None:
        query = query.where(Organization.slug > after)
    return [OrganizationRow(*row) for row in session.execute(query.order_by(Organization.slug).limit(limit))]


def list_accounts(session: Session, *, after: str | None = None, limit: int = PAGE) -> list[AccountRow]:
    """Give accounts in order of their login names, from the one after `after`."""
    query = select(
        UserAccount.id,
        UserAccount.login,
        UserAccount.display_name,
        UserAccount.installation_admin,
        UserAccount.disabled_at,
        UserAccount.last_sign_in_at,
        UserAccount.must_change_password,
        select(func.count())
        .select_from(Membership)
        .where(Membership.user_id == UserAccount.id)
        .scalar_subquery(),
        select(func.count())
        .select_from(WebSession)
        .where(WebSession.user_id == UserAccount.id)
        .scalar_subquery(),
    )
    if after is not None:
        query = query.where(UserAccount.login > after)
    return [AccountRow(*row) for row in session.execute(query.order_by(UserAccount.login).limit(limit))]


def list_members(
    session: Session, organization_id: int, *, after: str | None = None, limit: int = PAGE
) -> list[MemberRow]:
    """Give an organization's members in order of their login names, from the one after `after`."""
    query = (
        select(
            UserAccount.id,
            UserAccount.login,
            UserAccount.display_name,
            Membership.created_at,
            UserAccount.disabled_at,
            UserAccount.last_sign_in_at,
            *ROLE_COLUMNS,
        )
        .join(Membership, Membership.user_id == UserAccount.id)
        .outerjoin(StoredRole, HELD_ROLE)
        .where(Membership.organization_id == organization_id)
        .order_by(UserAccount.login)
        .limit(limit)
    )
    if after is not None:
        query = query.where(UserAccount.login > after)
    found = []
    for row in session.execute(query):
        role = role_in(row)
        assert role is not None  # the column is never empty
        found.append(
            MemberRow(
                row.id,
                row.login,
                row.display_name,
                role,
                row.created_at,
                row.disabled_at,
                row.last_sign_in_at,
            )
        )
    return found


def list_keys(
    session: Session,
    organization_id: int,
    *,
    owner: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> Sequence[KeyRow]:
    """Give an organization's keys, the newest first; with `owner` that person's tokens alone."""
    query = (
        select(
            ApiKey.id,
            ApiKey.name,
            ApiKey.prefix,
            ApiKey.scopes,
            ApiKey.networks,
            ApiKey.max_assets,
            ApiKey.user_id,
            UserAccount.login,
            ApiKey.rotated_from,
            ApiKey.created_at,
            ApiKey.expires_at,
            ApiKey.revoked_at,
            ApiKey.last_used_at,
            ApiKey.last_used_from,
        )
        .outerjoin(UserAccount, UserAccount.id == ApiKey.user_id)
        .where(ApiKey.organization_id == organization_id)
        .order_by(ApiKey.id.desc())
        .limit(limit)
    )
    if owner is not None:
        query = query.where(ApiKey.user_id == owner)
    if before is not None:
        query = query.where(ApiKey.id < before)
    return [KeyRow._make(row) for row in session.execute(query)]


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
            WebSession.method,
            WebSession.factor,
        )
        .where(WebSession.user_id == user_id)
        .order_by(WebSession.last_used_at.desc())
        .limit(PAGE)
    )
    return [SessionRow(*row) for row in session.execute(query)]
