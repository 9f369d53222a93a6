"""Directories and SAML providers that people sign in with, for those who run the installation."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import Now, SystemSession, database_of, requires, settings_of
from sentrikat.domain.permissions import Caller, Permission, Role
from sentrikat.identity import providers
from sentrikat.identity.directories import stored_directory
from sentrikat.identity.directory_sync import synchronize
from sentrikat.identity.group_rules import GroupRule
from sentrikat.identity.ldap.diagnosis import diagnose
from sentrikat.identity.models import IdentityProvider
from sentrikat.identity.provisioning import rules_of
from sentrikat.infra.encryption import open_vault

router = APIRouter(prefix="/identity-providers", tags=["identity providers"])
Reader = Annotated[Caller, requires(Permission.INSTALLATION_READ)]
Manager = Annotated[Caller, requires(Permission.INSTALLATION_MANAGE, step_up=True)]


class ProviderItem(Answer):
    """A provider in the list."""

    id: int
    kind: str
    name: str
    enabled: bool
    provisioning: bool
    accounts: int = Field(description="Accounts here that it vouches for.")
    rules: int
    last_sync_at: str | None
    last_error: str | None = Field(description="Null: it answered the last time it was asked.")
    last_error_at: str | None


class ProviderItems(Answer):
    """Every provider, in the order in which they are asked."""

    items: list[ProviderItem]


class Rule(BaseModel):
    """Members of a group get a role in an organization, or run the installation, or both."""

    model_config = ConfigDict(extra="forbid", strict=True)

    group: str = Field(min_length=1, max_length=1000, description="Name or DN; * is everybody.")
    organization_id: int | None = Field(default=None, ge=1, le=2**63 - 1)
    role: str | None = Field(default=None, max_length=50, examples=[Role.ANALYST.value])
    installation_admin: bool = False


class Provider(Answer):
    """A provider with its settings and rules; never its secret."""

    id: int
    kind: str
    name: str
    position: int
    enabled: bool
    provisioning: bool
    settings: dict[str, Any]
    has_secret: bool
    rules: list[Rule]
    last_sync_at: str | None
    last_sync: dict[str, Any] | None
    last_error: str | None
    last_error_at: str | None


class NewProvider(BaseModel):
    """A provider to add."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str = Field(max_length=20, examples=["ldap", "saml"])
    name: str = Field(min_length=1, max_length=100)
    settings: dict[str, Any] = Field(
        description="By kind: docs/admin/directories.md lists a directory's, docs/admin/saml.md a SAML provider's. "
        "There, `metadata` may hold its metadata as XML text."
    )
    secret: str | None = Field(
        default=None, max_length=10_000, description="Stored encrypted, never given back."
    )
    enabled: bool = True
    provisioning: bool = Field(default=True, description="Make accounts at the first sign-in.")


class ProviderPatch(BaseModel):
    """What is to become of a provider; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str | None = Field(default=None, min_length=1, max_length=100)
    settings: dict[str, Any] | None = Field(
        default=None, description="All of them: they replace what is stored."
    )
    secret: str | None = Field(default=None, max_length=10_000)
    enabled: bool | None = None
    provisioning: bool | None = None
    position: int | None = Field(default=None, ge=0, le=1_000_000)


class RuleList(BaseModel):
    """Every rule, in the order they are read: for one organization the first that matches decides."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rules: list[Rule] = Field(max_length=500)


class Trial(BaseModel):
    """Whom to look for while a directory is tested."""

    model_config = ConfigDict(extra="forbid", strict=True)

    login: str = Field(default="", max_length=200)
    password: str = Field(default="", max_length=1024)


class TrialStep(Answer):
    """One step of a test."""

    host: str
    step: str
    good: bool
    words: str


class TrialSteps(Answer):
    """How far each host came."""

    steps: list[TrialStep]


class SyncRequest(BaseModel):
    """How a synchronization is started."""

    model_config = ConfigDict(extra="forbid", strict=True)

    accept_many: bool = Field(default=False, description="Disable also more accounts than the limit allows.")


class SyncOutcome(Answer):
    """What a synchronization saw and did."""

    accounts: int
    found: int
    disabled: list[str]
    without_rule: int
    held: list[str] = Field(description="Not disabled before somebody lets it happen (`accept_many`).")
    losing: list[str] = Field(description="The same, for those who would lose what groups gave them.")
    trouble: str | None
    sentence: str


@router.get("", response_model=ProviderItems)
def list_all(caller: Reader, session: SystemSession) -> Response:
    """List every provider; there are few, so all are given at once."""
    rows = [row._asdict() for row in providers.list_providers(session, caller)]
    return json({"items": rows})


