"""Roles that an organization makes for itself, from the permissions of an organization.

Everything here is about the caller's own organization, and under the lock that changes of its members take: what a
role lets people do is read and written by one at a time. Nobody makes, changes or deletes a role that lets people do
more than they may themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import (
    CHOOSABLE,
    CUSTOM,
    Caller,
    CustomRole,
    MemberRole,
    Permission,
    Role,
    chosen_permissions,
)
from sentrikat.identity.models import Membership, StoredRole
from sentrikat.identity.one_line import one_line
from sentrikat.infra.database.locks import advisory_lock

MOST_ROLES = 50  # of one organization: each is offered for each member
LONGEST_NAME = 60
LONGEST_DESCRIPTION = 500
_TAKEN_WORDS = frozenset({*Role, CUSTOM, "installation administrator"})


class RoleRow(NamedTuple):
    """A role of the organization's own, for a list."""

    id: int
    name: str
    description: str
    permissions: frozenset[Permission]
    members: int
    created_at: datetime

    @property
    def role(self) -> CustomRole:
        """Give the role as a member holds it."""
        return CustomRole(self.id, self.name, self.permissions)


def create_role(
    session: Session,
    caller: Caller,
    *,
    name: str,
    description: str = "",
    permissions: Collection[str],
    now: datetime,
) -> RoleRow:
    """Make a role. Nobody holds it yet."""
    caller.require(Permission.MEMBERS_MANAGE)
    undone = "The role was not created"
    name, description = _name(name, undone), _description(description, undone)
    chosen = _chosen(permissions, undone)
    caller.require_own(chosen, undone, "it")
    lock_members(session, caller)
    _require_free(session, caller, name, undone)
    held = session.scalar(select(func.count()).where(StoredRole.organization_id == caller.organization_id))
    if held is not None and held >= MOST_ROLES:
        raise Conflict(
            f"{undone}: the organization has {held} roles of its own, and {MOST_ROLES} are the most.",
            hint="Delete one that nobody needs. Nothing was changed.",
            code="too_many_roles",
        )
    stored = StoredRole(
        organization_id=caller.organization_id,
        name=name,
        folded_name=folded(name),
        description=description,
        permissions=sorted(chosen),
        created_at=now,
    )
    session.add(stored)
    session.flush()
    detail = {"name": name, "description": description, "permissions": sorted(chosen)}
    record(session, caller, "role.created", f"role:{stored.id}", detail, now=now)
    return RoleRow(stored.id, name, description, chosen, 0, now)


def change_role(
    session: Session,
    caller: Caller,
    role_id: int,
    *,
    name: str | None = None,
    description: str | None = None,
    permissions: Collection[str] | None = None,
    now: datetime,
) -> RoleRow:
    """Change what is given of a role; it counts from the next click of its members."""
    caller.require(Permission.MEMBERS_MANAGE)
    lock_members(session, caller)
    before, stored = _of_organization(session, caller, role_id)
    undone = f"The role “{before.name}” was not changed"
    after = before._replace(
        name=before.name if name is None else _name(name, undone),
        description=before.description if description is None else _description(description, undone),
        permissions=before.permissions if permissions is None else _chosen(permissions, undone),
    )
    caller.require_own(before.permissions, undone, "it")
    caller.require_own(after.permissions, undone, "it then")
    changed = [
        field
        for field in ("name", "description", "permissions")
        if _plain(before, field) != _plain(after, field)
    ]
    if not changed:
        return before
    if "name" in changed:
        _require_free(session, caller, after.name, undone, but=role_id)
        stored.name, stored.folded_name = after.name, folded(after.name)
    stored.description = after.description
    if "permissions" in changed:
        stored.permissions = sorted(after.permissions)
    session.flush()
    detail = {"name": after.name} | {field: _plain(after, field) for field in changed}
    detail |= {f"{field}_before": _plain(before, field) for field in changed}
    record(session, caller, "role.changed", f"role:{role_id}", detail, now=now)
    return after


def delete_role(session: Session, caller: Caller, role_id: int, *, now: datetime) -> None:
    """Delete a role that nobody holds."""
    caller.require(Permission.MEMBERS_MANAGE)
    lock_members(session, caller)
    before, stored = _of_organization(session, caller, role_id)
    undone = f"The role “{before.name}” was not deleted"
    caller.require_own(before.permissions, undone, "it")
    if before.members:
        held_by = "one member holds it" if before.members == 1 else f"{before.members} members hold it"
        raise Conflict(
            f"{undone}: {held_by}.",
            hint="Give them another role first, under Members. Nothing was changed.",
            code="role_held",
        )
    session.delete(stored)
    session.flush()
    detail = {field: _plain(before, field) for field in ("name", "description", "permissions")}
    record(session, caller, "role.deleted", f"role:{role_id}", detail, now=now)


def access_role(session: Session, caller: Caller, role_id: int) -> RoleRow:
    """Give the role that a door names, to somebody who may see who is what."""
    caller.require(Permission.MEMBERS_READ)
    return _of_organization(session, caller, role_id)[0]


