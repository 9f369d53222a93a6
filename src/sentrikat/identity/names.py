"""Whom and what the audit log means: names for the people, keys and organizations it keeps by number."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from sentrikat.identity.models import ApiKey, IdentityProvider, Organization, StoredRole, UserAccount

_MOST = 500  # of one question: a page of the log has a hundred entries

# Actors that are nobody in particular.
NOBODY = {
    "cli": "command line",
    "system": "SentriKat itself",
    "visitor": "not signed in",
}


def names_of(session: Session, references: Collection[str], organization_id: int) -> dict[str, str]:
    """Give the names of those of `kind:number` that are people, providers, keys, roles or organizations; also of nobody.

    Keys and roles are those of the organization. Needs a session that sees all organizations.
    """
    wanted = _numbers(references)
    found = {one: NOBODY[one] for one in references if one in NOBODY}
    for kind, query in (
        ("user", select(UserAccount.id, UserAccount.login)),
        ("organization", select(Organization.id, Organization.name)),
        ("provider", select(IdentityProvider.id, IdentityProvider.name)),
        ("key", select(ApiKey.id, ApiKey.name).where(ApiKey.organization_id == organization_id)),
        (
            "role",
            select(StoredRole.id, StoredRole.name).where(StoredRole.organization_id == organization_id),
        ),
    ):
        if numbers := wanted.get(kind):
            model = query.column_descriptions[0]["entity"]
            rows = session.execute(query.where(model.id.in_(sorted(numbers)[:_MOST])))
            found |= {f"{kind}:{number}": name for number, name in rows}
    return found


def actors_named(session: Session, words: str, organization_id: int) -> tuple[str, ...]:
    """Give the actors whose name, or reference, is `words`; names may be parts. Needs a session that sees all."""
    words = words.strip()[:200].replace("\x00", "")
    if not words:
        return ()
    by_word = {name: actor for actor, name in NOBODY.items()}
    if words in NOBODY or words in by_word:
        return (by_word.get(words, words),)
    if words.startswith(("user:", "key:")):
        return (words,)

    def like(*columns: ColumnElement[str]) -> ColumnElement[bool]:
        return or_(*(func.strpos(func.lower(column), words.lower()) > 0 for column in columns))

    people = session.scalars(
        select(UserAccount.id)
        .where(like(UserAccount.login.expression, UserAccount.display_name.expression))
        .limit(_MOST)
    )
    keys = session.scalars(
        select(ApiKey.id)
        .where(ApiKey.organization_id == organization_id, like(ApiKey.name.expression))
        .limit(_MOST)
    )
    return (*(f"user:{number}" for number in people), *(f"key:{number}" for number in keys))


def _numbers(references: Collection[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for one in references:
        kind, _, number = one.partition(":")
        if number.isascii() and number.isdigit() and len(number) < 19:
            found.setdefault(kind, set()).add(int(number))
    return found
