"""The key that signs checkpoints of the audit log: a file beside the data, not in the database.

Who can write the database must not be able to sign what they wrote.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.signed_statement import PublicKey, public_half
from sentrikat.infra.encryption import write_owner_only
from sentrikat.infra.settings import Settings

FOLDER, FILE = "audit", "signing.pem"


def signing_key(settings: Settings) -> Ed25519PrivateKey:
    """Give the key of the settings, or of the data directory, where the first call makes one."""
    path = settings.audit_key_file
    if path is None:
        path = settings.data_dir / FOLDER / FILE
        if not path.exists():
            _make(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as trouble:
        # OSError names the file; the others might repeat what is in it
        reason = (
            trouble.strerror if isinstance(trouble, OSError) else "it is no private key without a password"
        )
        raise InvalidInput(
            f"No checkpoint was signed or checked: {path} cannot be read: {reason}.",
            hint="Bring the file back from a backup. The audit log itself goes on.",
            code="audit_key",
        ) from trouble
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(
            f"No checkpoint was signed or checked: the key in {path} is not an Ed25519 key.",
            hint="Make one with: openssl genpkey -algorithm ed25519 -out FILE",
            code="audit_key",
        )
    return key


def known_keys(settings: Settings) -> dict[str, PublicKey]:
    """Give the public half of the key, by its id, or nothing on a machine that has none; none is made."""
    path = settings.audit_key_file or settings.data_dir / FOLDER / FILE
    if not path.exists():
        return {}
    own = public_half(signing_key(settings))
    return {own.id: own}


def public_pem(key: Ed25519PrivateKey) -> str:
    """Give the public half as others keep it."""
    encoded = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


def read_public(path: Path) -> PublicKey:
    """Read a public key as `sentrikat audit key` writes it."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as trouble:
        reason = trouble.strerror if isinstance(trouble, OSError) else "it is no public key in PEM form"
        raise InvalidInput(f"Nothing was verified: {path} cannot be read: {reason}.") from trouble
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(f"Nothing was verified: the key in {path} is not an Ed25519 key.")
    return PublicKey(key.public_bytes_raw())


def _make(path: Path) -> None:
    """Make a key; of two processes that do so at once the first one's counts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write_owner_only(fresh, pem)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # the other process was first
    finally:
        fresh.unlink()
