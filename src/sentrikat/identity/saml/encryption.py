"""Assertions that were encrypted for us."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import xmlsec

from sentrikat.identity.saml.certificates import KeyPair
from sentrikat.identity.saml.documents import Element
from sentrikat.identity.saml.names import (
    AUTHENTICATED_CIPHERS,
    CBC_CIPHERS,
    ENCRYPTION,
    KEY_TRANSPORTS,
    NAMESPACES,
    SIGNATURE,
    tag,
)
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown

MOST_KEYS = 10  # one for each who may read it; each is tried with each key of ours


def decrypt(
    encrypted: Element, keys: Sequence[KeyPair], *, cipher_text_is_signed: bool
) -> tuple[bytes, KeyPair]:
    """Give the plain assertion and the key that opened it; SamlRefused says no more than that it failed."""
    encrypted = copy.deepcopy(encrypted)
    data = encrypted.findall("xenc:EncryptedData", NAMESPACES)
    if len(data) != 1:
        raise SamlRefused(
            Reason.NOT_DECRYPTED, f"The encrypted assertion has {len(data)} parts instead of one."
        )
    _refuse_weak(encrypted, data[0], cipher_text_is_signed=cipher_text_is_signed)
    _bring_key_inside(encrypted, data[0])
    # Told that it is no element, xmlsec gives the bytes, and they pass the same checks as every document.
    data[0].attrib.pop("Type", None)
    for pair in keys:
        manager = xmlsec.KeysManager()
        manager.add_key(xmlsec.Key.from_memory(pair.private, xmlsec.constants.KeyDataFormatPem))
        try:
            plain = xmlsec.EncryptionContext(manager).decrypt(copy.deepcopy(data[0]))
        except xmlsec.Error:
            continue
        if isinstance(plain, bytes):
            return plain, pair
    raise SamlRefused(
        Reason.NOT_DECRYPTED,
        "The assertion was not decrypted with any of our keys: the provider may hold an old certificate of ours.",
    )


def _refuse_weak(encrypted: Element, data: Element, *, cipher_text_is_signed: bool) -> None:
    ciphers = [method.get("Algorithm") for method in data.findall("xenc:EncryptionMethod", NAMESPACES)]
    allowed = AUTHENTICATED_CIPHERS | CBC_CIPHERS if cipher_text_is_signed else AUTHENTICATED_CIPHERS
    transports = [
        method.get("Algorithm")
        for method in encrypted.iterfind(".//xenc:EncryptedKey/xenc:EncryptionMethod", NAMESPACES)
    ]
    if len(ciphers) != 1 or ciphers[0] not in allowed:
        raise SamlRefused(
            Reason.WEAK_ALGORITHM,
            f"The assertion is encrypted with {shown(ciphers[0] if ciphers else None)}; AES-GCM is taken, and AES-CBC "
            "within a signed response.",
        )
    if not transports or not set(transports) <= KEY_TRANSPORTS:
        raise SamlRefused(
            Reason.WEAK_ALGORITHM,
            f"The key of the assertion is encrypted with {shown(transports[0] if transports else None)}; RSA-OAEP is taken.",
        )
    brought = sum(1 for _key in encrypted.iter(tag(ENCRYPTION, "EncryptedKey")))
    if brought > MOST_KEYS:
        raise SamlRefused(
            Reason.NOT_DECRYPTED,
            f"The assertion brings {brought} encrypted keys; at most {MOST_KEYS} are tried.",
        )
    # A key or cipher text elsewhere would be fetched.
    if next(encrypted.iter(tag(ENCRYPTION, "CipherReference")), None) is not None:
        raise SamlRefused(Reason.NOT_DECRYPTED, "The encrypted assertion refers to a cipher text elsewhere.")


def _bring_key_inside(encrypted: Element, data: Element) -> None:
    """Put an EncryptedKey that stands beside the data where xmlsec looks for it."""
    beside = encrypted.findall("xenc:EncryptedKey", NAMESPACES)
    info = data.find("ds:KeyInfo", NAMESPACES)
    if info is None:
        info = data.makeelement(tag(SIGNATURE, "KeyInfo"))
        data.insert(1, info)
    for reference in info.findall("ds:RetrievalMethod", NAMESPACES):
        info.remove(reference)
    info.extend(beside)
