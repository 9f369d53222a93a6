"""What an administrator may say of a provider, by kind, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sentrikat.domain.errors import InvalidInput
from sentrikat.identity.ldap.settings import LdapSettings
from sentrikat.identity.saml.settings import SamlSettings

Settings = LdapSettings | SamlSettings
FORMS: dict[str, type[Settings]] = {"ldap": LdapSettings, "saml": SamlSettings}
_LONGEST_NAME = 100


def check_provider(kind: str, name: str, settings: Mapping[str, Any]) -> Settings:
    """Read what is to be stored; InvalidInput names every field that is wrong, the name among them."""
    try:
        checked = check_settings(kind, settings)
    except InvalidInput as error:
        if wrong := _name_trouble(name):
            raise _refused({"name": wrong} | error.fields) from error
        raise
    tidy_name(name)
    return checked


def tidy_name(name: str) -> str:
    """Give a provider's name as it is stored; InvalidInput if it cannot be one."""
    if wrong := _name_trouble(name):
        raise _refused({"name": wrong})
    return " ".join(name.split())


def _name_trouble(name: str) -> str | None:
    name = " ".join(name.split())
    if 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return None
    return f"Give it a name of 1 to {_LONGEST_NAME} characters."


def _refused(fields: dict[str, str]) -> InvalidInput:
    listed = "; ".join(f"{name}: {words}" for name, words in fields.items())
    return InvalidInput(f"The provider was not stored: {listed}", hint="Nothing was changed.", fields=fields)


def check_settings(kind: str, settings: Mapping[str, Any]) -> Settings:
    """Read the settings of a kind of provider; InvalidInput names every field that is wrong."""
    form = FORMS.get(kind)
    if form is None:
        raise InvalidInput(
            f"The provider was not stored: there is no kind “{kind[:50]}”.",
            hint=f"Kinds are: {', '.join(FORMS)}.",
            fields={"kind": "Choose one of the kinds."},
        )
    try:
        return form.model_validate(dict(settings))
    except ValidationError as error:
        fields = {
            str(one["loc"][0]) if one["loc"] else "settings": one["msg"].removeprefix("Value error, ")
            for one in error.errors(include_url=False, include_input=False)
        }
        raise _refused(fields) from error


def as_stored(settings: Settings) -> dict[str, Any]:
    """Give them as the provider's row keeps them."""
    return settings.as_stored() if isinstance(settings, SamlSettings) else settings.model_dump(mode="json")


def trusted(settings: Settings) -> dict[str, Any]:
    """Give for the log whose word is taken: an exchanged certificate lets somebody else vouch for everybody."""
    if isinstance(settings, LdapSettings):
        return {}
    configuration = settings.configuration
    return {
        "entity_id": configuration.entity_id[:200],
        "certificates": [certificate.fingerprint for certificate in configuration.read_certificates],
    }


def require_secret(settings: Settings, there: bool) -> None:
    """Refuse a service account without its password, and a password of nobody."""
    if isinstance(settings, SamlSettings) and there:
        raise InvalidInput(
            "The provider was not stored: a SAML provider has no secret, only certificates.",
            hint="Leave it out. Nothing was changed.",
            fields={"secret": "A SAML provider has none."},
        )
    if isinstance(settings, LdapSettings) and settings.bind_dn is not None and not there:
        raise InvalidInput(
            f"The provider was not stored: the service account “{settings.bind_dn}” has no password.",
            hint="Enter it. Nothing was changed.",
            fields={"secret": "The service account needs its password."},
        )
