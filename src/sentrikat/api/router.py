"""Every route of the API, and its description as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from sentrikat.api import assets, audit, feeds, findings, health, keys, me, reports, vulnerabilities
from sentrikat.api.answers import json
from sentrikat.api.context import authenticate, permission_of
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
for part in (health, me, reports, assets, findings, vulnerabilities, feeds, keys, audit):
    router.include_router(part.router)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Give this description."""
    return json(request.app.openapi())


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Describe the API: what it takes, answers, and who may call it."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    document = get_openapi(
        title="SentriKat API",
        version="1",
        openapi_version="3.1.0",
        description="Inventory in, explained and prioritized findings out. "
        "Keys are made in the web application under API keys and sent as `Authorization: Bearer sk_…`. "
        "Lists are paged: `next_cursor` of one answer is `cursor` of the next.",
        routes=routes,
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
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            _describe_access(route, operation)
            problem = operation["responses"].pop("default")
            problem["content"] = {"application/problem+json": problem["content"]["application/json"]}
            operation["responses"].pop("422", None)  # FastAPI's own form, which is never sent
            operation["responses"]["default"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    app.openapi_schema = document
    return document


def asked_of(route: APIRoute) -> tuple[bool, Permission | None]:
    """Say whether a route asks who is calling, and which permission it asks for."""
    waiting, authenticated, permission = [route.dependant], False, None
    while waiting:
        dependant = waiting.pop()
        authenticated = authenticated or dependant.call is authenticate
        permission = permission or permission_of(dependant.call)
        waiting += dependant.dependencies
    return authenticated, permission


def _describe_access(route: APIRoute, operation: dict[str, Any]) -> None:
    authenticated, permission = asked_of(route)
    if authenticated:
        operation["security"] = [{"key": []}, {"session": []}]
    if permission is not None:
        operation["x-permission"] = permission.value
        words = f"Permission: `{permission.value}` ({PERMISSION_WORDS[permission]})."
        operation["description"] = f"{operation.get('description', '')}\n\n{words}".strip()
