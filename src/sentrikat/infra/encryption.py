"""Secrets that must be read again (a directory's password, a TOTP seed): encrypted with keys kept elsewhere.

    vault = open_vault(settings)
    row.secret = vault.encrypt("s3cret", purpose="identity_provider.secret")
    vault.decrypt(row.secret, purpose="identity_provider.secret")

Fernet (AES-128-CBC with HMAC-SHA-256) from the cryptography package. The first key encrypts, every key
decrypts, and the file of keys is read again when it changed, so keys can be exchanged while the server runs
(infra/key_rotation.py). A column that holds such a value says so:
`mapped_column(LargeBinary, info={ENCRYPTED: "identity_provider.secret"})`; key rotation finds them by it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sentrikat.domain.errors import InvalidInput, SentriKatError
from sentrikat.infra.settings import Settings

ENCRYPTED = "encrypted"  # key of a column's `info`; its value is the purpose
KEY_FILE = "encryption.keys"  # in the data directory, one key a line, the newest first
PEPPER_FILE = "api-keys.pepper"
_OWNER_ONLY = 0o600


class SecretUnreadable(SentriKatError):
    """A stored secret was encrypted with a key that is not here, for another purpose, or was altered."""

    code = "secret_unreadable"


class Vault:
    """Encrypts and decrypts. Keys never leave it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._use(keys)

    def _use(self, keys: Sequence[str]) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
            self._fernet = MultiFernet(fernets)
            self._newest = fernets[0]
        except ValueError as error:
            # The key itself must not be repeated in an error that is logged.
            raise InvalidInput(
                f"The secrets were not opened: of {len(keys)} encryption keys, one is not a Fernet key or none is given.",
                hint="A key is 32 random bytes in URL-safe base64, 44 characters. Make one with: sentrikat keys new",
                code="encryption_key",
            ) from error

    def __repr__(self) -> str:
        return "Vault(…)"

    def encrypt(self, secret: str, *, purpose: str) -> bytes:
        """Encrypt a secret. The purpose is sealed with it: a value copied into another column is refused."""
        self._look()
        return self._fernet.encrypt(_bound(purpose) + secret.encode())

    def decrypt(self, token: bytes, *, purpose: str) -> str:
        """Give back the secret; SecretUnreadable if no key fits or it was encrypted for something else."""
        self._look()
        try:
            opened = self._fernet.decrypt(token)
        except InvalidToken:
            raise _unreadable(purpose, "no key that this server has fits, or it was altered") from None
        if not opened.startswith(_bound(purpose)):
            raise _unreadable(purpose, "it was encrypted for another purpose")
        return opened.removeprefix(_bound(purpose)).decode()

    def rotate(self, token: bytes, *, purpose: str) -> bytes:
        """Encrypt the secret anew with the first key."""
        return self.encrypt(self.decrypt(token, purpose=purpose), purpose=purpose)

    def is_newest(self, token: bytes) -> bool:
        """Say whether a value was encrypted with the first key, so that the others are not needed for it."""
        self._look()
        try:
            self._newest.decrypt(token)
        except InvalidToken:
            return False
        return True

    def _look(self) -> None:
        """Find out whether the keys are still the same; those of the settings are, until the next start."""


class FileVault(Vault):
    """A vault whose keys are in a file that `sentrikat keys` may change while we run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Looked at before it is read: one that is replaced between the two is then read again at the first use.
        self._seen = _stamp(path)
        super().__init__(read_keys(path))

    def _look(self) -> None:
        now = _stamp(self._path)
        # A file that is gone is no reason to forget the keys, nor to make others.
        if now is not None and now != self._seen:
            self._use(self._path.read_text(encoding="ascii").split())
            self._seen = now


def open_vault(settings: Settings) -> Vault:
    """Open the vault with the keys of the settings, or of the data directory, where the first call makes one."""
    given = settings.encryption_keys
    if given is not None:
        return Vault([key for key in given.get_secret_value().replace(",", " ").split() if key])
    return FileVault(settings.data_dir / KEY_FILE)


def open_pepper(settings: Settings) -> bytes:
    """Give what the secrets of API keys are hashed with beside the database, made at the first need."""
    given = settings.api_key_pepper
    if given is not None:
        return given.get_secret_value().encode()
    return read_or_make(
        settings.data_dir / PEPPER_FILE, lambda: secrets.token_urlsafe(32).encode() + b"\n"
    ).strip()


def read_keys(path: Path) -> list[str]:
    """Give the keys of a file, newest first; a file that is not there is made with one new key."""
    return read_or_make(path, lambda: Fernet.generate_key() + b"\n").decode("ascii").split()


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Give the content of a secret file; one that is not there is made, readable by its owner only.

    Two processes may start in the same instant: the file appears whole or not at all, and the second one
    reads what the first one wrote.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        write_owner_only(fresh, make())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # the other process was first: its key counts
        finally:
            fresh.unlink()
    return path.read_bytes()


def write_keys(path: Path, keys: Sequence[str]) -> None:
    """Replace the keys of a file at one stroke; who reads it sees all old ones or all new ones."""
    Vault(keys)  # refuses what is no key
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write_owner_only(fresh, "".join(f"{key}\n" for key in keys).encode())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # a secret must not be stored under a key that a power cut takes away
    finally:
        os.close(directory)


def write_owner_only(path: Path, content: bytes) -> None:
    """Write a file that nobody else could read at any moment; it is on disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_ino, state.st_mtime_ns


def _bound(purpose: str) -> bytes:
    return purpose.encode() + b"\x00"


def _unreadable(purpose: str, why: str) -> SecretUnreadable:
    return SecretUnreadable(
        f"The stored secret “{purpose}” was not read: {why}.",
        hint="Put back the key it was written with (encryption.keys in the data directory, or "
        "SENTRIKAT_ENCRYPTION_KEYS), or enter the secret again. Nothing was changed.",
    )