def list_roles(
    session: Session, organization_id: int, *, after: str | None = None, limit: int = MOST_ROLES
) -> list[RoleRow]:
    """Give an organization's own roles in order of their names, from the one after `after`, a folded name."""
    query = _rows(organization_id).order_by(StoredRole.folded_name).limit(limit)
    if after is not None:
        query = query.where(StoredRole.folded_name > after)
    return [_row(row) for row in session.execute(query)]


def find_role(session: Session, organization_id: int, word: str) -> MemberRole:
    """Give the role of a name: a built-in one, or one of the organization's own; InvalidInput if there is none."""
    name = folded(_one_line(word[:1000]))
    if name in set(Role):
        return Role(name)
    query = select(StoredRole.id, StoredRole.name, StoredRole.permissions).where(
        StoredRole.organization_id == organization_id, StoredRole.folded_name == name
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise InvalidInput(
            f"Nothing was changed: there is no role “{word[:LONGEST_NAME]}”.",
            hint=f"Roles are {', '.join(Role)}, and those of the organization's own, under Roles.",
            fields={"role": "Choose one of the roles."},
        )
    return CustomRole(row.id, row.name, chosen_permissions(row.permissions))


def present(session: Session, caller: Caller, role: MemberRole) -> MemberRole:
    """Give a role as it is now, once nobody else can change it; Conflict when it was deleted meanwhile."""
    if isinstance(role, Role):
        return role
    query = select(StoredRole.name, StoredRole.permissions).where(
        StoredRole.organization_id == caller.organization_id, StoredRole.id == role.id
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise Conflict(
            f"Nothing was changed: the role “{role.name}” is not one of this organization any more.",
            hint="Open the page of members again, and choose another one.",
        )
    return CustomRole(role.id, row.name, chosen_permissions(row.permissions))


def lock_members(session: Session, caller: Caller) -> None:
    """Keep others from changing members and roles of the organization until the end.

    Two administrators who demote each other in the same moment would both find the other.
    """
    advisory_lock(session, f"members:{caller.organization_id}")


def folded(name: str) -> str:
    """Give a name as it is compared with others: without case, in one form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _one_line(text: str) -> str:
    return one_line(unicodedata.normalize("NFKC", text))


def _name(name: str, undone: str) -> str:
    name = _one_line(name)
    wrong = None
    if not 1 <= len(name) <= LONGEST_NAME:
        wrong = f"A role needs a name of 1 to {LONGEST_NAME} characters; this one has {len(name)}."
    elif folded(name) in _TAKEN_WORDS:
        wrong = f"“{name}” means something else already."
    if wrong is not None:
        raise InvalidInput(f"{undone}. {wrong}", hint="Nothing was changed.", fields={"name": wrong})
    return name


def _description(text: str, undone: str) -> str:
    text = _one_line(text)
    if len(text) > LONGEST_DESCRIPTION:
        wrong = f"At most {LONGEST_DESCRIPTION} characters; these are {len(text)}."
        raise InvalidInput(f"{undone}. {wrong}", hint="Nothing was changed.", fields={"description": wrong})
    return text


def _chosen(words: Collection[str], undone: str) -> frozenset[Permission]:
    wrong = None
    if unknown := sorted(set(words) - {permission.value for permission in CHOOSABLE}):
        wrong = f"Not a permission that a role can be made of: {', '.join(unknown)[:200]}."
    elif not words:
        wrong = "A role needs at least one permission."
    if wrong is not None:
        raise InvalidInput(
            f"{undone}. {wrong}",
            hint=f"Permissions are: {', '.join(sorted(CHOOSABLE))}. Nothing was changed.",
            fields={"permissions": wrong},
        )
    return chosen_permissions(words)


def _require_free(
    session: Session, caller: Caller, name: str, undone: str, *, but: int | None = None
) -> None:
    query = select(StoredRole.name).where(
        StoredRole.organization_id == caller.organization_id, StoredRole.folded_name == folded(name)
    )
    if but is not None:
        query = query.where(StoredRole.id != but)
    taken = session.scalar(query)
    if taken is not None:
        raise Conflict(
            f"{undone}: the organization has a role “{taken}” already.",
            hint="Choose another name. Nothing was changed.",
            fields={"name": f"There is a role “{taken}” already."},
        )


def _rows(organization_id: int) -> Select[StoredRole, int]:
    members = (
        select(func.count())
        .where(Membership.organization_id == organization_id, Membership.custom_role_id == StoredRole.id)
        .scalar_subquery()
    )
    return select(StoredRole, members).where(StoredRole.organization_id == organization_id)


def _row(row: Row[StoredRole, int]) -> RoleRow:
    stored, members = row
    return RoleRow(
        stored.id,
        stored.name,
        stored.description,
        chosen_permissions(stored.permissions),
        members,
        stored.created_at,
    )


def _of_organization(session: Session, caller: Caller, role_id: int) -> tuple[RoleRow, StoredRole]:
    query = _rows(caller.organization_id).where(StoredRole.id == role_id)
    row = session.execute(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no role {role_id} in this organization.",
            hint="It may have been deleted meanwhile. Nothing was changed.",
        )
    return _row(row), row[0]


def _plain(row: RoleRow, field: str) -> object:
    value = getattr(row, field)
    return sorted(value) if isinstance(value, frozenset) else value
