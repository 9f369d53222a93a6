"""API keys of the organization: make one, see it once, revoke it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import KEY_SCOPES, PERMISSION_WORDS, Permission
from sentrikat.identity import api_keys
from sentrikat.identity.access import Visit
from sentrikat.identity.api_keys import Made
from sentrikat.identity.queries import KeyRow, list_keys
from sentrikat.web.context import Form, Now, TenantSession, requires
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/api-keys")
Reader = Annotated[Visit, requires(Permission.KEYS_READ)]
Manager = Annotated[Visit, requires(Permission.KEYS_MANAGE, step_up=True)]

LIFETIMES = {"90": "90 days", "365": "1 year", "": "Never"}


@router.get("")
def show(request: Request, visit: Reader, session: TenantSession, now: Now) -> Response:
    """List the keys."""
    return _page(request, session, visit, now)


@router.post("")
def create(request: Request, visit: Manager, session: TenantSession, now: Now, form: Form) -> Response:
    """Make a key and show it, this once."""
    days = form.get("days", "")
    try:
        if days not in LIFETIMES:
            raise InvalidInput("The key was not created.", fields={"days": "Choose one of the lifetimes."})
        made = api_keys.create_key(
            session,
            visit.caller,
            name=form.get("name", ""),
            scopes=api_keys.read_scopes(form.get("scopes", "").split()),
            expires_at=now + timedelta(days=int(days)) if days else None,
            now=now,
        )
    except InvalidInput as error:
        return _page(request, session, visit, now, wrong=error.fields, form=form, status=422)
    return _page(request, session, visit, now, made=made)


@router.post("/{key_id}/revoke")
def revoke(visit: Manager, session: TenantSession, now: Now, key_id: int, _form: Form) -> Response:
    """Revoke a key."""
    api_keys.revoke_key(session, visit.caller, key_id, now=now)
    return see_other("/api-keys")


def key_state(row: KeyRow, now: datetime) -> str:
    """Say in a word whether a key works."""
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "in use" if row.last_used_at is not None else "not used yet"


def _page(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    *,
    made: Made | None = None,
    wrong: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    keys = list_keys(session, visit.caller.organization_id)
    return render(
        request,
        "keys.html",
        visit=visit,
        now=now,
        status=status,
        keys=[(row, key_state(row, now)) for row in keys],
        made=made,
        may_manage=visit.caller.may(Permission.KEYS_MANAGE),
        wrong=wrong or {},
        form=form or {},
        chosen=(form or {}).get("scopes", Permission.REPORT_SUBMIT.value).split(),
        scopes=[(scope.value, PERMISSION_WORDS[scope]) for scope in Permission if scope in KEY_SCOPES],
        lifetimes=LIFETIMES,
        address=str(request.base_url).rstrip("/"),
    )
