"""An identity provider of ours: says what a test wants it to say, and signs it as a real one would.

Its documents have the form of SimpleSAMLphp's (tests/flows/test_saml_peer.py meets the real one). What a real
provider would never sign, this one does.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import xmlsec
from lxml import etree

from sentrikat.identity.saml import signatures
from sentrikat.identity.saml.certificates import Certificate, KeyPair, make_key_pair
from sentrikat.identity.saml.names import (
    NAMESPACES,
    PERSISTENT,
    PROTOCOL,
    SIGNATURE,
    SUCCESS,
)
from sentrikat.identity.saml.requests import SAML, SAMLP, instant, new_id

IDP = "https://idp.example.org/metadata"
SP = "https://kat.example.org/saml/1/metadata"
ACS = "https://kat.example.org/saml/1/acs"
CM_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
AES_GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
RSA_OAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"


@cache
def keys(name: str) -> KeyPair:
    """A key pair by name, made once per process: making one takes a tenth of a second."""
    return make_key_pair(name, datetime.now(UTC), bits=2048)


@dataclass(frozen=True)
class Says:
    """What the provider says. The default is a good answer to the request `_asked`."""

    now: datetime
    issuer: str = IDP
    audience: str | None = SP
    recipient: str | None = ACS
    destination: str | None = ACS
    in_response_to: str | None = "_asked"
    confirmed_in_response_to: str | None = "same"
    name_id: str = "jane-7f3a"
    name_id_format: str = PERSISTENT
    attributes: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            "uid": ["jane"],
            "displayName": ["Jane Doe"],
            "mail": ["jane@example.org"],
            "groups": ["kat-analysts", "all"],
        }
    )
    begins: timedelta = timedelta(seconds=-30)
    lasts: timedelta = timedelta(minutes=5)
    authenticated: timedelta = timedelta(seconds=-5)
    session_index: str | None = "_session1"
    status: str = SUCCESS
    method: str = CM_BEARER
    assertion_id: str = ""

    def but(self, **changes: Any) -> Says:
        """Say the same but for `changes`."""
        return replace(self, **changes)


def assertion(says: Says) -> Any:
    """An assertion, unsigned."""
    ends = instant(says.now + says.lasts)
    confirmed = (
        says.in_response_to if says.confirmed_in_response_to == "same" else says.confirmed_in_response_to
    )
    data = {"Recipient": says.recipient, "NotOnOrAfter": ends, "InResponseTo": confirmed}
    conditions = SAML.Conditions({"NotBefore": instant(says.now + says.begins), "NotOnOrAfter": ends})
    if says.audience is not None:
        conditions.append(SAML.AudienceRestriction(SAML.Audience(says.audience)))
    return SAML.Assertion(
        {"ID": says.assertion_id or new_id(), "Version": "2.0", "IssueInstant": instant(says.now)},
        SAML.Issuer(says.issuer),
        SAML.Subject(
            SAML.NameID(says.name_id, {"Format": says.name_id_format}),
            SAML.SubjectConfirmation(
                {"Method": says.method},
                SAML.SubjectConfirmationData({k: v for k, v in data.items() if v is not None}),
            ),
        ),
        conditions,
        SAML.AuthnStatement(
            {"AuthnInstant": instant(says.now + says.authenticated)}
            | ({"SessionIndex": says.session_index} if says.session_index else {}),
            SAML.AuthnContext(
                SAML.AuthnContextClassRef("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport")
            ),
        ),
        SAML.AttributeStatement(
            *[
                SAML.Attribute({"Name": name}, *[SAML.AttributeValue(value) for value in values])
                for name, values in says.attributes.items()
            ]
        ),
    )


def respond(
    says: Says,
    *,
    key: str | None = "idp",
    response_key: str | None = "idp",
    encrypt_for: Certificate | None = None,
    cipher: str = AES_GCM,
    transport: str = RSA_OAEP,
) -> Any:
    """A response: the assertion signed by `key`, encrypted if wanted, the whole signed by `response_key`."""
    said = assertion(says)
    if key is not None:
        signatures.sign(said, 1, keys(key).private, keys(key).certificate)
    if encrypt_for is not None:
        said = encrypted(said, encrypt_for, cipher, transport)
    return wrap(says, said, response_key)


def wrap(says: Says, said: Any, response_key: str | None = "idp") -> Any:
    """A response around an assertion as it is."""
    attributes = {
        "ID": new_id(),
        "Version": "2.0",
        "IssueInstant": instant(says.now),
        "Destination": says.destination,
        "InResponseTo": says.in_response_to,
    }
    root = SAMLP.Response(
        {name: value for name, value in attributes.items() if value is not None},
        SAML.Issuer(says.issuer),
        SAMLP.Status(SAMLP.StatusCode({"Value": says.status})),
    )
    if said is not None:
        root.append(said)
    if response_key is not None:
        signatures.sign(root, 1, keys(response_key).private, keys(response_key).certificate)
    # What xmlsec added has names that lxml does not find again before they are parsed.
    return etree.fromstring(etree.tostring(root))


def encrypted(said: Any, certificate: Certificate, cipher: str = AES_GCM, transport: str = RSA_OAEP) -> Any:
    """An assertion encrypted for the holder of a certificate."""
    transforms = {
        "http://www.w3.org/2009/xmlenc11#aes256-gcm": xmlsec.constants.TransformAes256Gcm,
        "http://www.w3.org/2001/04/xmlenc#aes256-cbc": xmlsec.constants.TransformAes256Cbc,
    }
    transports = {
        RSA_OAEP: xmlsec.constants.TransformRsaOaep,
        "http://www.w3.org/2001/04/xmlenc#rsa-1_5": xmlsec.constants.TransformRsaPkcs1,
    }
    data = xmlsec.template.encrypted_data_create(
        said, transforms[cipher], type=xmlsec.constants.TypeEncElement, ns="xenc"
    )
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    key = xmlsec.template.add_encrypted_key(info, transports[transport])
    xmlsec.template.encrypted_data_ensure_cipher_value(key)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(certificate.pem, xmlsec.constants.KeyDataFormatCertPem))
    context = xmlsec.EncryptionContext(manager)
    bits = 128 if "128" in cipher else 256
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, bits, xmlsec.constants.KeyDataTypeSession)
    holder = SAML.EncryptedAssertion(copy.deepcopy(said))
    holder.append(context.encrypt_binary(data, etree.tostring(said)))
    holder.remove(holder[0])
    return holder


def encode(root: Any) -> str:
    """The response as the form field has it."""
    return base64.b64encode(etree.tostring(root)).decode()


def find(root: Any, path: str) -> Any:
    """The element at a path, which must be there."""
    found = root.find(path, NAMESPACES)
    assert found is not None, path
    return found


def evil(root: Any) -> Any:
    """A copy of the response's assertion that names somebody else, without a signature."""
    forged = copy.deepcopy(find(root, ".//saml:Assertion"))
    signature = forged.find("ds:Signature", NAMESPACES)
    if signature is not None:
        forged.remove(signature)
    forged.set("ID", new_id())
    find(forged, "saml:Subject/saml:NameID").text = "admin"
    for value in forged.iterfind(".//saml:AttributeValue", NAMESPACES):
        value.text = "admin"
    return forged


