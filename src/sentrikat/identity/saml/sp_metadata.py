"""Our side of the contract: addresses, entity id and certificates, as a provider wants to be told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree
from lxml.builder import ElementMaker

from sentrikat.identity.saml import signatures
from sentrikat.identity.saml.certificates import KeyPair
from sentrikat.identity.saml.names import AUTHENTICATED_CIPHERS, METADATA, POST, PROTOCOL, REDIRECT, SIGNATURE

VALID_FOR = timedelta(days=7)  # providers that fetch it daily notice a new key within the rollover


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """What we are for one provider. Each has its own addresses, so an answer cannot be taken to another's."""

    entity_id: str
    consumer_url: str
    logout_url: str

    @classmethod
    def at(cls, public_url: str, provider: int) -> ServiceProvider:
        """Give our addresses under the public address, for the provider of that number."""
        base = f"{public_url.rstrip('/')}/saml/{provider}"
        return cls(f"{base}/metadata", f"{base}/acs", f"{base}/logout")


def write_metadata(
    ours: ServiceProvider, keys: Sequence[KeyPair], name_id_format: str, now: datetime
) -> bytes:
    """Write the signed metadata; the first key signs, all of them are named."""
    md = ElementMaker(namespace=METADATA, nsmap={"md": METADATA, "ds": SIGNATURE})
    ds = ElementMaker(namespace=SIGNATURE)
    role = md.SPSSODescriptor(
        {
            "AuthnRequestsSigned": "true",
            "WantAssertionsSigned": "true",
            "protocolSupportEnumeration": PROTOCOL,
        }
    )
    for number, pair in enumerate(keys):
        for use in ("signing", "encryption"):
            # One key to encrypt for at a time: the one in use, which providers would otherwise pick by chance.
            if use == "encryption" and number:
                continue
            description = md.KeyDescriptor(
                {"use": use}, ds.KeyInfo(ds.X509Data(ds.X509Certificate(pair.certificate.body)))
            )
            if use == "encryption":
                description.extend(
                    md.EncryptionMethod({"Algorithm": each}) for each in sorted(AUTHENTICATED_CIPHERS)
                )
            role.append(description)
    for binding in (REDIRECT, POST):
        role.append(md.SingleLogoutService({"Binding": binding, "Location": ours.logout_url}))
    role.append(md.NameIDFormat(name_id_format))
    role.append(
        md.AssertionConsumerService(
            {"Binding": POST, "Location": ours.consumer_url, "index": "0", "isDefault": "true"}
        )
    )
    root = md.EntityDescriptor(
        {
            "entityID": ours.entity_id,
            "ID": f"_{secrets.token_hex(16)}",
            "validUntil": f"{now + VALID_FOR:%Y-%m-%dT%H:%M:%SZ}",
        },
        role,
    )
    signatures.sign(root, 0, keys[0].private, keys[0].certificate)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written
