"""The private key of whoever makes bundles, and the roots that vouch for it, as two files of one folder.

    signing.pem   the private key, readable by its owner only
    roots.json    the chain of roots, public: what others pin

They lie beside the data and not in the database, so that a dump of it cannot sign anything.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sentrikat.domain.errors import Conflict, InvalidInput
from sentrikat.domain.signed_statement import Envelope, public_half
from sentrikat.feeds.bundle.root import (
    Root,
    encoded_chain,
    first_of,
    first_root,
    newest,
    next_root,
    read_chain,
)

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Keyring:
    """A folder with a key, or without one yet."""

    folder: Path

    @property
    def key_file(self) -> Path:
        """Give where the private key lies."""
        return self.folder / "signing.pem"

    @property
    def roots_file(self) -> Path:
        """Give where the chain of roots lies."""
        return self.folder / "roots.json"

    def create(self, name: str, now: datetime) -> Root:
        """Make a new origin with its first key; Conflict where there is one."""
        if self.key_file.exists() or self.roots_file.exists():
            raise Conflict(
                f"No key was made: {self.folder} holds one already, and a new origin would be a stranger to"
                " everybody who trusts the old one.",
                hint="Replace the key with: sentrikat feeds bundle-key rotate. Nothing was changed.",
                code="bundle_key_exists",
            )
        key = Ed25519PrivateKey.generate()
        chain = (first_root(secrets.token_hex(16), name, key, now),)
        self._keep(key, chain)
        return self._root(chain)

    def rotate(self, now: datetime) -> Root:
        """Replace the key: the old one announces the new one, and is deleted."""
        old, chain = self.signer()
        new = Ed25519PrivateKey.generate()
        longer = (*chain, next_root(self._root(chain), old, new, now))
        self._keep(new, longer)
        return self._root(longer)

    def signer(self) -> tuple[Ed25519PrivateKey, tuple[Envelope, ...]]:
        """Give the key and its chain; InvalidInput where there is none, or they do not belong together."""
        try:
            pem, roots = self.key_file.read_bytes(), self.roots_file.read_bytes()
            key = serialization.load_pem_private_key(pem, password=None)
        except FileNotFoundError as trouble:
            raise InvalidInput(
                f"Nothing was signed: there is no key in {self.folder}.",
                hint="Make one with: sentrikat feeds bundle-key create --name YOUR-SITE",
                code="bundle_key_missing",
            ) from trouble
        except (OSError, ValueError) as trouble:
            raise InvalidInput(f"Nothing was signed: {self.key_file} cannot be read: {trouble}.") from trouble
        chain = read_chain(roots)
        if not isinstance(key, Ed25519PrivateKey) or public_half(key).id not in self._root(chain).by_id():
            raise InvalidInput(
                f"Nothing was signed: the key in {self.key_file} is not the one that {self.roots_file.name} names.",
                hint="Bring both files back from one backup.",
                code="bundle_key_foreign",
            )
        return key, chain

    def root(self) -> Root:
        """Give the root in force."""
        return self._root(self.signer()[1])

    def _root(self, chain: tuple[Envelope, ...]) -> Root:
        return newest(first_of(chain), chain)

    def _keep(self, key: Ed25519PrivateKey, chain: tuple[Envelope, ...]) -> None:
        """Write both files; a crash between the two leaves a pair that `signer` refuses, and `.new` files to look at."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        written = []
        for target, content in ((self.key_file, pem), (self.roots_file, encoded_chain(chain))):
            fresh = target.with_name(target.name + ".new")
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            written.append((fresh, target))
        for fresh, target in written:
            fresh.replace(target)
