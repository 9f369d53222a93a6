"""The admin API: the installation's own routes once more, for configuration tools that hold its one key.

    /api/admin/v1/organizations, /users, /feeds, /bundles          as under /api/v1
    /api/admin/v1/organizations/{organization}/members, /roles, /api-keys  of that organization

It is an application of its own, mounted only where a key is set: no session, no API key of an organization and no
role reaches it, and its key opens nothing else. Routes are declared once; only who is calling is found out anew.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import State

from sentrikat.api import bundles, feeds, keys, members, organizations, roles, users
from sentrikat.api.context import authenticate, database_of, now_of, settings_of
from sentrikat.domain.permissions import INSTALLATION_ADMINISTRATOR, Caller
from sentrikat.identity import budgets
from sentrikat.identity.access import NotAuthenticated
from sentrikat.identity.budgets import Budget, TooManyRequests
from sentrikat.identity.networks import is_within
from sentrikat.identity.organizations import get_by_slug
from sentrikat.identity.throttle import address_subject
from sentrikat.infra.settings import Settings

ADMIN_PREFIX = "/api/admin/v1"
ACTOR = "admin_api"

# Of this process alone. Digests under it have one length, so the comparison says nothing of the key's.
_BLIND = secrets.token_bytes(32)


def admin_app(
    state: State, answers: Mapping[type[Exception], Callable[[Request, Exception], Response]]
) -> FastAPI:
    """Return the application to mount at `ADMIN_PREFIX`; it shares the state and the error answers of the whole."""
    app = FastAPI(title="SentriKat admin API", openapi_url=None, docs_url=None, redoc_url=None)
    for kind, answer in answers.items():
        app.add_exception_handler(kind, answer)
    app.state = state
    for part in (organizations, users, feeds, bundles):
        app.include_router(part.router)
    within = APIRouter(prefix="/organizations/{organization}")
    for part in (members, roles, keys):
        within.include_router(part.router)
    app.include_router(within)
    app.dependency_overrides[authenticate] = authenticate_admin
    return app


def authenticate_admin(request: Request) -> Caller:
    """Give the caller of the admin key; NotAuthenticated for anything else, and for it from elsewhere."""
    settings, now = settings_of(request), now_of(request)
    address = request.client.host if request.client is not None else None
    refused = _refused(request, settings, address)
    budget = Budget(settings.rate_limit_admin_per_hour, settings.rate_limit_admin_per_day)
    client = "admin" if refused is None else f"admin:{address_subject(address or 'unknown')}"
    with database_of(request).as_system() as session:
        taken = budgets.take(session, client, budget, now)
    if taken is not None:
        request.state.rate_limit = taken.headers
        if not taken.allowed:
            raise TooManyRequests(taken)
    if refused is not None:
        raise refused
    organization_id = 0
    if slug := request.path_params.get("organization"):
        with database_of(request).as_system() as session:
            organization_id = get_by_slug(session, slug).id
    return Caller(organization_id, ACTOR, INSTALLATION_ADMINISTRATOR, address)


def _refused(request: Request, settings: Settings, address: str | None) -> NotAuthenticated | None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        return NotAuthenticated(
            "The admin API needs its key, and the request did not bring it.",
            hint="Send it as “Authorization: Bearer …”. It is the server's SENTRIKAT_ADMIN_API_KEY.",
            code="admin_key_missing",
        )
    # The address first: from elsewhere, a right key and a wrong one get the same answer.
    if not is_within(address, settings.admin_networks):
        return NotAuthenticated(
            f"The admin API may not be used from {address or 'an unknown address'}.",
            hint="SENTRIKAT_ADMIN_API_NETWORKS names the networks it may be used from.",
            code="admin_address",
        )
    held = settings.admin_api_key.get_secret_value() if settings.admin_api_key is not None else ""
    right = [_is(given.strip(), key) for key in held.replace(",", " ").split()]  # every one is compared
    if not any(right):
        return NotAuthenticated(
            "The admin API does not know this key.",
            hint="Keys of organizations (sk_…) are for /api/v1.",
            code="admin_key_unknown",
        )
    return None


def _is(given: str, held: str) -> bool:
    return hmac.compare_digest(_blinded(given), _blinded(held))


def _blinded(key: str) -> bytes:
    return hmac.digest(_BLIND, key.encode("utf-8", "surrogatepass"), "sha256")
