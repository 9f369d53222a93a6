"""Keys of agents and programs: `sk_<prefix>_<secret>`.

The prefix finds the row and may be shown; the secret has 256 random bits and is shown once. A key belongs
to one organization and carries its permissions as scopes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.permissions import KEY_SCOPES, Caller, Permission
from sentrikat.identity.models import ApiKey

_FORM = re.compile(r"sk_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_USE_IS_NOTED_EVERY = timedelta(minutes=5)  # an agent fleet must not write one hot row per report


@dataclass(frozen=True, slots=True)
class Made:
    """A new key; `secret` is the whole key and is not known to us afterwards."""

    id: int
    prefix: str
    secret: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The key does not let anybody in; `sentence` says why without helping to guess one."""

    code: str  # key_malformed | key_unknown | key_expired | key_revoked
    sentence: str
    hint: str


def read_scopes(words: Collection[str]) -> frozenset[Permission]:
    """Read scopes as people write them; InvalidInput names those that do not exist."""
    known = {scope.value for scope in KEY_SCOPES}
    if unknown := sorted(set(words) - known):
        raise InvalidInput(
            f"The key was not created: there is no scope {', '.join(unknown)[:200]}.",
            hint=f"Scopes are: {', '.join(sorted(known))}.",
            fields={"scopes": f"unknown: {', '.join(unknown)[:200]}"},
        )
    return frozenset(Permission(word) for word in words)


def create_key(
    session: Session,
    caller: Caller,
    *,
    name: str,
    scopes: Collection[Permission],
    expires_at: datetime | None,
    now: datetime,
) -> Made:
    """Make a key for the caller's organization."""
    caller.require(Permission.KEYS_MANAGE)
    name = name.strip()
    wrong: dict[str, str] = {}
    if not 1 <= len(name) <= 100:
        wrong["name"] = "A key needs a name of 1 to 100 characters that says who uses it."
    if not scopes:
        wrong["scopes"] = "A key needs at least one scope."
    elif refused := sorted(scope.value for scope in scopes if scope not in KEY_SCOPES):
        wrong["scopes"] = f"A key cannot hold {', '.join(refused)}."
    if expires_at is not None and expires_at <= now:
        wrong["expires_at"] = "The key would have expired already."
    if wrong:
        raise InvalidInput(
            f"The key was not created. {' '.join(wrong.values())}", hint="Nothing was changed.", fields=wrong
        )
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        organization_id=caller.organization_id,
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=sorted(scope.value for scope in scopes),
        created_at=now,
        expires_at=expires_at,
        created_by=caller.actor,
    )
    session.add(key)
    session.flush()
    record(
        session,
        caller,
        "api_key.created",
        f"key:{key.id}",
        {
            "name": name,
            "prefix": prefix,
            "scopes": key.scopes,
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
        now=now,
    )
    return Made(key.id, prefix, f"sk_{prefix}_{secret}")


def revoke_key(session: Session, caller: Caller, key_id: int, *, now: datetime) -> None:
    """End a key at once. Revoking it again changes nothing."""
    caller.require(Permission.KEYS_MANAGE)
    key = session.scalar(
        select(ApiKey).where(ApiKey.id == key_id, ApiKey.organization_id == caller.organization_id)
    )
    if key is None:
        raise NotFound(f"There is no API key {key_id}.", hint="It may belong to another organization.")
    if key.revoked_at is None:
        key.revoked_at = now
        session.flush()
        record(
            session,
            caller,
            "api_key.revoked",
            f"key:{key.id}",
            {"name": key.name, "prefix": key.prefix},
            now=now,
        )


def caller_of_key(session: Session, given: str, *, address: str | None, now: datetime) -> Caller | KeyRefused:
    """Give the caller that a key stands for, or why it stands for nobody.

    Needs a session that sees all organizations: the key says which one it is for.
    """
    parts = _FORM.fullmatch(given)
    if parts is None:
        return KeyRefused(
            "key_malformed",
            "The API key is not complete: it must read sk_, ten characters, an underscore and 43 characters.",
            "Copy it again, whole and without quotation marks.",
        )
    prefix, secret = parts.groups()
    key = session.scalar(select(ApiKey).where(ApiKey.prefix == prefix))
    # One sentence for an unknown prefix and a wrong secret: the prefix alone is no secret.
    right = hmac.compare_digest(_hash(secret), key.secret_hash if key is not None else bytes(32))
    if key is None or not right:
        return KeyRefused(
            "key_unknown",
            "This server does not know the API key.",
            "Check that it was made on this server and in this organization, or create a new one.",
        )
    if key.revoked_at is not None:
        return KeyRefused(
            "key_revoked",
            f"The API key “{key.name}” was revoked on {key.revoked_at:%d %B %Y}.",
            "Create a new key under API keys.",
        )
    if key.expires_at is not None and key.expires_at <= now:
        return KeyRefused(
            "key_expired",
            f"The API key “{key.name}” expired on {key.expires_at:%d %B %Y}.",
            "Create a new key under API keys.",
        )
    if key.last_used_at is None or now - key.last_used_at > _USE_IS_NOTED_EVERY:
        session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now))
    held = frozenset(scope for scope in KEY_SCOPES if scope.value in key.scopes)
    return Caller(key.organization_id, f"key:{key.id}", held, address)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
