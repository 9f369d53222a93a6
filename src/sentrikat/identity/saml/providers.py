"""SAML providers as they are stored: list, add, change, and remember what went wrong last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity.models import IdentityProvider
from sentrikat.identity.saml.configuration import SamlConfiguration, checked
from sentrikat.identity.saml.sp_metadata import ServiceProvider
from sentrikat.infra.database.locks import advisory_lock

KIND = "saml"
LONGEST_NAME = 100


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


def save_provider(
    session: Session,
    caller: Caller,
    provider_id: int | None,
    *,
    name: str,
    enabled: bool,
    provisioning: bool,
    configuration: SamlConfiguration,
    now: datetime,
) -> int:
    """Add a provider, or change one; give its number. InvalidInput names the fields that cannot be."""
    caller.require(Permission.INSTALLATION_MANAGE)
    name = " ".join(name.split())
    wrong: dict[str, str] = {}
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        wrong["name"] = f"Give it a name of at most {LONGEST_NAME} characters; people see it on the button."
    try:
        checked(configuration)
    except InvalidInput as error:
        wrong |= error.fields
    if wrong:
        raise InvalidInput(
            f"The provider was not saved: {'; '.join(wrong.values())}",
            hint="Nothing was changed.",
            fields=wrong,
        )
    advisory_lock(session, "identity-providers")
    same = session.scalar(select(IdentityProvider.id).where(IdentityProvider.name == name))
    if same is not None and same != provider_id:
        raise Conflict("The provider was not saved: another one has this name.", hint="Nothing was changed.")
    if provider_id is None:
        last = session.scalar(select(func.max(IdentityProvider.position))) or 0
        row = IdentityProvider(kind=KIND, position=last + 1, created_at=now)
        session.add(row)
    else:
        found = session.get(IdentityProvider, provider_id, with_for_update=True)
        if found is None or found.kind != KIND:
            raise NotFound("There is no such SAML provider.", hint="It may have been removed.")
        row = found
    before = dict(row.settings) if row.settings else {}
    row.name, row.enabled, row.provisioning = name, enabled, provisioning
    row.settings = configuration.to_json()
    session.flush()
    record(
        session,
        caller,
        "identity_provider.created" if provider_id is None else "identity_provider.changed",
        f"identity_provider:{row.id}",
        {
            "name": name,
            "kind": KIND,
            "enabled": enabled,
            "entity_id": configuration.entity_id[:200],
            "changed": sorted(k for k, v in row.settings.items() if before.get(k) != v),
            "certificates": [certificate.fingerprint for certificate in configuration.read_certificates],
        },
        now=now,
    )
    return row.id


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
