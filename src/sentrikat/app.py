"""The web server as one application: pages, API, and what stands around both."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg.errors import QueryCanceled
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentrikat.api import health
from sentrikat.api.admin import ADMIN_PREFIX, admin_app
from sentrikat.api.bodies import BodyLimit, BodyTooLarge, TakingLimit, UnsupportedMedia
from sentrikat.api.etags import Unchanged
from sentrikat.api.front_gate import FrontGate, own_hosts
from sentrikat.api.limits import RateLimitHeaders
from sentrikat.api.problems import problem_answer
from sentrikat.api.router import API_PREFIX, openapi_of
from sentrikat.api.router import router as api_router
from sentrikat.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    SentriKatError,
    Unavailable,
)
from sentrikat.identity.access import NotAuthenticated
from sentrikat.identity.budgets import TooManyRequests
from sentrikat.identity.directories import password_sources
from sentrikat.infra.clock import Clock, SystemClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import open_pepper, open_vault
from sentrikat.infra.settings import Settings
from sentrikat.infra.turns import Turns
from sentrikat.web.context import Cookies
from sentrikat.web.errors import error_page
from sentrikat.web.headers import HEADERS, SecurityHeaders
from sentrikat.web.router import router as web_router
from sentrikat.web.single_sign_on import ask_again

log = structlog.get_logger()

# The one table of what an error means over HTTP. A kind that is not named counts as the kind above it.
STATUS: dict[type[SentriKatError], int] = {
    BodyTooLarge: 413,
    UnsupportedMedia: 415,
    InvalidInput: 422,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooManyRequests: 429,
    Unavailable: 503,
    SentriKatError: 500,
}
# InvalidInput whose very form cannot be read.
_UNREADABLE = frozenset({"bad_json", "truncated", "bad_gzip", "bad_cursor"})

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


EXPORTS_AT_ONCE = 2  # of one process; further ones are told to come again
TAKING_SECONDS = 60.0  # for the next piece of an answer, some 64 KB: slower than any line that works


def create_app(settings: Settings, database_url: str, *, clock: Clock | None = None) -> FastAPI:
    """Return the web application on the database at `database_url`."""
    database = Database(
        database_url,
        application_name="sentrikat web",
        pool_size=settings.database_pool_size,
        statement_timeout_ms=settings.statement_timeout_ms,
    )

    # Answers of any length are read from connections of their own: whoever takes theirs slowly keeps the next export
    # waiting, and no page.
    exporting = Database(
        database_url,
        application_name="sentrikat web export",
        pool_size=EXPORTS_AT_ONCE,
        statement_timeout_ms=settings.statement_timeout_ms,
        overflow=0,
        wait_seconds=1,  # inside a thread, of which there are few
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # As many threads as connections: a request never waits for a connection inside a thread.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.database_pool_size
        yield
        exporting.close()
        database.close()

    app = FastAPI(
        title="SentriKat",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)
    app.state.settings = settings
    app.state.database = database
    app.state.sign_in_banner = settings.sign_in_banner()
    app.state.exporting = exporting
    app.state.pepper = cache(partial(open_pepper, settings))  # read, or made, when the first key is asked for
    app.state.clock = clock if clock is not None else SystemClock()
    # Two hash at once (passwords.py); the third finds the next ready. All others wait without a thread.
    app.state.hashing = Turns(3)
    # Directories apart: while one does not answer, whoever it is asked for waits, and no account of ours.
    app.state.asking = Turns(3)
    # Where a session that a SAML provider vouched for proves again whose it is, if anywhere.
    app.state.confirm_elsewhere = ask_again
    # Opened at the first secret, and then kept: an installation without any makes no key.
    app.state.vault = cache(partial(open_vault, settings))
    # Asked at every sign-in: which directories there are may change while the server runs.
    app.state.password_sources = password_sources(database, settings, app.state.clock)
    app.state.session_cookie = Cookies.named(secure=settings.secure_cookies).session
    # What the supervisor asks; load balancers should rather ask for /api/v1/health/ready.
    app.add_api_route("/healthz", health.ready, include_in_schema=False)
    app.include_router(api_router, prefix=API_PREFIX)
    app.include_router(web_router, include_in_schema=False)
    if settings.admin_api_key is not None:
        app.mount(ADMIN_PREFIX, admin_app(app.state, _ANSWERS))
    app.add_middleware(TakingLimit, seconds=TAKING_SECONDS)
    app.add_middleware(Unchanged)
    app.add_middleware(
        BodyLimit,
        largest=settings.max_request_bytes,
        largest_report=settings.max_report_bytes,
        seconds=settings.request_body_seconds,
    )
    app.add_middleware(FrontGate, hosts=own_hosts(settings), https_only=settings.secure_cookies)
    app.add_middleware(SecurityHeaders, https=settings.secure_cookies)
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(RequestId)
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]  # FastAPI's own way to replace it
    return app


class RequestId:
    """Name every request, in its answer and in every log line it causes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        # A name from outside is kept when it is harmless, so that a proxy's log and ours meet.
        name = given.decode() if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=name):
            await self._app(scope, receive, named)


