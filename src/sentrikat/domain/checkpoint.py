"""A signed checkpoint of a journal's chain: after so many entries it ended with this one.

Whoever keeps one notices that later somebody cut the chain off before it, or wrote everything anew since the
beginning. Checkpoints are numbered and each names the digest of the one before, so that one which is gone is missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sentrikat.domain.chain_walk import Break, Fault, Mark
from sentrikat.domain.hash_chain import moment_text
from sentrikat.domain.signed_statement import Envelope, PublicKey, canonical, opened, signed

FORMAT = "sentrikat-audit-checkpoint"
KIND = "application/vnd.sentrikat.audit-checkpoint+json"
NONE_BEFORE = bytes(32)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed. `previous` is the SHA-256 of the payload of the checkpoint before."""

    organization_id: int
    number: int
    entry_id: int
    entries: int
    head: bytes
    at: datetime
    previous: bytes

    def encoded(self) -> bytes:
        """Give the canonical bytes."""
        return canonical(
            {
                "format": FORMAT,
                "organization_id": self.organization_id,
                "number": self.number,
                "entry_id": self.entry_id,
                "entries": self.entries,
                "head": self.head.hex(),
                "at": moment_text(self.at),
                "previous": self.previous.hex(),
            }
        )

    def digest(self) -> bytes:
        """Give what the next checkpoint names."""
        return hashlib.sha256(self.encoded()).digest()

    def mark(self) -> Mark:
        """Give what the walk compares with."""
        return Mark(self.entries, self.entry_id, self.head, self.words())

    def words(self) -> str:
        """Name it for people."""
        return f"checkpoint {self.number} of {self.at:%Y-%m-%d %H:%M} UTC"


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Envelope:
    """Sign a checkpoint."""
    return signed(KIND, checkpoint.encoded(), [key])


def decoded(payload: bytes) -> Checkpoint:
    """Read a payload; ValueError where it breaks its form."""
    found: Any = orjson.loads(payload)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError("it is not a checkpoint of an audit log")
    try:
        made = Checkpoint(
            organization_id=int(found["organization_id"]),
            number=int(found["number"]),
            entry_id=int(found["entry_id"]),
            entries=int(found["entries"]),
            head=bytes.fromhex(found["head"]),
            at=datetime.fromisoformat(found["at"]),
            previous=bytes.fromhex(found["previous"]),
        )
    except (KeyError, TypeError) as trouble:
        raise ValueError(f"a field is missing or of another type: {trouble}") from trouble
    if made.at.tzinfo is None or made.encoded() != payload:
        raise ValueError("its bytes are not the canonical ones")
    return made


def read_envelope(content: bytes) -> tuple[Envelope, Checkpoint]:
    """Read a signed checkpoint; ValueError or TypeError where it breaks its form. No signature is checked yet."""
    envelope = opened(content, KIND)
    return envelope, decoded(envelope.payload)


def proven(
    envelopes: Iterable[bytes], organization_id: int, keys: Mapping[str, PublicKey]
) -> tuple[list[Checkpoint], Break | None]:
    """Read the checkpoints of a chain in their order, up to the first that does not hold, and say why it does not."""
    found: list[Checkpoint] = []
    for place, content in enumerate(envelopes, start=1):
        reason = None
        try:
            envelope, one = read_envelope(content)
        except (ValueError, TypeError) as trouble:
            return found, _refused(f"checkpoint {place} cannot be read: {trouble}")
        if not envelope.signers(keys):
            named = ", ".join(signature.key_id[:16] for signature in envelope.signatures)
            known = any(signature.key_id in keys for signature in envelope.signatures)
            reason = (
                f"the signature of {one.words()} is not one of the key {named} that it names"
                if known
                else f"{one.words()} is signed by the key {named}, which is none of those given"
            )
        elif one.organization_id != organization_id:
            reason = f"{one.words()} is of chain {one.organization_id} and not of {organization_id}"
        elif found and (one.number != found[-1].number + 1 or one.previous != found[-1].digest()):
            reason = f"{one.words()} does not follow checkpoint {found[-1].number}: one between them is missing or forged"
        elif not found and (one.number != 1 or one.previous != NONE_BEFORE):
            reason = f"the first checkpoint there is has the number {one.number}: those before it are missing"
        elif found and one.entries < found[-1].entries:
            reason = f"{one.words()} counts fewer entries than the one before it"
        if reason is not None:
            return found, _refused(reason, one)
        found.append(one)
    return found, None


def _refused(reason: str, one: Checkpoint | None = None) -> Break:
    return Break(Fault.CHECKPOINT, reason, one.entry_id if one else None, one.at if one else None)
