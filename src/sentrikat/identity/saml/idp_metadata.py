"""Metadata of an identity provider, pasted or uploaded: fills in what would be typed otherwise.

Not fetched by us: an address of metadata is one more way out, and whoever alters what it answers signs in as
anybody. Only its values are taken, after an administrator looked at them; the signature some have is not
followed, for it would need a certificate from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentrikat.domain.errors import InvalidInput
from sentrikat.identity.saml.certificates import Certificate
from sentrikat.identity.saml.documents import LARGEST_METADATA, Element, parse, text_of
from sentrikat.identity.saml.names import (
    METADATA,
    NAME_ID_FORMATS,
    NAMESPACES,
    PERSISTENT,
    POST,
    REDIRECT,
    tag,
)
from sentrikat.identity.saml.refusal import SamlRefused, shown

_DESCRIPTOR = tag(METADATA, "EntityDescriptor")


@dataclass(frozen=True, slots=True)
class IdpMetadata:
    """What a provider says of itself."""

    entity_id: str
    sso_url: str
    sso_binding: str
    slo_url: str
    slo_binding: str
    slo_response_url: str
    certificates: tuple[str, ...]
    name_id_format: str


def read_metadata(content: bytes) -> IdpMetadata:
    """Read the metadata of one identity provider; InvalidInput says what it lacks."""
    try:
        root = parse(content, largest=LARGEST_METADATA, comments=True)
    except SamlRefused as refused:
        raise _unfit(refused.message) from None
    role = _identity_provider(root)
    sso_url, sso_binding, _ = _endpoint(role, "SingleSignOnService")
    if not sso_url:
        raise _unfit("it names no address to sign in at with the redirect or the POST binding")
    slo_url, slo_binding, slo_response_url = _endpoint(role, "SingleLogoutService")
    formats = [text_of(format_) for format_ in role.findall("md:NameIDFormat", NAMESPACES)]
    return IdpMetadata(
        entity_id=role.getparent().get("entityID", ""),
        sso_url=sso_url,
        sso_binding=sso_binding,
        slo_url=slo_url,
        slo_binding=slo_binding,
        slo_response_url=slo_response_url,
        certificates=_certificates(role),
        name_id_format=next((f for f in NAME_ID_FORMATS if f in formats), PERSISTENT),
    )


def _identity_provider(root: Element) -> Element:
    entities = [root] if root.tag == _DESCRIPTOR else list(root.iter(_DESCRIPTOR))
    roles = [role for entity in entities for role in entity.findall("md:IDPSSODescriptor", NAMESPACES)]
    if len(roles) != 1:
        raise _unfit(
            f"it describes {len(roles)} identity providers instead of one (its root is {shown(str(root.tag))})"
        )
    return roles[0]


def _endpoint(role: Element, name: str) -> tuple[str, str, str]:
    """Give the address, binding and address for answers of a service; redirect is preferred."""
    for binding in (REDIRECT, POST):
        for endpoint in role.findall(f"md:{name}", NAMESPACES):
            if endpoint.get("Binding") == binding and endpoint.get("Location"):
                return endpoint.get("Location").strip(), binding, endpoint.get("ResponseLocation", "").strip()
    return "", REDIRECT, ""


def _certificates(role: Element) -> tuple[str, ...]:
    found: dict[str, None] = {}  # in order, each once
    for key in role.findall("md:KeyDescriptor", NAMESPACES):
        if key.get("use", "signing") != "signing":
            continue
        for written in key.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMESPACES):
            try:
                found[Certificate.read(text_of(written) or "").body] = None
            except ValueError as error:
                raise _unfit(f"a certificate in it was not read: {error}") from None
    if not found:
        raise _unfit("it names no certificate that the provider signs with")
    return tuple(found)


def _unfit(why: str) -> InvalidInput:
    words = f"The metadata was not read: {why.rstrip('.')}."
    return InvalidInput(
        words,
        hint="Paste the whole XML document, or enter the values. Nothing was changed.",
        fields={"metadata": words},
    )
