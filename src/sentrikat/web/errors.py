"""Errors as pages, in the words that the API uses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from fastapi import Request, Response

from sentrikat.domain.errors import InvalidInput, SentriKatError
from sentrikat.identity.access import NotAuthenticated, StepUpRequired, Visit
from sentrikat.web.context import now_of
from sentrikat.web.rendering import render

TITLES = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Not possible now",
    413: "Too large",
    422: "Not accepted",
    429: "Too many requests",
    500: "Something broke",
    503: "Not available now",
}


def status_of_form(error: SentriKatError | None) -> int:
    """Give the status of a page with a form: shown for the first time, or again with what was wrong."""
    return 200 if error is None else 422 if isinstance(error, InvalidInput) else 409


def error_page(
    request: Request,
    status: int,
    error: SentriKatError,
    *,
    request_id: str | None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Give the page for an error; somebody who is not signed in goes to sign in and comes back."""
    if isinstance(error, NotAuthenticated):
        query = f"?{request.url.query}" if request.url.query else ""
        begun = request.url.path.startswith("/sign-in")  # pages that only a sign-in leads to
        back = request.url.path + query if request.method == "GET" and not begun else "/"
        target = "/sign-in" if back == "/" else f"/sign-in?next={quote(back, safe='')}"
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": target})
    if isinstance(error, StepUpRequired):
        # A form cannot be kept over the question: its page is shown again afterwards.
        page = urlsplit(request.headers.get("Referer", ""))
        query = f"?{page.query}" if page.query else ""
        back = request.url.path if request.method == "GET" else page.path + query
        target = f"/confirm?next={quote(back or '/', safe='')}"
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": target})
    visit: Visit | None = getattr(request.state, "visit", None)
    return render(
        request,
        "error.html",
        visit=visit,
        now=now_of(request),
        status=status,
        headers=headers,
        title=TITLES.get(status, HTTPStatus(status).phrase),
        message=error.message,
        hint=error.hint,
        code=error.code,
        request_id=request_id,
        status_code=status,
    )
