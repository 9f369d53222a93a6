"""Our key pairs: one signs and opens, and a change goes in three steps so that no provider is cut off.

prepare    a next key is named in our metadata, and opens already
switch     the next one signs; the one before still opens
retire     the one before is gone
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity.saml.certificates import Certificate, KeyPair, make_key_pair
from sentrikat.identity.saml.models import KEY_PURPOSE, SamlKey
from sentrikat.infra.database.locks import advisory_lock
from sentrikat.infra.encryption import Vault

_NAME = "SentriKat service provider"
_ORDER = ("current", "next", "previous")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of ours, for a page; never the private one."""

    state: str
    certificate: Certificate
    created_at: datetime


def key_pairs(session: Session, vault: Vault, now: datetime) -> tuple[KeyPair, ...]:
    """Give our key pairs, the one that signs first; the first call makes it."""
    rows = _rows(session)
    if not rows:
        advisory_lock(session, "saml-key")  # two browsers at once make one key
        rows = _rows(session) or [_add(session, vault, "current", now)]
    return tuple(
        KeyPair(vault.decrypt(row.private_key, purpose=KEY_PURPOSE), Certificate.read(row.certificate))
        for row in rows
    )


def list_keys(session: Session) -> tuple[KeyRow, ...]:
    """Give our keys for a page."""
    return tuple(
        KeyRow(row.state, Certificate.read(row.certificate), row.created_at) for row in _rows(session)
    )


def prepare(session: Session, vault: Vault, caller: Caller, *, now: datetime) -> None:
    """Make the next key; our metadata names it from now on."""
    caller.require(Permission.INSTALLATION_MANAGE)
    if {row.state for row in _rows(session)} != {"current"}:
        raise Conflict(
            "No next key was made: a change of keys is under way already.",
            hint="Finish it first: switch to the next key, then remove the one before. Nothing was changed.",
        )
    row = _add(session, vault, "next", now)
    _record(session, caller, "saml_key.prepared", row, now)


def switch(session: Session, caller: Caller, *, now: datetime) -> None:
    """Sign with the next key; the present one opens what was encrypted for it until it is retired."""
    caller.require(Permission.INSTALLATION_MANAGE)
    rows = {row.state: row for row in _rows(session)}
    if "next" not in rows:
        raise Conflict(
            "The keys were not switched: there is no next key.", hint="Make one first. Nothing was changed."
        )
    for before, after in (("current", "previous"), ("next", "current")):
        session.execute(update(SamlKey).where(SamlKey.state == before).values(state=after))
    _record(session, caller, "saml_key.switched", rows["next"], now)


def retire(session: Session, caller: Caller, *, now: datetime) -> None:
    """Remove the key of before, or a next one that was never used."""
    caller.require(Permission.INSTALLATION_MANAGE)
    row = next((row for row in _rows(session) if row.state != "current"), None)
    if row is None:
        raise Conflict("No key was removed: there is but the one in use.", hint="Nothing was changed.")
    _record(session, caller, "saml_key.removed", row, now)
    session.execute(delete(SamlKey).where(SamlKey.id == row.id))


def _rows(session: Session) -> list[SamlKey]:
    return sorted(session.scalars(select(SamlKey)), key=lambda row: _ORDER.index(row.state))


def _add(session: Session, vault: Vault, state: str, now: datetime) -> SamlKey:
    pair = make_key_pair(_NAME, now)
    row = SamlKey(
        state=state,
        certificate=pair.certificate.body,
        private_key=vault.encrypt(pair.private, purpose=KEY_PURPOSE),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _record(session: Session, caller: Caller, action: str, row: SamlKey, now: datetime) -> None:
    record(
        session,
        caller,
        action,
        f"saml_key:{row.id}",
        {"sha256": Certificate.read(row.certificate).fingerprint},
        now=now,
    )
