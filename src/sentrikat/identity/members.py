"""Who is a member of an organization, and as what.

Everything here is about the caller's own organization: its number comes from the caller and never from a
request, so an administrator of one organization has no words for another. Works under the organization's
own role of the database, which sees accounts of its members only; `find_account` is the exception, and
gives nothing but an id. Nobody gives a role that lets people do more than they may themselves, and nobody takes one away.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import (
    CUSTOM,
    Caller,
    CustomRole,
    MemberRole,
    Permission,
    Role,
    permissions_of,
)
from sentrikat.identity.custom_roles import lock_members, present
from sentrikat.identity.models import Membership, StoredRole, UserAccount
from sentrikat.identity.queries import HELD_ROLE, ROLE_COLUMNS, role_in


def read_role(word: str) -> Role:
    """Read the word of a built-in role; InvalidInput names those there are."""
    try:
        return Role(word)
    except ValueError as error:
        raise InvalidInput(
            f"Nothing was changed: there is no role “{word[:50]}”.",
            hint=f"Roles are: {', '.join(Role)}.",
            fields={"role": "Choose one of the roles."},
        ) from error


def find_account(session: Session, caller: Caller, login: str) -> int:
    """Give the account that goes by a login name; needs a session that sees all accounts."""
    caller.require(Permission.MEMBERS_MANAGE)
    found = session.scalar(
        select(UserAccount.id).where(
            UserAccount.login == login.strip().casefold(), UserAccount.disabled_at.is_(None)
        )
    )
    if found is None:
        raise InvalidInput(
            f"Nobody was added: there is no account “{login.strip()[:100]}”, or it is disabled.",
            hint="An installation administrator makes accounts, under Users. Nothing was changed.",
            code="no_such_account",
            fields={"login": "There is no such account, or it is disabled."},
        )
    return found


def add_member(
    session: Session, caller: Caller, *, user_id: int, login: str, role: MemberRole, now: datetime
) -> None:
    """Let an existing account into the caller's organization."""
    caller.require(Permission.MEMBERS_MANAGE)
    if _role_of(session, caller, user_id) is not None:
        raise Conflict(
            f"“{login}” was not added: the account is a member already.",
            hint="Change its role in the list. Nothing was changed.",
        )
    put_role(session, caller, user_id=user_id, login=login, role=role, now=now)


def change_role(session: Session, caller: Caller, user_id: int, role: MemberRole, *, now: datetime) -> None:
    """Give a member another role; it counts from their next click."""
    caller.require(Permission.MEMBERS_MANAGE)
    put_role(session, caller, user_id=user_id, login=_login_of(session, caller, user_id), role=role, now=now)


def remove_member(session: Session, caller: Caller, user_id: int, *, now: datetime) -> None:
    """Take a person's membership away. The account stays; what it did stays in the log."""
    caller.require(Permission.MEMBERS_MANAGE)
    login = _login_of(session, caller, user_id)
    undone = f"“{login}” was not removed"
    lock_members(session, caller)
    before = _role_of(session, caller, user_id)
    _require_own(caller, before, undone, "their role")
    _require_by_hand(session, caller, user_id, undone)
    _require_another(session, caller, user_id, undone)
    session.execute(
        delete(Membership).where(
            Membership.organization_id == caller.organization_id, Membership.user_id == user_id
        )
    )
    record(session, caller, "membership.removed", f"user:{user_id}", {"login": login}, now=now)


def put_role(
    session: Session, caller: Caller, *, user_id: int, login: str, role: MemberRole, now: datetime
) -> None:
    """Store what an account is in the caller's organization; a role it has already is no change."""
    caller.require(Permission.MEMBERS_MANAGE)
    lock_members(session, caller)
    role = present(session, caller, role)
    before = _role_of(session, caller, user_id)
    if before == role:
        return
    undone = f"The role of “{login}” was not changed" if before is not None else f"“{login}” was not added"
    _require_own(caller, before, undone, "their role")
    _require_own(caller, role, undone, f"the role {role}")
    _require_by_hand(session, caller, user_id, undone)
    if before is Role.ADMINISTRATOR:
        _require_another(session, caller, user_id, undone)
    stored = {
        "role": CUSTOM if isinstance(role, CustomRole) else role.value,
        "custom_role_id": role.id if isinstance(role, CustomRole) else None,
    }
    session.execute(
        insert(Membership)
        .values(organization_id=caller.organization_id, user_id=user_id, created_at=now, **stored)
        .on_conflict_do_update(index_elements=[Membership.organization_id, Membership.user_id], set_=stored)
    )
    detail = {"login": login, "role": str(role)} | ({"before": str(before)} if before else {})
    record(session, caller, "membership.set", f"user:{user_id}", detail, now=now)


def _require_by_hand(session: Session, caller: Caller, user_id: int, undone: str) -> None:
    """Raise Conflict for a role that a group rule gave: the next sign-in would undo what is done here."""
    ruled = session.scalar(
        select(Membership.provider_id).where(
            Membership.organization_id == caller.organization_id, Membership.user_id == user_id
        )
    )
    if ruled is not None:
        raise Conflict(
            f"{undone}: a group rule of an identity provider gives it.",
            hint="Change the person's groups there, or have an installation administrator change the rule; to shut "
            "somebody out at once, disable the account. Nothing was changed.",
            code="role_by_rule",
        )


def _require_own(caller: Caller, role: MemberRole | None, undone: str, what: str) -> None:
    """Raise Forbidden for a role, given or taken, that lets people do what the caller may not."""
    caller.require_own(permissions_of(role, installation_admin=False), undone, what)


def _role_of(session: Session, caller: Caller, user_id: int) -> MemberRole | None:
    row = session.execute(
        select(*ROLE_COLUMNS)
        .select_from(Membership)
        .outerjoin(StoredRole, HELD_ROLE)
        .where(Membership.organization_id == caller.organization_id, Membership.user_id == user_id)
    ).one_or_none()
    return role_in(row) if row is not None else None


def _login_of(session: Session, caller: Caller, user_id: int) -> str:
    login = session.scalar(
        select(UserAccount.login)
        .join(Membership, Membership.user_id == UserAccount.id)
        .where(Membership.organization_id == caller.organization_id, UserAccount.id == user_id)
    )
    if login is None:
        raise NotFound(
            f"There is no member {user_id} in this organization.",
            hint="The account may have been removed meanwhile. Nothing was changed.",
        )
    return login


def _require_another(session: Session, caller: Caller, user_id: int, undone: str) -> None:
    """Raise Conflict when `user_id` is the last administrator who can still sign in."""
    administrators = set(
        session.scalars(
            select(Membership.user_id)
            .join(UserAccount, UserAccount.id == Membership.user_id)
            .where(
                Membership.organization_id == caller.organization_id,
                Membership.role == Role.ADMINISTRATOR.value,
                UserAccount.disabled_at.is_(None),
            )
        )
    )
    if administrators == {user_id}:
        raise Conflict(
            f"{undone}: it is the last administrator of the organization.",
            hint="Make another member administrator first. Nothing was changed.",
            code="last_administrator",
        )
