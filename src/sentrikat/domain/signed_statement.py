"""Signed statements: a DSSE envelope with Ed25519 signatures, as in-toto and TUF tools read them.

Source  https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
        https://www.rfc-editor.org/rfc/rfc8785 for the payload's bytes

A signature is over the payload's type as well, so that a statement of one kind never passes for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LARGEST_INTEGER = 2**53 - 1  # RFC 8785: beyond, two readers may see two numbers
MOST_SIGNATURES = 16
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 key that may sign. Its `id` is the SHA-256 of its 32 bytes, in hex."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _KEY_BYTES:
            raise ValueError("a public key has 32 bytes")

    @property
    def id(self) -> str:
        """Give the name by which signatures refer to the key."""
        return hashlib.sha256(self.raw).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the key made `signature` of `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """Who says to have signed, and the signature."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, what kind of statement it is, and its signatures."""

    kind: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def encoded(self) -> bytes:
        """Give the envelope as JSON."""
        return canonical(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.kind,
                "signatures": [
                    {"keyid": one.key_id, "sig": base64.b64encode(one.value).decode()}
                    for one in self.signatures
                ],
            }
        )

    def signers(self, keys: Mapping[str, PublicKey]) -> frozenset[str]:
        """Give the ids of those `keys` whose signature holds."""
        message = to_sign(self.kind, self.payload)
        return frozenset(
            one.key_id
            for one in self.signatures
            if one.key_id in keys and keys[one.key_id].verifies(one.value, message)
        )


def public_half(key: Ed25519PrivateKey) -> PublicKey:
    """Give the public key of a private one."""
    return PublicKey(key.public_key().public_bytes_raw())


def signed(kind: str, payload: bytes, keys: Sequence[Ed25519PrivateKey]) -> Envelope:
    """Sign `payload` with each of `keys`."""
    message = to_sign(kind, payload)
    return Envelope(kind, payload, tuple(Signature(public_half(key).id, key.sign(message)) for key in keys))


def to_sign(kind: str, payload: bytes) -> bytes:
    """Give the bytes a signature is over: DSSE's pre-authentication encoding."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def opened(content: bytes, kind: str) -> Envelope:
    """Read an envelope of that kind; ValueError where it breaks its form. No signature is checked yet."""
    envelope = _object(orjson.loads(content), "the envelope")
    said = _text(envelope, "payloadType")
    if said != kind:
        raise ValueError(f"it signs {said[:80]!r} and not {kind!r}")
    listed = envelope.get("signatures")
    if not isinstance(listed, list):
        raise TypeError("signatures is not a list")
    signatures = [_object(one, "signatures") for one in listed]
    if not 1 <= len(signatures) <= MOST_SIGNATURES:
        raise ValueError(f"it has {len(signatures)} signatures, and 1 to {MOST_SIGNATURES} can be")
    return Envelope(
        kind,
        _bytes(_text(envelope, "payload")),
        tuple(Signature(_text(one, "keyid"), _bytes(_text(one, "sig"))) for one in signatures),
    )


def canonical(value: Mapping[str, Any]) -> bytes:
    """Give the bytes of RFC 8785 for values of ours: ASCII names, texts, whole numbers, yes and no.

    For these sorting by UTF-8 bytes is sorting by UTF-16 units, and orjson escapes what the RFC escapes.
    """
    _check(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for name, inside in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError(f"{name!r} is no name that a signed document may use")
            _check(inside)
    elif isinstance(value, (list, tuple)):
        for inside in value:
            _check(inside)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST_INTEGER):
        raise ValueError(f"{value!r} is no number that a signed document may hold")


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not an object")
    return value


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise TypeError(f"{name} is missing" if value is None else f"{name} is not a text")
    return value


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as trouble:
        raise ValueError("it holds something that is not base64") from trouble
