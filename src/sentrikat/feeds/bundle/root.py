"""Who may sign the bundles of one origin: a root document, and the chain by which keys are replaced.

The first root is handed over in person and pinned. Every later one is signed by the keys of the one before it and by
its own (as TUF roots are): the old key announces the new one, and the new one proves that it is held. A bundle
carries the whole chain, so an installation that missed two rotations still follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.signed_statement import Envelope, PublicKey, canonical, opened, public_half, signed
from sentrikat.feeds import fields

FORMAT = "sentrikat-bundle-root"
KIND = "application/vnd.sentrikat.bundle-root+json"
MOST_ROOTS = 1_000  # one rotation a day for three years
LARGEST_CHAIN = 4 << 20  # bytes
_ORIGIN = re.compile(r"[0-9a-f]{32}")


class RootRefused(InvalidInput):
    """A root or its chain does not hold; what was trusted before stays trusted."""

    code = "root_refused"


@dataclass(frozen=True, slots=True)
class Root:
    """The keys of an origin. One signature by any of `keys` is enough (threshold 1).

    `origin` is random and stays through every rotation: it names the sequence that bundles are numbered in.
    """

    origin: str
    version: int
    name: str
    made_at: datetime
    keys: tuple[PublicKey, ...]

    def encoded(self) -> bytes:
        """Give the canonical bytes."""
        return canonical(
            {
                "format": FORMAT,
                "origin": self.origin,
                "version": self.version,
                "name": self.name,
                "made_at": self.made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "threshold": 1,
                "keys": {one.id: one.raw.hex() for one in self.keys},
            }
        )

    def by_id(self) -> dict[str, PublicKey]:
        """Give the keys by their ids."""
        return {one.id: one for one in self.keys}


def decoded(payload: bytes) -> Root:
    """Read a root; ValueError where it breaks its form."""
    root = fields.mapping(orjson.loads(payload), "the root")
    if root.get("format") != FORMAT:
        raise ValueError("it is not a bundle root of SentriKat")
    version, threshold = root.get("version"), root.get("threshold")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("version is not a number from 1")
    if threshold != 1 or isinstance(threshold, bool):
        raise ValueError(f"it asks for {threshold} signatures, and this server knows 1")
    origin = fields.text(root, "origin")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("origin is not 32 hexadecimal digits")
    keys = tuple(
        PublicKey(bytes.fromhex(fields.text(fields.child(root, "keys"), one)))
        for one in fields.child(root, "keys")
    )
    if not keys:
        raise ValueError("it names no key")
    if {one.id for one in keys} != set(fields.child(root, "keys")):
        raise ValueError("it gives a key a name that is not its own")
    made_at = fields.moment(root, "made_at")
    if made_at is None:
        raise ValueError("made_at is missing")
    return Root(origin, version, fields.text(root, "name"), made_at, keys)


def first_root(origin: str, name: str, key: Ed25519PrivateKey, now: datetime) -> Envelope:
    """Make the root of a new origin, signed by its one key."""
    return signed(KIND, Root(origin, 1, name, now, (public_half(key),)).encoded(), [key])


def next_root(root: Root, old: Ed25519PrivateKey, new: Ed25519PrivateKey, now: datetime) -> Envelope:
    """Announce that `new` takes the place of every key of `root`."""
    following = Root(root.origin, root.version + 1, root.name, now, (public_half(new),))
    return signed(KIND, following.encoded(), [old, new])


def encoded_chain(chain: Sequence[Envelope]) -> bytes:
    """Give a chain as one JSON list of envelopes."""
    return b"[" + b",".join(one.encoded() for one in chain) + b"]"


def read_chain(content: bytes) -> tuple[Envelope, ...]:
    """Read a chain of envelopes, the oldest first; RootRefused where it breaks its form."""
    try:
        if len(content) > LARGEST_CHAIN:
            raise ValueError(f"it is larger than {LARGEST_CHAIN:,} bytes")
        chain = tuple(
            opened(orjson.dumps(one), KIND) for one in fields.sequence(orjson.loads(content), "the chain")
        )
        if not 1 <= len(chain) <= MOST_ROOTS:
            raise ValueError(f"it has {len(chain)} roots")
    except (ValueError, KeyError, TypeError, RecursionError) as trouble:
        raise _refused(str(trouble)) from trouble
    return chain


def first_of(chain: Sequence[Envelope]) -> Root:
    """Give the root a chain begins with, which must be signed by itself."""
    try:
        root = decoded(chain[0].payload)
        if not chain[0].signers(root.by_id()):
            raise ValueError("the first root is not signed by its own key")
    except (ValueError, KeyError, TypeError, RecursionError) as trouble:
        raise _refused(str(trouble)) from trouble
    return root


def newest(pinned: Root, chain: Sequence[Envelope]) -> Root:
    """Follow `chain` from `pinned` to its newest root; RootRefused at the first link that does not hold.

    What the chain says of `pinned`'s own version must be `pinned` itself: two roots of one number are a forgery.
    """
    held = pinned
    try:
        for envelope in chain:
            root = decoded(envelope.payload)
            if root.origin != pinned.origin:
                raise ValueError(f"it mixes the origins {root.origin} and {pinned.origin}")
            if root.version < pinned.version:
                continue
            if root.version == pinned.version:
                if root != pinned:
                    raise ValueError(
                        f"its root {root.version} is another one than the root {root.version} pinned here"
                    )
                continue
            if root.version != held.version + 1:
                raise ValueError(f"root {held.version + 1} is missing before root {root.version}")
            if not envelope.signers(held.by_id()):
                raise ValueError(f"root {root.version} is not signed by a key of root {held.version}")
            if not envelope.signers(root.by_id()):
                raise ValueError(f"root {root.version} is not signed by its own key")
            held = root
    except (ValueError, KeyError, TypeError, RecursionError) as trouble:
        raise _refused(str(trouble)) from trouble
    return held


def _refused(reason: str) -> RootRefused:
    return RootRefused(
        f"The keys were not taken over: {reason.rstrip('.')}.",
        hint="Ask whoever makes the bundles for the file that `sentrikat feeds bundle-key show --output` writes."
        " The keys trusted so far stay in force.",
    )
