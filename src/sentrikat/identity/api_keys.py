"""Keys of agents and programs, and tokens of people: `sk_<prefix>_<secret>`.

The prefix finds the row and may be shown; the secret has 256 random bits, is shown once, and is stored as an HMAC
with a pepper that is kept beside the database, not in it. A key belongs to one organization and carries its
permissions as scopes; a token besides belongs to a person, and may at no moment do more than that person.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import KEY_SCOPES, Caller, Permission, permissions_of
from sentrikat.identity.models import ApiKey, IdentityProvider, Membership, StoredRole, UserAccount
from sentrikat.identity.networks import as_network, as_networks, is_within
from sentrikat.identity.queries import HELD_ROLE, ROLE_COLUMNS, role_in
from sentrikat.infra.database.locks import advisory_lock

_FORM = re.compile(r"sk_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_USE_IS_NOTED_EVERY = timedelta(minutes=5)  # an agent fleet must not write one hot row per report
LONGEST_TOKEN = timedelta(days=366)
LONGEST_OVERLAP = timedelta(
    days=30
)  # long enough to reach machines that are off; a leaked key should not last longer
_MOST_NETWORKS = 50
_MOST_ASSETS = 1_000_000


@dataclass(frozen=True, slots=True)
class Made:
    """A new key; `secret` is the whole key and is not known to us afterwards."""

    id: int
    prefix: str
    secret: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The key does not let anybody in; `sentence` says why without helping to guess one."""

    code: str  # key_malformed | key_unknown | key_expired | key_revoked | key_address | key_owner
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


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a key may be used from (nothing: anywhere), and how many assets it may bring in (None: any number)."""

    networks: tuple[str, ...] = ()
    max_assets: int | None = None


ANYWHERE = Limits()


def create_key(
    session: Session,
    caller: Caller,
    *,
    pepper: bytes,
    name: str,
    scopes: Collection[Permission],
    expires_at: datetime | None,
    limits: Limits = ANYWHERE,
    now: datetime,
) -> Made:
    """Make a key for the caller's organization."""
    caller.require(Permission.KEYS_MANAGE)
    wrong = _wrong(name, scopes, expires_at, limits, now)
    _within_own(caller, scopes, wrong)
    _refuse(wrong)
    row = ApiKey(
        name=name.strip(),
        scopes=sorted(scope.value for scope in scopes),
        expires_at=expires_at,
        networks=as_networks(limits.networks),
        max_assets=limits.max_assets,
    )
    return _store(session, caller, row, "api_key.created", pepper, now)


def create_token(
    session: Session,
    caller: Caller,
    user_id: int,
    *,
    pepper: bytes,
    name: str,
    scopes: Collection[Permission],
    expires_at: datetime | None,
    limits: Limits = ANYWHERE,
    now: datetime,
) -> Made:
    """Make a token of the caller, who is the person `user_id`, for the organization they are looking at."""
    caller.require(Permission.PROFILE)
    wrong = _wrong(name, scopes, expires_at, limits, now)
    _within_own(caller, scopes, wrong)
    if expires_at is None or expires_at > now + LONGEST_TOKEN:
        wrong.setdefault("expires_at", f"A token must end within {LONGEST_TOKEN.days} days.")
    if limits.max_assets is not None:
        wrong["max_assets"] = "Only keys of agents have a limit of assets."
    _refuse(wrong)
    row = ApiKey(
        name=name.strip(),
        scopes=sorted(scope.value for scope in scopes),
        expires_at=expires_at,
        networks=as_networks(limits.networks),
        user_id=user_id,
    )
    return _store(session, caller, row, "api_token.created", pepper, now)


def rotate_key(
    session: Session, caller: Caller, key_id: int, *, pepper: bytes, overlap: timedelta, now: datetime
) -> Made:
    """Make a key that takes the place of another: the old one still works for `overlap`, and ends then.

    The new one has the same name, scopes and limits, and lives as long as the old one did from its making.
    """
    old = _of_organization(session, caller, key_id)
    if old.user_id is not None:
        # Whoever replaced it would hold what lets them act as its owner.
        raise Conflict(
            f"The token “{old.name}” was not replaced: only its owner can make another one.",
            hint="Revoke it instead. Nothing was changed.",
            code="token",
        )
    # Whoever rotates a key is shown the new one.
    held = frozenset(scope for scope in KEY_SCOPES if scope.value in old.scopes)
    caller.require_own(held, f"The key “{old.name}” was not replaced", "the key")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        _refuse({"overlap_hours": f"Between 0 and {LONGEST_OVERLAP.days * 24} hours."})
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise Conflict(
            f"The key “{old.name}” was not rotated: it has ended already.",
            hint="Create a new key. Nothing was changed.",
            code="key_ended",
        )
    row = ApiKey(
        name=old.name,
        scopes=old.scopes,
        expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
        networks=old.networks,
        max_assets=old.max_assets,
        rotated_from=old.id,
        family=old.family or old.id,
    )
    made = _store(session, caller, row, "api_key.rotated", pepper, now)
    end = now + overlap
    old.expires_at = end if old.expires_at is None else min(old.expires_at, end)
    session.flush()
    return made


