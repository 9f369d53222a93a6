"""Every page."""

from __future__ import annotations

from fastapi import APIRouter

from sentrikat.web import sign_in, static

router = APIRouter()
for part in (static, sign_in):
    router.include_router(part.router)
