"""Names for those who did something: a page never says `user:7`."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import Request

from sentrikat.identity.access import Visit
from sentrikat.identity.names import names_of
from sentrikat.web.context import database_of


def names_for(request: Request, visit: Visit, references: Iterable[str]) -> dict[str, str]:
    """Give the names of people, keys and nobody in particular, by `kind:number`; those that are gone have none."""
    wanted = set(references)
    if not wanted:
        return {}
    with database_of(request).as_system() as everybody:
        return names_of(everybody, wanted, visit.caller.organization_id)