def revoke_key(session: Session, caller: Caller, key_id: int, *, now: datetime) -> None:
    """End a key, or anybody's token, at once. Revoking it again changes nothing."""
    end_key(session, caller, _of_organization(session, caller, key_id), now)


def revoke_token(session: Session, caller: Caller, user_id: int, key_id: int, *, now: datetime) -> None:
    """End one of the caller's own tokens at once."""
    caller.require(Permission.PROFILE)
    token = session.scalar(
        select(ApiKey)
        .where(
            ApiKey.id == key_id,
            ApiKey.organization_id == caller.organization_id,
            ApiKey.user_id == user_id,
        )
        .with_for_update()
    )
    if token is None:
        raise NotFound(
            f"You have no token {key_id} in this organization.", hint="It may be another person's."
        )
    end_key(session, caller, token, now)


def end_key(session: Session, caller: Caller, key: ApiKey, now: datetime) -> None:
    """End a key of the caller's organization that is held for change; one that has ended stays as it is."""
    if key.revoked_at is None:
        key.revoked_at = now
        session.flush()
        detail = {"name": key.name, "prefix": key.prefix}
        record(session, caller, "api_key.revoked", f"key:{key.id}", detail, now=now)


@dataclass(frozen=True, slots=True)
class AssetLimit:
    """How many assets the keys of one line may bring in."""

    family: int
    most: int


def asset_limit(session: Session, key_id: int, *, hold: bool = False) -> AssetLimit | None:
    """Give a key's limit of assets, None without one. `hold` keeps others of its line waiting until the end."""
    query = select(ApiKey.id, ApiKey.family, ApiKey.max_assets).where(ApiKey.id == key_id)
    row = session.execute(query).one_or_none()
    if row is None or row.max_assets is None:
        return None
    family = row.family or row.id
    if hold:
        advisory_lock(session, f"assets of key:{family}")
    return AssetLimit(family, row.max_assets)


def caller_of_key(
    session: Session, given: str, *, pepper: bytes, address: str | None, now: datetime
) -> Caller | KeyRefused:
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
    if key is None or not _is_right(secret, key, pepper):
        # One sentence for an unknown prefix and a wrong secret: the prefix alone is no secret.
        return KeyRefused(
            "key_unknown",
            "This server does not know the API key.",
            "Check that it was made on this server and in this organization, or create a new one.",
        )
    if refused := _refused(key, address, now):
        return refused
    held = frozenset(scope for scope in KEY_SCOPES if scope.value in key.scopes)
    if key.user_id is not None:
        owner = _owner_permissions(session, key.user_id, key.organization_id)
        if isinstance(owner, KeyRefused):
            return owner
        held &= owner
    if not key.peppered:  # made before there was a pepper; now that the secret is here, it can be sealed
        key.secret_hash, key.peppered = _hash(secret, pepper), True
    if key.last_used_at is None or now - key.last_used_at > _USE_IS_NOTED_EVERY:
        key.last_used_at, key.last_used_from = now, address
    return Caller(key.organization_id, f"key:{key.id}", held, address)


def _refused(key: ApiKey, address: str | None, now: datetime) -> KeyRefused | None:
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
    if key.networks and not is_within(address, key.networks):
        return KeyRefused(
            "key_address",
            f"The API key “{key.name}” may not be used from {address or 'an unknown address'}.",
            "An administrator of the organization can make a key for other networks under API keys.",
        )
    return None


