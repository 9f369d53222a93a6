"""What is set up for one SAML identity provider, as stored in its `settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sentrikat.domain.errors import InvalidInput
from sentrikat.identity.saml.certificates import Certificate
from sentrikat.identity.saml.names import NAME_ID_FORMATS, PERSISTENT, POST, REDIRECT, TRANSIENT

MOST_SKEW = 300  # seconds; Kerberos allows five minutes, and so does python3-saml
MOST_CERTIFICATES = 8


@dataclass(frozen=True, slots=True)
class SamlConfiguration:
    """One identity provider, and what we want of it."""

    entity_id: str
    sso_url: str
    certificates: tuple[str, ...]  # base64 of DER; several while the provider changes its key
    sso_binding: str = REDIRECT
    slo_url: str = ""  # empty: signing out here leaves the session at the provider alone
    slo_binding: str = REDIRECT
    slo_response_url: str = ""  # empty: the same as slo_url
    name_id_format: str = PERSISTENT
    external_id_attribute: str = ""  # empty: the NameID names the account for good
    login_attribute: str = ""  # empty: the NameID
    name_attribute: str = "displayName"
    email_attribute: str = "mail"
    groups_attribute: str = "groups"
    signed_response: bool = True
    encrypted: bool = False
    idp_initiated: bool = False
    skew_seconds: int = 60

    @property
    def read_certificates(self) -> tuple[Certificate, ...]:
        """Give the certificates as objects."""
        return tuple(Certificate.read(body) for body in self.certificates)

    @property
    def skew(self) -> timedelta:
        """How far the provider's clock may be off."""
        return timedelta(seconds=self.skew_seconds)

    def to_json(self) -> dict[str, Any]:
        """Write it for the database."""
        return {
            each.name: list(value) if isinstance(value := getattr(self, each.name), tuple) else value
            for each in fields(self)
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SamlConfiguration:
        """Read what `to_json` wrote; a field of another version is passed over."""
        known = {each.name: stored[each.name] for each in fields(cls) if each.name in stored}
        known["certificates"] = tuple(known["certificates"])
        return cls(**known)


@dataclass(slots=True)
class _Problems:
    found: dict[str, str] = field(default_factory=dict)

    def address(self, name: str, value: str, *, required: bool) -> None:
        parts = urlsplit(value)
        if not value and not required:
            return
        if any(c <= " " or not c.isprintable() for c in value) or len(value) > 2000 or not parts.hostname:
            self.found[name] = "This is no web address."
        elif parts.scheme != "https" and not (
            parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
        ):
            self.found[name] = "It must begin with https://: what passes there signs people in."


def checked(configuration: SamlConfiguration) -> SamlConfiguration:
    """Give the configuration when it can work; InvalidInput names every field that cannot."""
    problems = _Problems()
    if not configuration.entity_id.strip() or len(configuration.entity_id) > 1024:
        problems.found["entity_id"] = "The provider's entity ID is missing."
    problems.address("sso_url", configuration.sso_url, required=True)
    problems.address("slo_url", configuration.slo_url, required=False)
    problems.address("slo_response_url", configuration.slo_response_url, required=False)
    for name in ("sso_binding", "slo_binding"):
        if getattr(configuration, name) not in {REDIRECT, POST}:
            problems.found[name] = "Choose one of the two."
    _check_certificates(configuration, problems)
    if configuration.name_id_format not in NAME_ID_FORMATS:
        problems.found["name_id_format"] = "Choose one of the formats."
    elif configuration.name_id_format == TRANSIENT and not configuration.external_id_attribute:
        problems.found["external_id_attribute"] = (
            "A transient name is another one each time: say which attribute names the person for good."
        )
    if not 0 <= configuration.skew_seconds <= MOST_SKEW:
        problems.found["skew_seconds"] = f"Give 0 to {MOST_SKEW} seconds."
    for each in ("external_id", "login", "name", "email", "groups"):
        if len(getattr(configuration, f"{each}_attribute")) > 300:
            problems.found[f"{each}_attribute"] = "The name of an attribute has at most 300 characters."
    if problems.found:
        raise InvalidInput(
            f"The provider was not saved: {' '.join(problems.found.values())}",
            hint="Nothing was changed.",
            fields=problems.found,
        )
    return configuration


def _check_certificates(configuration: SamlConfiguration, problems: _Problems) -> None:
    if not 0 < len(configuration.certificates) <= MOST_CERTIFICATES:
        problems.found["certificates"] = (
            f"Enter one to {MOST_CERTIFICATES} certificates that the provider signs with."
        )
    for number, body in enumerate(configuration.certificates, 1):
        try:
            Certificate.read(body)
        except ValueError as error:
            problems.found["certificates"] = f"Certificate {number} was not read: {error}."
