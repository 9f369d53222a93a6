"""A password that somebody chooses, wherever they do: held to the rules, then hashed."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy.orm import Session

from sentrikat.domain.errors import InvalidInput
from sentrikat.identity import passwords
from sentrikat.identity.password_rules import require_good
from sentrikat.identity.queries import organizations_of
from sentrikat.web.context import settings_of


def words_about(session: Session, user_id: int) -> tuple[str, ...]:
    """Give the names of a person's organizations, which others would try."""
    return tuple(o.name for o in organizations_of(session, user_id, installation_admin=False))


def hashed_if_good(
    request: Request, new: str, *, login: str, words: tuple[str, ...], present: str | None
) -> str:
    """Give the hash to store; InvalidInput says what is wrong. Slow: no transaction should wait for it."""
    settings = settings_of(request)
    require_good(
        new,
        login=login,
        min_length=settings.password_min_length,
        words=words,
        list_file=settings.password_list_file,
    )
    if present is not None and passwords.is_right(new, present):
        raise InvalidInput(
            "The password was not changed.", fields={"new_password": "This is the present password."}
        )
    return passwords.hash_password(new)
