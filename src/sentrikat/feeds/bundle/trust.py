"""Whether a bundle may be believed: its signature, by a key of a root that is pinned here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentrikat.domain.signed_statement import opened
from sentrikat.feeds.bundle.manifest import KIND, refused
from sentrikat.feeds.bundle.reader import Seal
from sentrikat.feeds.bundle.root import Root, decoded, first_of, newest, read_chain

_NOBODY = (
    "Take a bundle of an origin you trust, or pin its keys first: sentrikat feeds bundle-key trust FILE."
)


@dataclass
class Gate:
    """Lets a bundle pass that a trusted key has signed; afterwards `root` is the newest root of its origin.

    `pinned` are the roots trusted here, by origin. The bundle's own chain may bring newer ones, never older.
    """

    pinned: Mapping[str, Root]
    root: Root | None = field(default=None, init=False)
    key_id: str | None = field(default=None, init=False)

    def __call__(self, seal: Seal) -> None:
        """Raise BundleRefused unless the seal holds; nothing of the manifest has been read yet."""
        if seal.signature is None or seal.roots is None:
            raise refused("it is not signed", _NOBODY)
        chain = read_chain(seal.roots)
        origin = first_of(chain).origin
        pinned = self.pinned.get(origin)
        if pinned is None:
            known = ", ".join(f"{one.name} ({one.origin[:8]})" for one in self.pinned.values())
            raise refused(
                f"it comes from the origin {origin[:8]} ({decoded(chain[0].payload).name}), and this server trusts"
                f" {known or 'nobody yet'}",
                _NOBODY,
            )
        root = newest(pinned, chain)
        try:
            envelope = opened(seal.signature, KIND)
        except (ValueError, TypeError) as trouble:
            raise refused(f"its signature breaks its form: {trouble}") from trouble
        if envelope.payload != seal.manifest:
            raise refused("its manifest is not the one that was signed")
        signers = envelope.signers(root.by_id())
        if not signers:
            raise refused(_stranger(envelope.signatures[0].key_id, root, chain))
        self.root, self.key_id = root, min(signers)


def _stranger(key_id: str, root: Root, chain: object) -> str:
    """Say why a signature does not count: an unknown key, a key that was replaced, or bytes it did not sign."""
    now = " or ".join(one.id[:16] for one in root.keys)
    if key_id in root.by_id():
        return f"its signature by {key_id[:16]} does not hold, so it was altered"
    for envelope in chain if isinstance(chain, tuple) else ():
        if key_id in decoded(envelope.payload).by_id():
            return (
                f"it is signed by {key_id[:16]}, which root {root.version} of {root.name} replaced by {now}"
            )
    return f"it is signed by {key_id[:16]}, and {root.name} signs with {now}"
