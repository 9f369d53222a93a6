"""What is kept about people and why, for everybody, before they sign in (docs/security/data.md is the long form)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sentrikat.web.context import Now, settings_of
from sentrikat.web.rendering import render

router = APIRouter()


@router.get("/privacy")
def show(request: Request, now: Now) -> Response:
    """Show it, with this installation's own times."""
    settings = settings_of(request)
    return render(
        request,
        "privacy.html",
        visit=None,
        now=now,
        hours=settings.session_lifetime_hours,
        minutes=settings.session_idle_minutes,
        notice_url=settings.privacy_notice_url,
    )
