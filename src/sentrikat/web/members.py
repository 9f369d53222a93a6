"""Members of the organization, and their roles."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput, SentriKatError
from sentrikat.domain.permissions import ROLE_PERMISSIONS, MemberRole, Permission, Role, permissions_of
from sentrikat.identity import members
from sentrikat.identity.access import Visit
from sentrikat.identity.custom_roles import find_role, list_roles
from sentrikat.identity.queries import PAGE, list_members
from sentrikat.web import cursors
from sentrikat.web.context import Form, Now, TenantSession, database_of, requires
from sentrikat.web.errors import status_of_form
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/members")
Reader = Annotated[Visit, requires(Permission.MEMBERS_READ)]
Manager = Annotated[Visit, requires(Permission.MEMBERS_MANAGE, step_up=True)]


@router.get("")
def show(
    request: Request, visit: Reader, session: TenantSession, now: Now, cursor: str | None = None
) -> Response:
    """List the members."""
    return _page(request, session, visit, now, cursor=cursor)


@router.post("")
def add(request: Request, visit: Manager, session: TenantSession, now: Now, form: Form) -> Response:
    """Let an existing account into the organization."""
    login = form.get("login", "")
    try:
        role = find_role(session, visit.caller.organization_id, form.get("role", ""))
        with database_of(request).as_system() as everybody:
            user_id = members.find_account(everybody, visit.caller, login)
        members.add_member(
            session, visit.caller, user_id=user_id, login=login.strip().casefold(), role=role, now=now
        )
    except (InvalidInput, Conflict) as error:
        return _page(request, session, visit, now, error=error, form=form)
    return see_other("/members")


@router.post("/{user_id}/role")
def change_role(
    request: Request, visit: Manager, session: TenantSession, now: Now, user_id: int, form: Form
) -> Response:
    """Give a member another role."""
    try:
        role = find_role(session, visit.caller.organization_id, form.get("role", ""))
        members.change_role(session, visit.caller, user_id, role, now=now)
    except (InvalidInput, Conflict) as error:
        return _page(request, session, visit, now, error=error)
    return see_other("/members")


@router.post("/{user_id}/remove")
def remove(
    request: Request, visit: Manager, session: TenantSession, now: Now, user_id: int, _form: Form
) -> Response:
    """Take a membership away."""
    try:
        members.remove_member(session, visit.caller, user_id, now=now)
    except Conflict as error:
        return _page(request, session, visit, now, error=error)
    return see_other("/members")


def _page(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    *,
    cursor: str | None = None,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    caller = visit.caller
    may_read, may_manage = caller.may(Permission.MEMBERS_READ), caller.may(Permission.MEMBERS_MANAGE)
    position = cursors.read(cursor, "s")
    after = str(position[0]) if position else None
    # Whoever may manage and not read is told what was wrong, and nothing else.
    rows = list_members(session, caller.organization_id, after=after, limit=PAGE + 1) if may_read else []
    following = cursors.write((rows[PAGE - 1].login,)) if len(rows) > PAGE else None
    own = [row.role for row in list_roles(session, caller.organization_id)] if may_manage else []

    def within(role: MemberRole) -> bool:
        """Say whether the visitor may do all that the role lets people do, and so give and take it."""
        return may_manage and caller.holds(permissions_of(role, installation_admin=False))

    return render(
        request,
        "members.html",
        visit=visit,
        now=now,
        status=status_of_form(error),
        rows=rows[:PAGE],
        following=following,
        cursor=cursor,
        error=error,
        wrong=error.fields if error is not None else {},
        form=form or {},
        may_read=may_read,
        may_manage=may_manage,
        within={row.user_id for row in rows if within(row.role)},
        built_in=[role for role in Role if caller.holds(ROLE_PERMISSIONS[role])],
        own=[role for role in own if within(role)],
    )
