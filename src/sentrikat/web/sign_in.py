"""Sign in, sign out, change the organization that is looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Request, Response

from sentrikat.audit.journal import record
from sentrikat.domain.errors import NotFound
from sentrikat.identity import sign_in, web_sessions
from sentrikat.identity.access import Visit
from sentrikat.identity.admission import HalfOpen, Reason, Refused, SignedIn, Step, rules_of
from sentrikat.identity.password_reset import is_offered
from sentrikat.web.context import (
    Form,
    HashingTurn,
    Now,
    VisitorForm,
    address_of,
    arrival_of,
    cookies_of,
    database_of,
    find_visit,
    new_visitor_token,
    password_sources_of,
    settings_of,
    signed_in,
)
from sentrikat.web.rendering import render
from sentrikat.web.single_sign_on import farewell, ways_in

router = APIRouter()

# Where each thing that is still asked is asked.
STEPS: dict[Step, str] = {
    Step.SECOND_FACTOR: "/sign-in/second-factor",
    Step.ENROLLMENT: "/sign-in/set-up",
    Step.NEW_PASSWORD: "/sign-in/new-password",
}

# What stands in a path as it is. Other letters are written out: a header of an answer cannot hold them.
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@router.get("/sign-in")
def show(request: Request, now: Now, next: str = "/", changed: bool = False) -> Response:  # noqa: A002 - the name in the address
    """Show the form, or go on when somebody is signed in already."""
    if find_visit(request) is not None:
        return see_other(own_path(next))
    return _form(request, now, next_path=own_path(next), changed=changed)


@router.post("/sign-in")
def submit(request: Request, now: Now, form: VisitorForm, _turn: HashingTurn) -> Response:
    """Check the password and open a session under a new cookie."""
    login, back = form.get("login", "")[:200], own_path(form.get("next", "/"))
    outcome = _sign_in(request, login, form.get("password", ""), back, now)
    if isinstance(outcome, Refused):
        throttled = outcome.reason is Reason.THROTTLED
        retry = {"Retry-After": str(int(outcome.retry_after.total_seconds()) + 1)} if throttled else None
        return _form(
            request,
            now,
            next_path=back,
            login=login,
            sentence=outcome.sentence,
            status=429 if throttled else 401,
            headers=retry,
        )
    return enter(request, outcome)


def enter(request: Request, outcome: SignedIn | HalfOpen) -> Response:
    """Let the browser in under a new cookie, or lead it to what is still asked."""
    settings, cookies = settings_of(request), cookies_of(request)
    secure = settings.secure_cookies
    if isinstance(outcome, HalfOpen):
        answer = see_other(STEPS[outcome.step])
        answer.set_cookie(
            cookies.half_open, outcome.token, httponly=True, secure=secure, samesite="lax", path="/"
        )
        return answer
    old = request.cookies.get(cookies.session)
    if old:
        with database_of(request).as_system() as session:
            web_sessions.end(session, old)
    answer = with_session(request, see_other(own_path(outcome.next_path)), outcome.session.token)
    for done in (cookies.visitor, cookies.half_open):
        answer.delete_cookie(done, path="/", secure=secure, httponly=True)
    return answer


def with_session(request: Request, answer: Response, token: str) -> Response:
    """Put a session's token into the answer."""
    secure = settings_of(request).secure_cookies
    name = cookies_of(request).session
    answer.set_cookie(name, token, httponly=True, secure=secure, samesite="lax", path="/")
    return answer


@router.post("/sign-out")
def sign_out(
    request: Request, now: Now, visit: Annotated[Visit, Depends(signed_in)], _form: Form
) -> Response:
    """End the session."""
    cookies = cookies_of(request)
    with database_of(request).as_system() as session:
        parting = farewell(request, session, visit, now)
        web_sessions.end(session, request.cookies[cookies.session])
        record(session, visit.caller, "sign_out", visit.caller.actor, now=now)
    answer = parting or see_other("/sign-in")
    answer.delete_cookie(cookies.session, path="/", secure=settings_of(request).secure_cookies, httponly=True)
    return answer


@router.post("/organization")
def look_at(request: Request, visit: Annotated[Visit, Depends(signed_in)], form: Form) -> Response:
    """Look at another organization, one of those the person may enter."""
    wanted = form.get("organization", "")
    chosen = next((o for o in visit.organizations if str(o.id) == wanted), None)
    if chosen is None:
        raise NotFound("There is no such organization.", hint="You may not be a member of it any more.")
    with database_of(request).as_system() as session:
        web_sessions.look_at(session, visit.session.id, chosen.id)
    return see_other(own_path(form.get("next", "/")))


def see_other(path: str) -> Response:
    """Send the browser to one of our pages."""
    return Response(status_code=303, headers={"Location": path})


def own_path(path: str) -> str:
    """Give `path` if it is a path of ours, else the overview: a link must not lead elsewhere after sign-in."""
    try:
        parts = urlsplit(path)
    except ValueError:  # //[ begins an address of IPv6 that does not end
        return "/"
    unfit = parts.scheme or parts.netloc or not path.startswith("/") or path.startswith(("//", "/\\"))
    if unfit or any(character < " " or character in "\\\x7f" for character in path):
        return "/"
    return quote(path, safe=_ASCII, errors="replace")


def _sign_in(
    request: Request, login: str, password: str, back: str, now: datetime
) -> SignedIn | HalfOpen | Refused:
    database = database_of(request)
    with database.as_system() as session:
        attempt = sign_in.begin(session, login, address_of(request), now)
    if isinstance(attempt, Refused):
        return attempt
    listed = settings_of(request).password_list_file
    checked = sign_in.check(attempt, password, password_sources_of(request), list_file=listed)
    with database.as_system() as session:
        return sign_in.complete(
            session, checked, rules_of(settings_of(request)), now=now, arrival=arrival_of(request, back)
        )


def _form(
    request: Request,
    now: datetime,
    *,
    next_path: str,
    login: str = "",
    sentence: str | None = None,
    changed: bool = False,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    settings, cookies = settings_of(request), cookies_of(request)
    token = request.cookies.get(cookies.visitor) or new_visitor_token()
    answer = render(
        request,
        "sign_in.html",
        visit=None,
        now=now,
        status=status,
        headers=headers,
        token=token,
        next=next_path,
        login=login,
        sentence=sentence,
        ways_in=ways_in(request),
        changed=changed,
        resets=is_offered(settings),
    )
    answer.set_cookie(
        cookies.visitor,
        token,
        httponly=True,
        secure=settings.secure_cookies,
        samesite="lax",
        path="/",
        max_age=3600,
    )
    return answer
