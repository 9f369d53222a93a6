"""Lost passwords: ask for a link by mail, and choose a new one with it.

The token of the link goes at once into a cookie and out of the address: no page that follows, no history and
no Referer holds it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.identity import password_reset, throttle
from sentrikat.web.context import (
    HashingTurn,
    Now,
    VisitorForm,
    address_of,
    cookies_of,
    database_of,
    new_visitor_token,
    settings_of,
)
from sentrikat.web.new_password import hashed_if_good, words_about
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter()

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_NO_REFERRER = {"Referrer-Policy": "no-referrer"}


@router.get("/forgot-password")
def show_request(request: Request, now: Now) -> Response:
    """Ask for the login name or mail address."""
    _require_offered(request)
    return _page(request, "forgot_password.html", now, asked=False, wrong=None)


@router.post("/forgot-password")
def ask(request: Request, now: Now, form: VisitorForm) -> Response:
    """Queue the mail; the same answer whoever that is."""
    _require_offered(request)
    text = form.get("login", "").strip()[:200]
    with database_of(request).as_system() as session:
        blocked = throttle.count_request(session, f"reset:{text.casefold()}", address_of(request), now)
        if blocked is None and text:
            password_reset.request(session, text, address_of(request), now)
    if blocked is not None:
        wait = {"Retry-After": str(int(blocked.retry_after.total_seconds()) + 1)}
        return _page(
            request,
            "forgot_password.html",
            now,
            asked=False,
            wrong="Too many requests. Try again later.",
            status=429,
            headers=wait,
        )
    return _page(request, "forgot_password.html", now, asked=True, wrong=None)


@router.get("/reset-password")
def show(request: Request, now: Now, token: str = "") -> Response:
    """Take the token out of the address, then ask for the new password."""
    settings, name = settings_of(request), cookies_of(request).reset
    if token:
        answer = see_other("/reset-password")
        answer.headers.update(_NO_REFERRER)
        answer.set_cookie(
            name,
            token
            if _TOKEN.fullmatch(token)
            else "-",  # no token of ours: the page says that the link is not good
            httponly=True,
            secure=settings.secure_cookies,
            samesite="lax",
            path="/",
            max_age=int(password_reset.VALID_FOR.total_seconds()),
        )
        return answer
    with database_of(request).as_system() as session:
        user = password_reset.holder(session, request.cookies.get(name), settings, now)
        login = user.login if user is not None else None
    return _reset_page(request, now, login)


@router.post("/reset-password")
def reset(request: Request, now: Now, form: VisitorForm, _turn: HashingTurn) -> Response:
    """Store the new password; every session of the account ends, and signing in is as ever."""
    settings, name = settings_of(request), cookies_of(request).reset
    token = request.cookies.get(name, "")
    with database_of(request).as_system() as session:
        user = password_reset.holder(session, token, settings, now)
        if user is not None:
            login, present, words = user.login, user.password_hash, words_about(session, user.id)
    if user is None:
        return _reset_page(request, now, None)
    try:
        hashed = hashed_if_good(
            request, form.get("new_password", ""), login=login, words=words, present=present
        )
    except InvalidInput as error:
        return _reset_page(request, now, login, wrong=error.fields, status=422)
    with database_of(request).as_system() as session:
        done = password_reset.redeem(
            session, token, settings, new_password_hash=hashed, address=address_of(request), now=now
        )
    if not done:
        return _reset_page(request, now, None)
    answer = see_other("/sign-in?changed=true")
    answer.delete_cookie(name, path="/", secure=settings.secure_cookies, httponly=True)
    return answer


def _require_offered(request: Request) -> None:
    if not password_reset.is_offered(settings_of(request)):
        raise NotFound(
            "This installation sends no mails for lost passwords.",
            hint="An installation administrator can reset your password.",
        )


def _reset_page(
    request: Request,
    now: datetime,
    login: str | None,
    *,
    wrong: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    return _page(
        request,
        "reset_password.html",
        now,
        status=status if login is not None else 410,
        login=login,
        wrong=wrong or {},
        min_length=settings_of(request).password_min_length,
        offered=password_reset.is_offered(settings_of(request)),
    )


def _page(
    request: Request,
    template: str,
    now: datetime,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> Response:
    settings, name = settings_of(request), cookies_of(request).visitor
    token = request.cookies.get(name) or new_visitor_token()
    answer = render(
        request,
        template,
        visit=None,
        now=now,
        status=status,
        headers={**_NO_REFERRER, **(headers or {})},
        token=token,
        **values,
    )
    answer.set_cookie(
        name,
        token,
        httponly=True,
        secure=settings.secure_cookies,
        samesite="lax",
        path="/",
        max_age=3600,
    )
    return answer
