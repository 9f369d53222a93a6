"""Organizations of the installation: list, make, rename."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput, SentriKatError
from sentrikat.domain.permissions import Permission
from sentrikat.identity import organizations
from sentrikat.identity.access import Visit
from sentrikat.identity.queries import PAGE, list_organizations
from sentrikat.web import cursors
from sentrikat.web.context import Form, Now, SystemSession, database_of, requires
from sentrikat.web.errors import status_of_form
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/organizations")
Reader = Annotated[Visit, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


@router.get("")
def show(
    request: Request, visit: Reader, session: SystemSession, now: Now, cursor: str | None = None
) -> Response:
    """List the organizations."""
    return _page(request, session, visit, now, cursor=cursor)


@router.post("")
def create(request: Request, visit: Manager, now: Now, form: Form) -> Response:
    """Make an organization."""
    database = database_of(request)
    try:
        with database.as_system() as session:
            organizations.create_organization(
                session,
                visit.caller,
                name=form.get("name", ""),
                slug=form.get("slug", "").strip(),
                time_zone=form.get("time_zone", "").strip(),
                now=now,
            )
    except (InvalidInput, Conflict) as error:
        with database.as_system() as session:
            return _page(request, session, visit, now, error=error, form=form)
    return see_other("/organizations")


@router.get("/{organization_id}")
def show_one(
    request: Request, visit: Reader, session: SystemSession, now: Now, organization_id: int
) -> Response:
    """Show an organization with what can be changed about it."""
    return _one(request, session, visit, now, organization_id)


@router.post("/{organization_id}")
def change(request: Request, visit: Manager, now: Now, organization_id: int, form: Form) -> Response:
    """Rename an organization, or move it to another time zone."""
    database = database_of(request)
    try:
        with database.as_system() as session:
            organizations.change_organization(
                session,
                visit.caller,
                organization_id,
                name=form.get("name", ""),
                time_zone=form.get("time_zone", "").strip(),
                now=now,
            )
    except InvalidInput as error:
        with database.as_system() as session:
            return _one(request, session, visit, now, organization_id, error=error, form=form)
    return see_other("/organizations")


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
    position = cursors.read(cursor, "s")
    rows = list_organizations(session, after=str(position[0]) if position else None, limit=PAGE + 1)
    return render(
        request,
        "organizations.html",
        visit=visit,
        now=now,
        status=status_of_form(error),
        rows=rows[:PAGE],
        following=cursors.write((rows[PAGE - 1].slug,)) if len(rows) > PAGE else None,
        cursor=cursor,
        wrong=error.fields if error is not None else {},
        form=form or {},
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )


def _one(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    organization_id: int,
    *,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    row = organizations.access_organization(
        session, visit.caller, organization_id, Permission.INSTALLATION_READ
    )
    return render(
        request,
        "organization.html",
        visit=visit,
        now=now,
        status=200 if error is None else 422,
        row=row,
        wrong=error.fields if error is not None else {},
        form=form or {"name": row.name, "time_zone": row.time_zone},
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )
