"""What is sent to set up a SAML provider, over the API, from the command line and from its page.

Its metadata may stand for what it says (`FROM_METADATA`); what is given beside it wins over it. It is not kept.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentrikat.identity.saml.configuration import SamlConfiguration, checked
from sentrikat.identity.saml.documents import LARGEST_METADATA
from sentrikat.identity.saml.idp_metadata import IdpMetadata, read_metadata
from sentrikat.identity.saml.names import PERSISTENT, REDIRECT

FROM_METADATA = tuple(each.name for each in fields(IdpMetadata))
_ARMOR_BEGIN, _ARMOR_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class SamlSettings(BaseModel):
    """One SAML identity provider, and what we want of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metadata: str | None = Field(
        default=None,
        max_length=LARGEST_METADATA,
        exclude=True,
        description="Its metadata, the whole XML document: fills in what is left out of the next eight.",
    )
    entity_id: str = Field(default="", description="What it calls itself.")
    sso_url: str = Field(default="", description="Where people sign in.")
    sso_binding: str = Field(default=REDIRECT, description="How they are sent there: redirect, or POST form.")
    slo_url: str = Field(default="", description="Where they sign out; empty: its session is left alone.")
    slo_binding: str = Field(default=REDIRECT, description="How they are sent there.")
    slo_response_url: str = Field(default="", description="Where answers go, if not to slo_url.")
    certificates: tuple[str, ...] = Field(default=(), description="What it signs with, PEM or base64 of DER.")
    name_id_format: str = Field(default=PERSISTENT, description="The form of name we ask for.")
    external_id_attribute: str = Field(
        default="", description="Names the account for good; empty: the NameID does."
    )
    login_attribute: str = Field(default="", description="The login name; empty: the NameID.")
    name_attribute: str = Field(default="displayName", description="The person's name.")
    email_attribute: str = Field(default="mail", description="Their mail address.")
    groups_attribute: str = Field(default="groups", description="The groups that the rules read.")
    signed_response: bool = Field(default=True, description="The response must be signed as well.")
    encrypted: bool = Field(default=False, description="The assertion must be encrypted.")
    idp_initiated: bool = Field(default=False, description="People may begin at the provider.")
    skew_seconds: int = Field(default=60, description="How far its clock may be off, 0 to 300.")

    @model_validator(mode="before")
    @classmethod
    def _with_metadata(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("metadata"), str):
            return given
        if len(given["metadata"]) > LARGEST_METADATA:
            return given  # the field's own limit says so
        read = read_metadata(given["metadata"].strip().encode())
        return {name: getattr(read, name) for name in FROM_METADATA} | given

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        checked(self.configuration)
        return self

    @property
    def configuration(self) -> SamlConfiguration:
        """Give it as signing in uses it."""
        given = {each.name: getattr(self, each.name) for each in fields(SamlConfiguration)}
        return SamlConfiguration(
            **given | {"certificates": split_certificates("\n\n".join(self.certificates))}
        )

    def as_stored(self) -> dict[str, Any]:
        """Give it as the provider's row keeps it."""
        return self.configuration.to_json()


def split_certificates(text: str) -> tuple[str, ...]:
    """Split certificates that stand one after the other, in PEM or bare with an empty line between."""
    parts = text.replace("\r\n", "\n").replace(_ARMOR_END, "\n\n").split("\n\n")
    bodies = ("".join(part.replace(_ARMOR_BEGIN, "").split()) for part in parts)
    return tuple(dict.fromkeys(body for body in bodies if body))


def as_pem(body: str) -> str:
    """Give a certificate as text that other programs read."""
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([_ARMOR_BEGIN, *lines, _ARMOR_END, ""])
