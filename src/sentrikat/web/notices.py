"""What installation administrators are told about signing in, on the pages they see first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import Request

from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.identity.notices import Notice, recent
from sentrikat.web.context import database_of


def notices_for(request: Request, visit: Visit, now: datetime) -> Sequence[Notice]:
    """Give the notices of the last days to those who see every account; nothing to others."""
    if not visit.caller.may(Permission.INSTALLATION_READ):
        return ()
    with database_of(request).as_system() as session:
        return recent(session, now)
