"""Administration of SAML: a provider's settings and ours to copy, what went wrong last, and our keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput, NotFound, SentriKatError
from sentrikat.domain.permissions import Permission
from sentrikat.identity import providers
from sentrikat.identity.access import Visit
from sentrikat.identity.saml import keys
from sentrikat.identity.saml.certificates import Certificate
from sentrikat.identity.saml.configuration import SamlConfiguration
from sentrikat.identity.saml.idp_metadata import read_metadata
from sentrikat.identity.saml.names import NAME_ID_FORMATS, PERSISTENT, POST, REDIRECT
from sentrikat.identity.saml.providers import KIND, SamlProvider, get_provider
from sentrikat.identity.saml.settings import FROM_METADATA, as_pem, split_certificates
from sentrikat.infra.encryption import open_vault
from sentrikat.web.context import (
    Form,
    FormWithFile,
    Now,
    SystemSession,
    database_of,
    requires,
    settings_of,
    vault_of,
)
from sentrikat.web.errors import status_of_form
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/identity-providers")
Reader = Annotated[Visit, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE, step_up=True)]

BINDINGS = {REDIRECT: "Redirect (usual)", POST: "Form (POST)"}
WARN_BEFORE = timedelta(days=30)
_TEXTS = (
    "entity_id",
    "sso_url",
    "sso_binding",
    "slo_url",
    "slo_binding",
    "slo_response_url",
    "name_id_format",
    "external_id_attribute",
    "login_attribute",
    "name_attribute",
    "email_attribute",
    "groups_attribute",
)
_CHECKS = ("signed_response", "encrypted", "idp_initiated")


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate with the warning that belongs beside it."""

    certificate: Certificate
    warning: str | None


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form of a provider shows, and what is wrong with it."""

    form: dict[str, str]
    error: SentriKatError | None = None
    was_read: bool = False


@router.get("/saml/new")
def show_new(request: Request, visit: Manager, now: Now) -> Response:
    """Show the form of a new provider."""
    return _new(request, visit, now, Filled(_form_of(None, _EMPTY)))


@router.post("/saml")
def create(request: Request, visit: Manager, now: Now, sent: FormWithFile) -> Response:
    """Add a provider, or read its metadata, pasted or a file, into the form."""
    form, file = sent
    if file:
        return _new(request, visit, now, _read(form, file))
    if _asks_to_read(form):
        return _new(request, visit, now, _read(form))
    try:
        with database_of(request).as_system() as session:
            made = providers.create_provider(
                session,
                visit.caller,
                partial(open_vault, settings_of(request)),
                kind=KIND,
                name=form.get("name", ""),
                settings=_settings(form),
                provisioning="provisioning" in form,
                now=now,
            )
    except (InvalidInput, Conflict) as error:
        return _new(request, visit, now, Filled(form, error))
    return see_other(f"/identity-providers/{made.id}/saml")


@router.get("/{provider_id}/saml")
def show(request: Request, visit: Reader, session: SystemSession, now: Now, provider_id: int) -> Response:
    """Show a provider's settings, and ours for it."""
    return _one(request, session, visit, now, provider_id)


@router.post("/{provider_id}/saml")
def change(request: Request, visit: Manager, now: Now, provider_id: int, sent: FormWithFile) -> Response:
    """Save a provider's settings, or read its metadata into the form; switching it off ends its sessions."""
    form, file = sent
    database = database_of(request)
    if file or _asks_to_read(form):
        with database.as_system() as session:
            return _one(request, session, visit, now, provider_id, _read(form, file))
    try:
        with database.as_system() as session:
            provider = providers.access_provider(
                session, visit.caller, provider_id, Permission.INSTALLATION_MANAGE
            )
            if provider.kind != KIND:
                raise NotFound("There is no such SAML provider.", hint="It may have been removed.")
            providers.change_provider(
                session,
                visit.caller,
                partial(open_vault, settings_of(request)),
                provider,
                providers.ProviderChange(
                    name=form.get("name", ""),
                    settings=_settings(form),
                    enabled="enabled" in form,
                    provisioning="provisioning" in form,
                ),
                now=now,
            )
    except (InvalidInput, Conflict) as error:
        with database.as_system() as session:
            return _one(request, session, visit, now, provider_id, Filled(form, error))
    return see_other(f"/identity-providers/{provider_id}/saml")


@router.get("/saml/keys")
def show_keys(request: Request, visit: Reader, session: SystemSession, now: Now) -> Response:
    """Show our keys and how far a change of them is."""
    return _keys(request, session, visit, now)