def status_of(error: SentriKatError) -> int:
    """Give the HTTP status of an error."""
    if error.code in _UNREADABLE:
        return 400
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def _answer(
    request: Request, status: int, error: SentriKatError, headers: Mapping[str, str] | None = None
) -> Response:
    request_id = getattr(request.state, "request_id", None)
    if request.url.path.startswith("/api/"):
        return problem_answer(status, error, request_id=request_id, headers=headers)
    return error_page(request, status, error, request_id=request_id, headers=headers)


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, SentriKatError)
    headers = error.headers if isinstance(error, TooManyRequests) else None
    return _answer(request, status_of(error), error, headers)


def _http(request: Request, error: Exception) -> Response:
    """Word the framework's own refusals: no such address, wrong method, unreadable body."""
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.url.path
    match status:
        case 404:
            known: SentriKatError = NotFound(f"There is nothing at {path}.", hint="Check the address.")
        case 405:
            log.info("method not served", path=path, method=request.method)
            known = SentriKatError(f"{path} does not take {request.method}.", code="method_not_allowed")
        case 413:
            known = BodyTooLarge(error.detail, hint="Nothing was changed.")
        case _:
            known = InvalidInput(
                error.detail or HTTPStatus(status).phrase, hint="Nothing was changed.", code="bad_request"
            )
    return _answer(request, status, known, error.headers)


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        known = InvalidInput(
            "The request was not accepted: its body is not JSON.",
            hint="Nothing was changed.",
            code="bad_json",
            fields={"body": str(problems[0].get("ctx", {}).get("error", "not JSON"))},
        )
        return _answer(request, 400, known)
    if not request.url.path.startswith("/api/"):
        return _wrong_address(request, problems)
    fields = {".".join(str(part) for part in problem["loc"]): problem["msg"] for problem in problems[:50]}
    named = ", ".join(f"{path}: {message}" for path, message in list(fields.items())[:3])
    known = InvalidInput(
        f"The request was not accepted: {named}.",
        hint="Nothing was changed.",
        code="validation",
        fields=fields,
    )
    return _answer(request, 422, known)


def _wrong_address(request: Request, problems: Sequence[Any]) -> Response:
    """Word what is wrong with the address of a page: its parts have no names for people, its questions do."""
    if any(problem["loc"][0] == "path" for problem in problems):
        return _answer(
            request, 404, NotFound(f"There is nothing at {request.url.path}.", hint="Check the address.")
        )
    fields = {str(problem["loc"][-1]): str(problem["msg"]) for problem in problems[:50]}
    given = "; ".join(
        f"“{str(problem.get('input'))[:60]}” is no value of “{problem['loc'][-1]}”"
        for problem in problems[:3]
    )
    known = InvalidInput(
        f"The page was not shown: in its address {given}.",
        hint="Choose the filter on the page itself. Nothing was changed.",
        code="validation",
        fields=fields,
    )
    return _answer(request, 422, known)


def _database_trouble(request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and isinstance(error.orig, QueryCanceled):
        log.warning("statement timed out", path=request.url.path)
        slow = Unavailable(
            "The answer took too long to put together and was given up.",
            hint="Narrow the list with filters, or try again later. Nothing was changed.",
            code="too_slow",
        )
        return _answer(request, 503, slow, {"Retry-After": "30"})
    if isinstance(error, DataError):
        # A number beyond 64 bits or a zero character: nothing stored can be meant by it.
        log.warning("value the database cannot hold", path=request.url.path, error=str(error.orig))
        unfit = InvalidInput(
            "The request was not accepted: it holds a number or a character that cannot be stored.",
            hint="Nothing was changed.",
            code="unfit_value",
        )
        return _answer(request, 422, unfit)
    if isinstance(error, (OperationalError, PoolTimeout)):
        log.error("database unavailable", path=request.url.path, error=str(error))
        away = Unavailable(
            "The database does not answer at the moment.",
            hint="Try again in a minute. Nothing was changed.",
            code="database_unavailable",
        )
        return _answer(request, 503, away, {"Retry-After": "10"})
    return _unknown(request, error)


def _unknown(request: Request, error: Exception) -> Response:
    """Say that it was our fault; what went wrong is in the log only.

    This runs outside every middleware, so it brings their headers itself.
    """
    log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    broken = SentriKatError(
        "Something broke on the server, and the request was not carried out.",
        hint="The administrator finds the cause in the server's log under the request named below.",
        code="internal",
    )
    request_id = getattr(request.state, "request_id", "")
    return _answer(request, 500, broken, {**HEADERS, "X-Request-ID": request_id, "Cache-Control": "no-store"})


_ANSWERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    SentriKatError: _known,
    HTTPException: _http,
    RequestValidationError: _validation,
    DBAPIError: _database_trouble,
    PoolTimeout: _database_trouble,
    Exception: _unknown,
}
