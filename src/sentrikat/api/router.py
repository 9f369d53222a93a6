"""Every route of the API, and its description as OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from sentrikat.api import (
    assets,
    audit,
    bundles,
    feeds,
    findings,
    health,
    identification,
    identity_providers,
    keys,
    me,
    members,
    organizations,
    possible,
    reports,
    roles,
    sessions,
    tokens,
    users,
    vulnerabilities,
)
from sentrikat.api.answers import json
from sentrikat.api.context import asks_step_up, authenticate, permission_of
from sentrikat.api.problems import Problem
from sentrikat.domain.permissions import PERMISSION_WORDS, Permission

API_PREFIX = "/api/v1"

router = APIRouter(
    responses={
        "default": {
            "model": Problem,
            "description": "What did not happen, as application/problem+json (RFC 9457).",
        }
    }
)
for part in (
    health,
    me,
    sessions,
    reports,
    assets,
    identification,
    findings,
    possible,
    vulnerabilities,
    feeds,
    bundles,
    keys,
    tokens,
    members,
    roles,
    audit,
    users,
    organizations,
    identity_providers,
):
    router.include_router(part.router)
router.include_router(users.own_router)


@dataclass(frozen=True, slots=True)
class Entrance:
    """A route: where it is, every dependency it calls, and the permission it asks for."""

    path: str
    methods: tuple[str, ...]
    asked: tuple[Callable[..., Any], ...]
    permission: Permission | None
    step_up: bool


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Give this description."""
    return json(request.app.openapi())


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Describe the API: what it takes, answers, and who may call it."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title="SentriKat API",
        version="1",
        openapi_version="3.1.0",
        description="Inventory in, explained and prioritized findings out. "
        "Keys are made in the web application under API keys and sent as `Authorization: Bearer sk_…`. "
        "Lists are paged: `next_cursor` of one answer is `cursor` of the next.",
        routes=app.routes,
    )
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, `sk_…`."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sentrikat_session",
            "description": "A signed-in browser; what changes something also needs the header X-CSRF-Token.",
        },
    }
    for entrance in entrances(app):
        for method in entrance.methods:
            operation = document["paths"].get(entrance.path, {}).get(method.lower())
            if operation is None:
                continue  # a page
            _describe_access(entrance, operation)
            problem = operation["responses"].pop("default")
            problem["content"] = {"application/problem+json": problem["content"]["application/json"]}
            operation["responses"].pop("422", None)  # FastAPI's own form, which is never sent
            operation["responses"]["default"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    app.openapi_schema = document
    return document


def entrances(app: FastAPI) -> list[Entrance]:
    """Give every route of the application, pages included, with what it asks of its caller."""
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path is not None:
            asked = tuple(_calls_below(route.dependant))
            permission = next(filter(None, map(permission_of, asked)), None)
            step_up = any(map(asks_step_up, asked))
            found.append(
                Entrance(context.path, tuple(sorted(route.methods or ())), asked, permission, step_up)
            )
    return found


def _calls_below(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _calls_below(one)


def _describe_access(entrance: Entrance, operation: dict[str, Any]) -> None:
    if authenticate in entrance.asked:
        operation["security"] = [{"key": []}, {"session": []}]
    if entrance.permission is not None:
        operation["x-permission"] = entrance.permission.value
        words = f"Permission: `{entrance.permission.value}` ({PERMISSION_WORDS[entrance.permission]})."
        if entrance.step_up:
            operation["x-step-up"] = True
            words += (
                " A browser session whose sign-in or confirmation is too old gets 403 `step_up_required`; "
                "keys are not asked."
            )
        operation["description"] = f"{operation.get('description', '')}\n\n{words}".strip()
