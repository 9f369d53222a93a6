"""Identity providers: directories and SAML providers, their group rules, a test, the last synchronization."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput, SentriKatError
from sentrikat.domain.permissions import ROLE_WORDS, Permission
from sentrikat.identity import providers
from sentrikat.identity.access import Visit
from sentrikat.identity.directories import stored_directory
from sentrikat.identity.directory_sync import Synced, synchronize
from sentrikat.identity.group_rules import GroupRule
from sentrikat.identity.ldap.diagnosis import Step, diagnose
from sentrikat.identity.ldap.settings import LdapSettings
from sentrikat.identity.models import IdentityProvider
from sentrikat.identity.organizations import chosen_organization
from sentrikat.identity.provisioning import rules_of
from sentrikat.identity.queries import MOST_CHOICES, list_organizations
from sentrikat.infra.encryption import open_vault
from sentrikat.web.context import Form, Now, SystemSession, database_of, requires, settings_of
from sentrikat.web.errors import status_of_form
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter(prefix="/identity-providers")
Reader = Annotated[Visit, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Visit, requires(Permission.INSTALLATION_MANAGE, step_up=True)]

DIRECTORIES = {"active_directory": "Active Directory (or Samba)", "openldap": "OpenLDAP and others"}
SECURITIES = {"ldaps": "LDAPS, port 636", "starttls": "StartTLS, port 389"}
# What a form sends, in the order it shows it. Numbers and yes-or-no are read apart.
_TEXTS = (
    "directory", "security", "ca_pem", "ca_file", "base_dn", "bind_dn", "bind_template", "domain",
    "user_filter", "login_attribute", "name_attribute", "email_attribute", "id_attribute",
    "group_base_dn", "group_name_attribute",
)  # fmt: skip
_NUMBERS = ("timeout_seconds", "page_size", "sync_hold_percent")
_CHECKS = ("nested_groups", "sync")


@router.get("")
def show(request: Request, visit: Reader, session: SystemSession, now: Now) -> Response:
    """List the providers in the order they are asked."""
    return render(
        request,
        "identity_providers.html",
        visit=visit,
        now=now,
        rows=providers.list_providers(session, visit.caller),
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )


@router.get("/new")
def show_new(request: Request, visit: Manager, now: Now) -> Response:
    """Show the form of a new directory."""
    return _new(request, visit, now)


@router.post("")
def create(request: Request, visit: Manager, now: Now, form: Form) -> Response:
    """Add a directory."""
    try:
        with database_of(request).as_system() as session:
            made = providers.create_provider(
                session,
                visit.caller,
                partial(open_vault, settings_of(request)),
                kind="ldap",
                name=form.get("name", ""),
                settings=_settings(form),
                secret=form.get("secret") or None,
                provisioning="provisioning" in form,
                now=now,
            )
    except (InvalidInput, Conflict) as error:
        return _new(request, visit, now, error=error, form=form)
    return see_other(f"/identity-providers/{made.id}")


@router.get("/{provider_id}")
def show_one(request: Request, visit: Reader, session: SystemSession, now: Now, provider_id: int) -> Response:
    """Show a provider with everything that can be done about it."""
    return _one(request, session, visit, now, provider_id)


@router.post("/{provider_id}")
def change(request: Request, visit: Manager, now: Now, provider_id: int, form: Form) -> Response:
    """Save a directory's settings; an empty password leaves the stored one."""
    database = database_of(request)
    try:
        with database.as_system() as session:
            provider = _directory(session, visit, provider_id)
            providers.change_provider(
                session,
                visit.caller,
                partial(open_vault, settings_of(request)),
                provider,
                providers.ProviderChange(
                    name=form.get("name", ""),
                    settings=_settings(form),
                    secret=form.get("secret") or None,
                    provisioning="provisioning" in form,
                    enabled="enabled" in form,
                ),
                now=now,
            )
    except (InvalidInput, Conflict) as error:
        with database.as_system() as session:
            return _one(request, session, visit, now, provider_id, error=error, form=form)
    return see_other(f"/identity-providers/{provider_id}")