@router.post("", status_code=201, response_model=Provider)
def create(
    request: Request, caller: Manager, session: SystemSession, now: Now, wanted: NewProvider
) -> Response:
    """Add a provider. Without rules it lets nobody in."""
    made = providers.create_provider(
        session,
        caller,
        partial(open_vault, settings_of(request)),
        kind=wanted.kind,
        name=wanted.name,
        settings=wanted.settings,
        secret=wanted.secret,
        enabled=wanted.enabled,
        provisioning=wanted.provisioning,
        now=now,
    )
    return json(_whole(made, []), status=201)


@router.get("/{provider_id}", response_model=Provider)
def show(caller: Reader, session: SystemSession, provider_id: int) -> Response:
    """Show a provider."""
    provider = providers.access_provider(session, caller, provider_id, Permission.INSTALLATION_READ)
    return json(_whole(provider, rules_of(session, provider.id)))


@router.patch("/{provider_id}", status_code=204)
def change(
    request: Request,
    caller: Manager,
    session: SystemSession,
    now: Now,
    provider_id: int,
    wanted: ProviderPatch,
) -> None:
    """Change a provider; switching it off ends the sessions of its accounts."""
    provider = providers.access_provider(session, caller, provider_id, Permission.INSTALLATION_MANAGE)
    providers.change_provider(
        session,
        caller,
        partial(open_vault, settings_of(request)),
        provider,
        providers.ProviderChange(**wanted.model_dump()),
        now=now,
    )


@router.delete("/{provider_id}", status_code=204)
def delete(caller: Manager, session: SystemSession, now: Now, provider_id: int) -> None:
    """Remove a provider: its accounts are disabled, and keep their history."""
    provider = providers.access_provider(session, caller, provider_id, Permission.INSTALLATION_MANAGE)
    providers.delete_provider(session, caller, provider, now=now)


@router.put("/{provider_id}/rules", status_code=204)
def put_rules(caller: Manager, session: SystemSession, now: Now, provider_id: int, wanted: RuleList) -> None:
    """Replace the group rules."""
    provider = providers.access_provider(session, caller, provider_id, Permission.INSTALLATION_MANAGE)
    rules = [
        GroupRule(
            rule.group,
            rule.organization_id,
            providers.read_rule_role(rule.role),
            rule.installation_admin,
        )
        for rule in wanted.rules
    ]
    providers.set_rules(session, caller, provider, rules, now=now)


@router.post("/{provider_id}/test", response_model=TrialSteps)
def try_out(request: Request, caller: Manager, now: Now, provider_id: int, wanted: Trial) -> Response:
    """Try a directory step by step, and say in words how far it came."""
    with database_of(request).as_system() as session:
        provider = providers.ask_directory(session, caller, provider_id, "test", now=now, login=wanted.login)
        rules = rules_of(session, provider.id)
    directory = stored_directory(provider, settings_of(request))
    steps = diagnose(
        directory.settings, directory.secret, rules, login=wanted.login, password=wanted.password, now=now
    )
    return json(
        {
            "steps": [
                {"host": step.host, "step": step.name, "good": step.good, "words": step.words}
                for step in steps
            ]
        }
    )


@router.post("/{provider_id}/sync", response_model=SyncOutcome)
def sync(request: Request, caller: Manager, now: Now, provider_id: int, wanted: SyncRequest) -> Response:
    """Bring the accounts of a directory to what it says now."""
    with database_of(request).as_system() as session:
        provider = providers.ask_directory(
            session, caller, provider_id, "sync", now=now, accept_many=wanted.accept_many
        )
    outcome = synchronize(
        database_of(request),
        stored_directory(provider, settings_of(request)),
        request.app.state.clock,
        caller=caller,
        accept_many=wanted.accept_many,
    )
    return json(outcome.as_detail())


def _whole(provider: IdentityProvider, rules: list[GroupRule]) -> dict[str, Any]:
    return {
        "id": provider.id,
        "kind": provider.kind,
        "name": provider.name,
        "position": provider.position,
        "enabled": provider.enabled,
        "provisioning": provider.provisioning,
        "settings": provider.settings,
        "has_secret": provider.secret is not None,
        "rules": [
            {
                "group": rule.group,
                "organization_id": rule.organization_id,
                "role": rule.role.value if rule.role is not None else None,
                "installation_admin": rule.installation_admin,
            }
            for rule in rules
        ],
        "last_sync_at": provider.last_sync_at,
        "last_sync": provider.last_sync,
        "last_error": provider.last_error,
        "last_error_at": provider.last_error_at,
    }