def wrappings(root: Any, *, respelled: bool = False) -> dict[str, Any]:
    """XML Signature Wrapping 1 to 8 (Somorovsky and others, 2012): what is signed stays, what is read is forged.

    With `respelled`, the forged element carries the identifier of the signed one.
    """
    found: dict[str, Any] = {}
    for number in (1, 2):  # of the response: a forged response around, or beside, the signed one
        original, forged = copy.deepcopy(root), copy.deepcopy(root)
        signature = find(forged, "ds:Signature")
        find(forged, "saml:Assertion/saml:Subject/saml:NameID").text = "admin"
        find(original, "ds:Signature").getparent().remove(find(original, "ds:Signature"))
        if not respelled:
            forged.set("ID", new_id())
        if number == 1:
            signature.append(original)
        else:
            forged.remove(signature)
            forged.insert(1, original)
            forged.insert(2, signature)
        found[f"XSW{number}"] = forged
    for number in range(3, 9):  # of the assertion
        message = copy.deepcopy(root)
        response_signature = message.find("ds:Signature", NAMESPACES)
        if response_signature is not None:
            message.remove(response_signature)
        original = find(message, "saml:Assertion")
        forged = evil(message)
        if respelled:
            forged.set("ID", original.get("ID"))
        signature = find(original, "ds:Signature")
        match number:
            case 3:  # the forged one in front of the original
                original.addprevious(forged)
            case 4:  # the original within the forged one
                message.replace(original, forged)
                forged.append(original)
            case 5:  # the signature moves to the forged one, the original behind it
                original.remove(signature)
                forged.insert(1, signature)
                original.addprevious(forged)
            case 6:  # the same, the original within the signature
                message.replace(original, forged)
                original.remove(signature)
                forged.insert(1, signature)
                signature.append(original)
            case 7:  # the forged one within an extension, whose content schemas do not look at
                extensions = etree.Element(f"{{{PROTOCOL}}}Extensions")
                extensions.append(forged)
                message.insert(1, extensions)
            case 8:  # the original within an Object of the signature of the forged one
                message.replace(original, forged)
                original.remove(signature)
                forged.insert(1, signature)
                holder = etree.SubElement(signature, f"{{{SIGNATURE}}}Object")
                holder.append(original)
        found[f"XSW{number}"] = message
    return found
