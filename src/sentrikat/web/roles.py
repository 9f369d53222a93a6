"""Roles of the organization: what each lets people do, and those the organization makes for itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput, SentriKatError
from sentrikat.domain.permissions import (
    CHOOSABLE,
    INSTALLATION_ADMINISTRATOR,
    PERMISSION_WORDS,
    ROLE_PERMISSIONS,
    ROLE_WORDS,
    Permission,
    Role,
)
from sentrikat.identity import custom_roles
from sentrikat.identity.access import Visit
from sentrikat.identity.custom_roles import RoleRow
from sentrikat.web.context import Form, Now, TenantSession, requires
from sentrikat.web.errors import status_of_form
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/roles")
Reader = Annotated[Visit, requires(Permission.MEMBERS_READ)]
Manager = Annotated[Visit, requires(Permission.MEMBERS_MANAGE, step_up=True)]


@router.get("")
def show(request: Request, visit: Reader, session: TenantSession, now: Now) -> Response:
    """Show every role."""
    return _list(request, session, visit, now)


@router.post("")
def create(request: Request, visit: Manager, session: TenantSession, now: Now, form: Form) -> Response:
    """Make a role."""
    try:
        custom_roles.create_role(
            session,
            visit.caller,
            name=form.get("name", ""),
            description=form.get("description", ""),
            permissions=form.get("permissions", "").split(),
            now=now,
        )
    except (InvalidInput, Conflict) as error:
        return _list(request, session, visit, now, error=error, form=form)
    return see_other("/roles")


@router.get("/{role_id}")
def show_one(request: Request, visit: Reader, session: TenantSession, now: Now, role_id: int) -> Response:
    """Show one of the organization's own roles."""
    row = custom_roles.access_role(session, visit.caller, role_id)
    return _one(request, visit, now, row)


@router.post("/{role_id}")
def change(
    request: Request, visit: Manager, session: TenantSession, now: Now, role_id: int, form: Form
) -> Response:
    """Change a role; it counts from the next click of its members."""
    try:
        custom_roles.change_role(
            session,
            visit.caller,
            role_id,
            name=form.get("name", ""),
            description=form.get("description", ""),
            permissions=form.get("permissions", "").split(),
            now=now,
        )
    except (InvalidInput, Conflict) as error:
        return _refused(request, session, visit, now, role_id, error, form)
    return see_other("/roles")


@router.post("/{role_id}/delete")
def delete(
    request: Request, visit: Manager, session: TenantSession, now: Now, role_id: int, _form: Form
) -> Response:
    """Delete a role that nobody holds."""
    try:
        custom_roles.delete_role(session, visit.caller, role_id, now=now)
    except Conflict as error:
        return _refused(request, session, visit, now, role_id, error, None)
    return see_other("/roles")


def role_table(own: list[RoleRow]) -> list[tuple[str, list[bool]]]:
    """Give each permission in words, and whether each role and the installation administrator hold it."""
    held_by = [
        *(ROLE_PERMISSIONS[role] for role in Role),
        *(row.permissions for row in own),
        INSTALLATION_ADMINISTRATOR,
    ]
    return [
        (words, [permission is Permission.PROFILE or permission in held for held in held_by])
        for permission, words in PERMISSION_WORDS.items()
    ]


def _list(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    *,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    # Whoever may manage and not read is told what was wrong, and nothing else.
    own = (
        custom_roles.list_roles(session, visit.caller.organization_id)
        if visit.caller.may(Permission.MEMBERS_READ)
        else []
    )
    return render(
        request,
        "custom_roles.html",
        visit=visit,
        now=now,
        status=status_of_form(error),
        own=own,
        roles=ROLE_WORDS,
        table=role_table(own),
        may_manage=visit.caller.may(Permission.MEMBERS_MANAGE),
        choices=_choices(visit),
        **_said(error, form or {}),
    )


def _one(
    request: Request,
    visit: Visit,
    now: datetime,
    row: RoleRow,
    *,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    held = {
        "name": row.name,
        "description": row.description,
        "permissions": " ".join(sorted(row.permissions)),
    }
    return render(
        request,
        "custom_role.html",
        visit=visit,
        now=now,
        status=status_of_form(error),
        row=row,
        may_change=visit.caller.may(Permission.MEMBERS_MANAGE) and visit.caller.holds(row.permissions),
        choices=_choices(visit),
        words=[words for permission, words in PERMISSION_WORDS.items() if permission in row.permissions],
        **_said(error, held if form is None else form),
    )


def _refused(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    role_id: int,
    error: SentriKatError,
    form: dict[str, str] | None,
) -> Response:
    """Show the role again with what was wrong; whoever may not read it gets the plain error."""
    if not visit.caller.may(Permission.MEMBERS_READ):
        raise error
    row = custom_roles.access_role(session, visit.caller, role_id)
    return _one(request, visit, now, row, error=error, form=form)


def _choices(visit: Visit) -> list[tuple[Permission, str]]:
    """Give what a role can be made of by this visitor: nobody gives more than they hold."""
    return [
        (permission, words)
        for permission, words in PERMISSION_WORDS.items()
        if permission in CHOOSABLE and visit.caller.may(permission)
    ]


def _said(error: SentriKatError | None, form: dict[str, str]) -> dict[str, Any]:
    return {
        "error": error,
        "wrong": error.fields if error is not None else {},
        "form": form,
        "chosen": form.get("permissions", "").split(),
        "longest_name": custom_roles.LONGEST_NAME,
    }
