"""Whom to tell of a weakness, where those who look for one look first: RFC 9116."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from sentrikat.domain.errors import NotFound
from sentrikat.web.context import Now, settings_of

PATH = "/.well-known/security.txt"
# The file says itself until when it may be believed. It is written anew at each request, so a copy ages and ours does not.
BELIEVED_FOR = timedelta(days=90)

router = APIRouter()


@router.get(PATH)
def show(request: Request, now: Now) -> Response:
    """Give the file, where the settings name a contact."""
    settings = settings_of(request)
    if settings.security_contact is None:
        raise NotFound(
            "This installation names no contact for weaknesses.",
            hint="Its administrator sets SENTRIKAT_SECURITY_CONTACT.",
        )
    expires = (now + BELIEVED_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: {settings.security_contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
    ]
    if settings.public_url is not None:
        lines.append(f"Canonical: {settings.public_url}{PATH}")
    return Response("\n".join(lines) + "\n", media_type="text/plain; charset=utf-8")
