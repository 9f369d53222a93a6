"""API keys of the organization, and tokens of the person: make one, see it once, replace it, revoke it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import KEY_SCOPES, PERMISSION_WORDS, Permission
from sentrikat.identity import api_keys
from sentrikat.identity.access import Visit
from sentrikat.identity.api_keys import Limits, Made
from sentrikat.identity.queries import KeyRow, list_keys
from sentrikat.web.context import Form, Now, TenantSession, own_address, pepper_of, requires
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter()
Reader = Annotated[Visit, requires(Permission.KEYS_READ)]
Manager = Annotated[Visit, requires(Permission.KEYS_MANAGE, step_up=True)]
Person = Annotated[Visit, requires(Permission.PROFILE)]
Proven = Annotated[Visit, requires(Permission.PROFILE, step_up=True)]

LIFETIMES = {"90": "90 days", "365": "1 year", "": "Never"}
TOKEN_LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year"}
OVERLAP = timedelta(days=7)  # of the button; the API and the command line take any up to 30 days


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a form: a key made, or what was wrong with it."""

    made: Made | None = None
    wrong: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)


NOTHING_YET = Outcome()


@router.get("/api-keys")
def show(request: Request, visit: Reader, session: TenantSession, now: Now) -> Response:
    """List the keys."""
    return _page(request, session, visit, now)


@router.post("/api-keys")
def create(request: Request, visit: Manager, session: TenantSession, now: Now, form: Form) -> Response:
    """Make a key and show it, this once."""
    try:
        made = api_keys.create_key(
            session,
            visit.caller,
            pepper=pepper_of(request),
            name=form.get("name", ""),
            scopes=api_keys.read_scopes(form.get("scopes", "").split()),
            expires_at=_end(form, LIFETIMES, now),
            limits=Limits(_networks(form), _count(form)),
            now=now,
        )
    except InvalidInput as error:
        return _page(request, session, visit, now, Outcome(wrong=error.fields, form=form))
    return _page(request, session, visit, now, Outcome(made))


@router.post("/api-keys/{key_id}/rotate")
def rotate(
    request: Request, visit: Manager, session: TenantSession, now: Now, key_id: int, _form: Form
) -> Response:
    """Make the key that takes another's place, and show it, this once."""
    made = api_keys.rotate_key(
        session, visit.caller, key_id, pepper=pepper_of(request), overlap=OVERLAP, now=now
    )
    return _page(request, session, visit, now, Outcome(made))


@router.post("/api-keys/{key_id}/revoke")
def revoke(visit: Manager, session: TenantSession, now: Now, key_id: int, _form: Form) -> Response:
    """Revoke a key."""
    api_keys.revoke_key(session, visit.caller, key_id, now=now)
    return see_other("/api-keys")


@router.get("/tokens")
def show_tokens(request: Request, visit: Person, session: TenantSession, now: Now) -> Response:
    """List one's own tokens."""
    return _page(request, session, visit, now, mine=True)


@router.post("/tokens")
def create_token(request: Request, visit: Proven, session: TenantSession, now: Now, form: Form) -> Response:
    """Make a token and show it, this once."""
    try:
        made = api_keys.create_token(
            session,
            visit.caller,
            visit.session.user_id,
            pepper=pepper_of(request),
            name=form.get("name", ""),
            scopes=api_keys.read_scopes(form.get("scopes", "").split()),
            expires_at=_end(form, TOKEN_LIFETIMES, now),
            limits=Limits(_networks(form)),
            now=now,
        )
    except InvalidInput as error:
        return _page(request, session, visit, now, Outcome(wrong=error.fields, form=form), mine=True)
    return _page(request, session, visit, now, Outcome(made), mine=True)


@router.post("/tokens/{key_id}/revoke")
def revoke_token(visit: Person, session: TenantSession, now: Now, key_id: int, _form: Form) -> Response:
    """Revoke one's own token."""
    api_keys.revoke_token(session, visit.caller, visit.session.user_id, key_id, now=now)
    return see_other("/tokens")


def key_state(row: KeyRow, now: datetime) -> str:
    """Say in a word whether a key works."""
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "in use" if row.last_used_at is not None else "not used yet"


def _end(form: dict[str, str], lifetimes: dict[str, str], now: datetime) -> datetime | None:
    days = form.get("days", "")
    if days not in lifetimes:
        raise InvalidInput("The key was not created.", fields={"days": "Choose one of the lifetimes."})
    return now + timedelta(days=int(days)) if days else None


def _networks(form: dict[str, str]) -> tuple[str, ...]:
    return tuple(form.get("networks", "").replace(",", " ").split())


def _count(form: dict[str, str]) -> int | None:
    given = form.get("max_assets", "").strip()
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        wrong = {"max_assets": f"“{given[:20]}” is not a whole number."}
        raise InvalidInput("The key was not created.", fields=wrong)
    return int(given)


def _page(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    outcome: Outcome = NOTHING_YET,
    *,
    mine: bool = False,
) -> Response:
    organization, form = visit.caller.organization_id, outcome.form
    # Whoever may manage and not read sees the key that they have just made, and no other.
    may_read = mine or visit.caller.may(Permission.KEYS_READ)
    keys = list_keys(session, organization, owner=visit.session.user_id if mine else None) if may_read else []
    offered = [scope for scope in Permission if scope in KEY_SCOPES and visit.caller.may(scope)]
    return render(
        request,
        "keys.html",
        visit=visit,
        now=now,
        status=422 if outcome.wrong else 200,
        mine=mine,
        base="/tokens" if mine else "/api-keys",
        may_read=may_read,
        keys=[(row, key_state(row, now)) for row in keys],
        made=outcome.made,
        may_manage=mine or visit.caller.may(Permission.KEYS_MANAGE),
        wrong=outcome.wrong,
        form=form,
        chosen=form.get("scopes", "" if mine else Permission.REPORT_SUBMIT.value).split(),
        scopes=[(scope.value, PERMISSION_WORDS[scope]) for scope in offered],
        lifetimes=TOKEN_LIFETIMES if mine else LIFETIMES,
        preset="90" if mine else "365",
        overlap_days=OVERLAP.days,
        address=own_address(request),
    )