@router.post("/{provider_id}/test")
def try_out(request: Request, visit: Manager, now: Now, provider_id: int, form: Form) -> Response:
    """Try the directory, and show how far each host came."""
    database = database_of(request)
    with database.as_system() as session:
        provider = providers.ask_directory(
            session, visit.caller, provider_id, "test", now=now, login=form.get("login", "")[:200]
        )
        rules = rules_of(session, provider.id)
    directory = stored_directory(provider, settings_of(request))
    steps = diagnose(
        directory.settings,
        directory.secret,
        rules,
        login=form.get("login", "")[:200],
        password=form.get("password", ""),
        now=now,
    )
    with database.as_system() as session:
        return _one(
            request, session, visit, now, provider_id, steps=steps, tested=form.get("login", "")[:200]
        )


@router.post("/{provider_id}/sync")
def sync(request: Request, visit: Manager, now: Now, provider_id: int, form: Form) -> Response:
    """Bring the accounts to what the directory says now."""
    database = database_of(request)
    with database.as_system() as session:
        provider = providers.ask_directory(
            session, visit.caller, provider_id, "sync", now=now, accept_many="accept_many" in form
        )
    outcome = synchronize(
        database,
        stored_directory(provider, settings_of(request)),
        request.app.state.clock,
        caller=visit.caller,
        accept_many="accept_many" in form,
    )
    with database.as_system() as session:
        return _one(request, session, visit, now, provider_id, synced=outcome)


@router.post("/{provider_id}/rules")
def change_rules(request: Request, visit: Manager, now: Now, provider_id: int, form: Form) -> Response:
    """Add a rule at the end, take one out, or move one up."""
    database = database_of(request)
    try:
        with database.as_system() as session:
            provider = providers.access_provider(
                session, visit.caller, provider_id, Permission.INSTALLATION_MANAGE
            )
            rules = _changed(session, rules_of(session, provider.id), form)
            providers.set_rules(session, visit.caller, provider, rules, now=now)
    except InvalidInput as error:
        with database.as_system() as session:
            return _one(request, session, visit, now, provider_id, rule_error=error, rule_form=form)
    return see_other(f"/identity-providers/{provider_id}#rules")


@router.post("/{provider_id}/delete")
def delete(request: Request, visit: Manager, now: Now, provider_id: int, form: Form) -> Response:
    """Remove a provider whose name was typed; its accounts are disabled."""
    database = database_of(request)
    with database.as_system() as session:
        provider = providers.access_provider(
            session, visit.caller, provider_id, Permission.INSTALLATION_MANAGE
        )
        if form.get("name", "").strip() != provider.name:
            error = InvalidInput(
                f"“{provider.name}” was not removed: its name was not typed.",
                fields={"confirmed_name": f"Type {provider.name}."},
            )
            return _one(request, session, visit, now, provider_id, error=error)
        providers.delete_provider(session, visit.caller, provider, now=now)
    return see_other("/identity-providers")


def _directory(session: Session, visit: Visit, provider_id: int) -> IdentityProvider:
    provider = providers.access_provider(session, visit.caller, provider_id, Permission.INSTALLATION_MANAGE)
    if provider.kind != "ldap":
        raise Conflict(f"“{provider.name}” is no directory.", hint="Nothing was done.")
    return provider


def _settings(form: dict[str, str]) -> dict[str, Any]:
    """Read the settings of the form; what is empty follows from the kind of directory."""
    settings: dict[str, Any] = {name: form[name].strip() for name in _TEXTS if form.get(name, "").strip()}
    settings["hosts"] = form.get("hosts", "").replace(",", " ").split()
    for name in _NUMBERS:
        if (text := form.get(name, "").strip()) != "":
            settings[name] = int(text) if text.isdecimal() and len(text) < 10 else text
    for name in _CHECKS:
        settings[name] = name in form
    return settings


