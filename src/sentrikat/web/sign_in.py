"""Sign in, sign out, change the organization that is looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from sentrikat.audit.journal import record
from sentrikat.domain.errors import NotFound
from sentrikat.identity import sign_in, web_sessions
from sentrikat.identity.access import Visit
from sentrikat.identity.admission import HalfOpen, Reason, Refused, SignedIn, Step, rules_of
from sentrikat.identity.password_reset import is_offered
from sentrikat.identity.sign_in import Attempt
from sentrikat.web.context import (
    Form,
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
    turns_to_ask,
    turns_to_hash,
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
async def submit(request: Request, now: Now, form: VisitorForm) -> Response:
    """Check the password and open a session under a new cookie.

    Hashing and asking directories have turns of their own: a directory that does not answer keeps those waiting whom
    it is asked for, and nobody whose password is known here, least of all the account for emergencies.
    """
    login, password = form.get("login", "")[:200], form.get("password", "")
    async with turns_to_hash(request).one():
        outcome = await run_in_threadpool(_check_here, request, login, password, now)
    if (
        isinstance(outcome, Attempt)
        and not outcome.right
        and (sources := await run_in_threadpool(password_sources_of, request))
    ):
        async with turns_to_ask(request).one():
            outcome = await run_in_threadpool(sign_in.ask, outcome, password, sources)
    back = own_path(form.get("next", "/"))
    return await run_in_threadpool(_answer, request, outcome, login, back, now)


def _check_here(request: Request, login: str, password: str, now: datetime) -> Attempt | Refused:
    with database_of(request).as_system() as session:
        attempt = sign_in.begin(session, login, address_of(request), now)
    if isinstance(attempt, Refused):
        return attempt
    return sign_in.check_here(attempt, password, list_file=settings_of(request).password_list_file)


def _answer(request: Request, checked: Attempt | Refused, login: str, back: str, now: datetime) -> Response:
    outcome: SignedIn | HalfOpen | Refused
    if isinstance(checked, Attempt):
        rules, arrival = rules_of(settings_of(request)), arrival_of(request, back)
        with database_of(request).as_system() as session:
            outcome = sign_in.complete(session, checked, rules, now=now, arrival=arrival)
    else:
        outcome = checked
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
        banner=request.app.state.sign_in_banner,
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