def _owner_permissions(
    session: Session, user_id: int, organization_id: int
) -> frozenset[Permission] | KeyRefused:
    row = session.execute(
        select(
            UserAccount.login,
            UserAccount.disabled_at,
            UserAccount.installation_admin,
            IdentityProvider.enabled,
            *ROLE_COLUMNS,
        )
        .outerjoin(
            Membership,
            (Membership.user_id == UserAccount.id) & (Membership.organization_id == organization_id),
        )
        .outerjoin(StoredRole, HELD_ROLE)
        .outerjoin(IdentityProvider, IdentityProvider.id == UserAccount.provider_id)
        .where(UserAccount.id == user_id)
    ).one()
    why = (
        "is disabled"
        if row.disabled_at is not None
        # Nobody vouches for them any more: their browsers were signed out, and their programs are.
        else "signs in with an identity provider that is switched off"
        if row.enabled is False
        else "is no member of the organization any more"
        if row.role is None and not row.installation_admin
        else None
    )
    if why is not None:
        return KeyRefused(
            "key_owner",
            f"The token does not work: its owner, {row.login}, {why}.",
            "Programs that must go on when people leave need a key of the organization.",
        )
    return permissions_of(role_in(row), installation_admin=row.installation_admin)


def _of_organization(session: Session, caller: Caller, key_id: int) -> ApiKey:
    """Give a key of the caller's organization, a person's token included, to somebody who may manage them."""
    caller.require(Permission.KEYS_MANAGE)
    key = session.scalar(
        select(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.organization_id == caller.organization_id)
        .with_for_update()
    )
    if key is None:
        raise NotFound(f"There is no API key {key_id}.", hint="It may belong to another organization.")
    return key


def _wrong(
    name: str, scopes: Collection[Permission], expires_at: datetime | None, limits: Limits, now: datetime
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not 1 <= len(name.strip()) <= 100:
        wrong["name"] = "A key needs a name of 1 to 100 characters that says who uses it."
    if not scopes:
        wrong["scopes"] = "A key needs at least one scope."
    elif refused := sorted(scope.value for scope in scopes if scope not in KEY_SCOPES):
        wrong["scopes"] = f"A key cannot hold {', '.join(refused)}."
    if expires_at is not None and expires_at <= now:
        wrong["expires_at"] = "The key would have expired already."
    if len(limits.networks) > _MOST_NETWORKS:
        wrong["networks"] = f"{len(limits.networks)} networks are too many; at most {_MOST_NETWORKS}."
    elif unreadable := [text for text in limits.networks if as_network(text) is None]:
        wrong["networks"] = (
            f"Not a network: {', '.join(unreadable)[:200]}. Write them as 192.0.2.0/24 or 2001:db8::/32."
        )
    if limits.max_assets is not None and not 1 <= limits.max_assets <= _MOST_ASSETS:
        wrong["max_assets"] = f"A limit of assets is between 1 and {_MOST_ASSETS:,}."
    elif limits.max_assets is not None and Permission.REPORT_SUBMIT not in scopes:
        wrong["max_assets"] = "Only keys that send reports bring assets in."
    return wrong


def _within_own(caller: Caller, scopes: Collection[Permission], wrong: dict[str, str]) -> None:
    if beyond := sorted(scope.value for scope in scopes if not caller.may(scope)):
        wrong.setdefault("scopes", f"Your role does not let you do {', '.join(beyond)} yourself.")


def _refuse(wrong: dict[str, str]) -> None:
    if wrong:
        raise InvalidInput(
            f"The key was not created. {' '.join(wrong.values())}", hint="Nothing was changed.", fields=wrong
        )


def _store(session: Session, caller: Caller, row: ApiKey, action: str, pepper: bytes, now: datetime) -> Made:
    secret = secrets.token_urlsafe(32)
    row.organization_id = caller.organization_id
    row.prefix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    row.secret_hash, row.peppered = _hash(secret, pepper), True
    row.created_at, row.created_by = now, caller.actor
    session.add(row)
    session.flush()
    detail: dict[str, object] = {
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        "networks": row.networks or [],
        "max_assets": row.max_assets,
    }
    if row.rotated_from is not None:
        detail["rotated_from"] = row.rotated_from
    record(session, caller, action, f"key:{row.id}", detail, now=now)
    return Made(row.id, row.prefix, f"sk_{row.prefix}_{secret}")


def _is_right(secret: str, key: ApiKey, pepper: bytes) -> bool:
    found = _hash(secret, pepper) if key.peppered else hashlib.sha256(secret.encode()).digest()
    return hmac.compare_digest(found, key.secret_hash)


def _hash(secret: str, pepper: bytes) -> bytes:
    return hmac.digest(pepper, secret.encode(), "sha256")