def _changed(session: Session, rules: list[GroupRule], form: dict[str, str]) -> list[GroupRule]:
    action, _, number = form.get("action", "").partition(":")
    if action == "add":
        wanted = form.get("organization", "")
        owner = chosen_organization(session, wanted) if wanted else None
        return [
            *rules,
            GroupRule(
                form.get("group", ""),
                owner.id if owner is not None else None,
                providers.read_rule_role(form.get("role")) if owner is not None else None,
                "installation_admin" in form,
            ),
        ]
    at = int(number) if number.isdecimal() and len(number) < 6 else len(rules)
    if action not in {"remove", "up"} or at >= len(rules):
        raise InvalidInput(
            "Nothing was changed: the form is not one of this page, or the rules have changed meanwhile.",
            hint="Open the page again.",
        )
    if action == "remove":
        return rules[:at] + rules[at + 1 :]
    moved = list(rules)
    moved[max(at - 1, 0)], moved[at] = moved[at], moved[max(at - 1, 0)]
    return moved


def _new(
    request: Request,
    visit: Visit,
    now: datetime,
    *,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "identity_provider_new.html",
        visit=visit,
        now=now,
        status=status_of_form(error),
        form=form if form is not None else _empty(),
        wrong=error.fields if error is not None else {},
        sentence=error.message if error is not None else None,
        has_secret=False,
        directories=DIRECTORIES,
        securities=SECURITIES,
    )


def _empty() -> dict[str, str]:
    return {
        "directory": "active_directory",
        "security": "ldaps",
        "nested_groups": "yes",
        "sync": "yes",
        "provisioning": "yes",
        "sync_hold_percent": "20",
        "timeout_seconds": "5",
    }


def _one(
    request: Request,
    session: Session,
    visit: Visit,
    now: datetime,
    provider_id: int,
    *,
    error: SentriKatError | None = None,
    form: dict[str, str] | None = None,
    rule_error: SentriKatError | None = None,
    rule_form: dict[str, str] | None = None,
    steps: list[Step] | None = None,
    tested: str = "",
    synced: Synced | None = None,
) -> Response:
    provider = providers.access_provider(session, visit.caller, provider_id, Permission.INSTALLATION_READ)
    rules = rules_of(session, provider.id)
    organizations = list_organizations(session, limit=MOST_CHOICES)
    trouble = error or rule_error
    return render(
        request,
        "identity_provider.html",
        visit=visit,
        now=now,
        status=status_of_form(trouble),
        provider=provider,
        rules=rules,
        names={one.id: one.name for one in organizations},
        organizations=organizations,
        roles=ROLE_WORDS,
        form=form if form is not None else _form_of(provider),
        wrong=error.fields if error is not None else {},
        sentence=error.message if error is not None else None,
        rule_sentence=rule_error.message if rule_error is not None else None,
        rule_form=rule_form or {},
        has_secret=provider.secret is not None,
        steps=steps,
        tested=tested,
        synced=synced,
        directories=DIRECTORIES,
        securities=SECURITIES,
        may_manage=visit.caller.may(Permission.INSTALLATION_MANAGE),
    )


def _form_of(provider: IdentityProvider) -> dict[str, str]:
    """Give what the form shows of what is stored; a setting that follows from the kind is shown as it came out."""
    shown = {"name": provider.name}
    if provider.kind == "ldap":
        stored = LdapSettings.model_construct(**provider.settings).model_dump(mode="json", warnings=False)
        shown |= {name: str(stored.get(name) or "") for name in (*_TEXTS, *_NUMBERS)}
        shown["hosts"] = " ".join(stored.get("hosts") or [])
        shown |= {name: "yes" for name in _CHECKS if stored.get(name)}
    shown |= {name: "yes" for name in ("enabled", "provisioning") if getattr(provider, name)}
    return shown
