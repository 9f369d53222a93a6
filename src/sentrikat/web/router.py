"""Every page."""

from __future__ import annotations

from fastapi import APIRouter

from sentrikat.web import (
    assets,
    audit,
    bundles,
    confirm,
    feeds,
    findings,
    identification,
    identity_providers,
    keys,
    members,
    organizations,
    overview,
    possible,
    privacy,
    profile,
    reset_password,
    roles,
    saml,
    saml_admin,
    search,
    second_factor,
    security_txt,
    sign_in,
    sign_in_steps,
    static,
    users,
    vulnerabilities,
)

router = APIRouter()
for part in (
    static,
    security_txt,
    privacy,
    sign_in,
    saml,
    sign_in_steps,
    reset_password,
    overview,
    search,
    findings,
    possible,
    vulnerabilities,
    assets,
    identification,
    feeds,
    bundles,
    keys,
    members,
    roles,
    audit,
    users,
    organizations,
    saml_admin,  # before the numbers of providers, which would take its name for one
    identity_providers,
    profile,
    second_factor,
    confirm,
):
    router.include_router(part.router)
