"""The question we send a person to the provider with."""

from __future__ import annotations

import secrets
from datetime import datetime

from lxml.builder import ElementMaker

from sentrikat.identity.saml.documents import Element
from sentrikat.identity.saml.names import ASSERTION, POST, PROTOCOL, UNSPECIFIED
from sentrikat.identity.saml.sp_metadata import ServiceProvider

SAMLP = ElementMaker(namespace=PROTOCOL, nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
SAML = ElementMaker(namespace=ASSERTION)


def new_id() -> str:
    """Make an identifier: 160 random bits, and no digit first, as XML asks."""
    return f"_{secrets.token_hex(20)}"


def instant(moment: datetime) -> str:
    """Write a time as SAML does."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def authentication_request(
    request_id: str,
    ours: ServiceProvider,
    destination: str,
    name_id_format: str,
    now: datetime,
    *,
    again: bool = False,
) -> Element:
    """Ask the provider to authenticate somebody; `again`: even if they did a moment ago."""
    attributes = {
        "ID": request_id,
        "Version": "2.0",
        "IssueInstant": instant(now),
        "Destination": destination,
        "AssertionConsumerServiceURL": ours.consumer_url,
        "ProtocolBinding": POST,
    }
    if again:
        attributes["ForceAuthn"] = "true"
    policy = {"AllowCreate": "true"}
    if name_id_format != UNSPECIFIED:
        policy["Format"] = name_id_format
    return SAMLP.AuthnRequest(attributes, SAML.Issuer(ours.entity_id), SAMLP.NameIDPolicy(policy))