@router.post("/saml/keys")
def change_keys(request: Request, visit: Manager, now: Now, form: Form) -> Response:
    """Take the next step of a change of our keys."""
    database = database_of(request)
    try:
        with database.as_system() as session:
            match form.get("action"):
                case "prepare":
                    keys.key_pairs(session, vault_of(request), now)  # the first one, if there is none yet
                    keys.prepare(session, vault_of(request), visit.caller, now=now)
                case "switch":
                    keys.switch(session, visit.caller, now=now)
                case "retire":
                    keys.retire(session, visit.caller, now=now)
                case _:
                    raise InvalidInput("Nothing was changed: the form is not one of this page.")
    except (InvalidInput, Conflict) as error:
        with database.as_system() as session:
            return _keys(request, session, visit, now, error=error)
    return see_other("/identity-providers/saml/keys")


_EMPTY = SamlConfiguration(entity_id="", sso_url="", certificates=())


def _asks_to_read(form: dict[str, str]) -> bool:
    """Say whether metadata is to be read. Enter in any field presses the first button, which is that one."""
    return form.get("action") == "read" and form.get("metadata", "").strip() != ""


def _settings(form: dict[str, str]) -> dict[str, Any]:
    """Read the settings of the form; an empty choice is the usual one."""
    given = {name: form.get(name, "").strip() for name in _TEXTS}
    usual = {"sso_binding": REDIRECT, "slo_binding": REDIRECT, "name_id_format": PERSISTENT}
    skew = form.get("skew_seconds", "").strip()
    return {
        **given,
        **{name: given[name] or value for name, value in usual.items()},
        **{name: name in form for name in _CHECKS},
        "certificates": split_certificates(form.get("certificates", "")),
        "skew_seconds": int(skew) if skew.isdecimal() and len(skew) < 6 else -1,
    }


def _read(form: dict[str, str], file: bytes = b"") -> Filled:
    """Fill the form from metadata, of a file before what was pasted; nothing is saved before somebody has looked at it."""
    try:
        found = read_metadata(file or form.get("metadata", "").strip().encode())
    except InvalidInput as error:
        return Filled(form, error)
    configuration = replace(_EMPTY, **{name: getattr(found, name) for name in FROM_METADATA})
    filled = _form_of(None, configuration)
    return Filled({**form, "metadata": "", **{name: filled[name] for name in FROM_METADATA}}, was_read=True)


def _form_of(provider: SamlProvider | None, configuration: SamlConfiguration) -> dict[str, str]:
    shown = {name: str(getattr(configuration, name)) for name in _TEXTS}
    shown |= {name: "yes" for name in _CHECKS if getattr(configuration, name)}
    shown["skew_seconds"] = str(configuration.skew_seconds)
    shown["certificates"] = "".join(map(as_pem, configuration.certificates))
    if provider is None:
        return {**shown, "provisioning": "yes", "enabled": "yes"}
    shown["name"] = provider.name
    return shown | {name: "yes" for name in ("enabled", "provisioning") if getattr(provider, name)}


def _new(request: Request, visit: Visit, now: datetime, filled: Filled) -> Response:
    return render(
        request,
        "saml_new.html",
        visit=visit,
        now=now,
        status=status_of_form(filled.error),
        public_url=settings_of(request).public_url,
        **_shown_form(filled),
    )


def _one(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    provider_id: int,
    filled: Filled | None = None,
) -> Response:
    public_url = settings_of(request).public_url
    provider = get_provider(session, provider_id, public_url or "SENTRIKAT_PUBLIC_URL", any_state=True)
    own = next((row for row in keys.list_keys(session) if row.state == "current"), None)
    shown = filled or Filled(_form_of(provider, provider.configuration))
    return render(
        request,
        "saml_one.html",
        visit=visit,
        now=now,
        status=status_of_form(shown.error),
        provider=provider,
        public_url=public_url,
        certificates=[_shown(each, now) for each in provider.configuration.read_certificates],
        own=_shown(own.certificate, now) if own is not None else None,
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
        **_shown_form(shown),
    )


def _shown_form(filled: Filled) -> dict[str, Any]:
    return {
        "form": filled.form,
        "wrong": filled.error.fields if filled.error is not None else {},
        "sentence": filled.error.message if filled.error is not None else None,
        "was_read": filled.was_read,
        "formats": NAME_ID_FORMATS,
        "bindings": BINDINGS,
    }


def _keys(
    request: Request, session: Session, visit: Visit, now: datetime, *, error: SentriKatError | None = None
) -> Response:
    rows = keys.list_keys(session)
    return render(
        request,
        "saml_keys.html",
        visit=visit,
        now=now,
        status=status_of_form(error),
        rows=[(row, _shown(row.certificate, now).warning) for row in rows],
        states={row.state for row in rows},
        sentence=error.message if error is not None else None,
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )


def _shown(certificate: Certificate, now: datetime) -> ShownCertificate:
    if certificate.ends_at <= now:
        return ShownCertificate(
            certificate, "It has ended. It still counts here, but some providers refuse it."
        )
    days = (certificate.ends_at - now).days
    if certificate.ends_at - now <= WARN_BEFORE:
        return ShownCertificate(certificate, f"It ends in {days} {'day' if days == 1 else 'days'}.")
    return ShownCertificate(certificate, None)
