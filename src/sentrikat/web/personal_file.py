"""What is kept about a person, as a file to take away."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fastapi import Request, Response

from sentrikat.identity.models import UserAccount
from sentrikat.identity.personal_data import export
from sentrikat.infra.streams import Streamed
from sentrikat.web.context import exporting_of


def personal_file(request: Request, user_id: int, entered: Collection[int] | None) -> Response:
    """Send it, however long the log is."""
    database = exporting_of(request)

    # A session of its own: the answer is sent after those of the route have ended.
    def pieces() -> Iterator[bytes]:
        with database.as_system() as session:
            yield from export(session, session.get_one(UserAccount, user_id), entered)

    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="person-{user_id}.json"',
    }
    return Streamed(pieces(), media_type="application/json", headers=headers)
