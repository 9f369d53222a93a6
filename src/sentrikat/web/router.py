"""Every page."""

from __future__ import annotations

from fastapi import APIRouter

from sentrikat.web import audit, keys, profile, sign_in, static

router = APIRouter()
for part in (static, sign_in, profile, keys, audit):
    router.include_router(part.router)
