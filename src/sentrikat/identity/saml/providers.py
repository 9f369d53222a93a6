"""SAML providers as signing in uses them, and what went wrong last. identity/providers.py adds and changes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sentrikat.domain.errors import NotFound
from sentrikat.identity.models import IdentityProvider
from sentrikat.identity.saml.configuration import SamlConfiguration
from sentrikat.identity.saml.sp_metadata import ServiceProvider

KIND = "saml"


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """A provider ready to be used: who it is, and who we are for it."""

    id: int
    name: str
    enabled: bool
    provisioning: bool
    configuration: SamlConfiguration
    ours: ServiceProvider
    last_error: str | None
    last_error_at: datetime | None


def get_provider(
    session: Session, provider_id: int, public_url: str, *, any_state: bool = False
) -> SamlProvider:
    """Give an enabled provider; NotFound otherwise. `any_state` gives one that is switched off as well."""
    row = session.get(IdentityProvider, provider_id) if 0 < provider_id < 2**63 else None
    if row is None or row.kind != KIND or not (row.enabled or any_state):
        raise NotFound(
            "There is no such way to sign in.",
            hint="Choose one on the sign-in page; this one may have been removed.",
        )
    return _read(row, public_url)


def list_providers(session: Session, public_url: str, *, any_state: bool = False) -> list[SamlProvider]:
    """Give the enabled providers in their order, or all of them."""
    query = select(IdentityProvider).where(IdentityProvider.kind == KIND)
    if not any_state:
        query = query.where(IdentityProvider.enabled)
    rows = session.scalars(query.order_by(IdentityProvider.position, IdentityProvider.id))
    return [_read(row, public_url) for row in rows]


def note_error(session: Session, provider_id: int, sentence: str | None, now: datetime) -> None:
    """Remember for administrators why the last sign-in was refused; None: it went well."""
    session.execute(
        update(IdentityProvider)
        .where(IdentityProvider.id == provider_id)
        .values(last_error=sentence, last_error_at=now if sentence is not None else None)
    )


def _read(row: IdentityProvider, public_url: str) -> SamlProvider:
    return SamlProvider(
        id=row.id,
        name=row.name,
        enabled=row.enabled,
        provisioning=row.provisioning,
        configuration=SamlConfiguration.from_json(row.settings),
        ours=ServiceProvider.at(public_url, row.id),
        last_error=row.last_error,
        last_error_at=row.last_error_at,
    )
