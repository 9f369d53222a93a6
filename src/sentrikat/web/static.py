"""Style, scripts and pictures: read once, named by their digest, so browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response

from sentrikat.domain.errors import NotFound

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file and its address."""

    content: bytes
    media_type: str
    url: str


@cache
def files() -> dict[str, StaticFile]:
    """Read every file, by name."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            found[path.name] = StaticFile(content, _TYPES[path.suffix], f"/static/{digest}/{path.name}")
    return found


def static_url(name: str) -> str:
    """Give the address of a file."""
    return files()[name].url


@router.get("/static/{digest}/{name}")
def serve(digest: str, name: str) -> Response:
    """Serve a file under the digest of its content."""
    file = files().get(name)
    if file is None or file.url != f"/static/{digest}/{name}":
        raise NotFound("There is no such file.", hint="Reload the page: it was updated meanwhile.")
    return Response(
        file.content,
        media_type=file.media_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


@router.get("/favicon.ico")
def favicon() -> Response:
    """Serve the picture that browsers ask for unasked."""
    logo = files()["logo.svg"]
    return Response(
        logo.content, media_type=logo.media_type, headers={"Cache-Control": "public, max-age=86400"}
    )
