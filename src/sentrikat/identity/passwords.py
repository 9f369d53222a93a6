"""Passwords: hashed with bcrypt, checked in the same time whether or not the account exists."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt

from sentrikat.domain.errors import Unavailable

COST = 12  # 240 ms on the reference machine; required by IAM-1
LONGEST = 1024  # characters; more is not a password but a way to keep the server busy
_BCRYPT_READS = 72  # bytes
# Each check keeps a core busy for a quarter of a second: more at once would starve everything else.
_AT_ONCE = threading.BoundedSemaphore(2)
_WAIT_SECONDS = 10.0

# What an unknown account is checked against: a real hash nobody knows a password of. Its cost is COST.
_NOBODY = b"$2b$12$ujVTyIShKxyTPo3wR4o7y.gsRNPsRqW4dtdD/u./J6tsn9WMe4mWm"


def hash_password(password: str) -> str:
    """Give the bcrypt hash to store."""
    with _turn():
        return bcrypt.hashpw(_input(password), bcrypt.gensalt(COST)).decode()


def is_right(password: str, stored: str | None) -> bool:
    """Say whether `password` belongs to the stored hash; None (no account) takes as long and is wrong."""
    known = stored.encode() if stored is not None else _NOBODY
    if len(password) > LONGEST:
        password = ""  # never right: an empty password cannot be set
    with _turn():
        same = bcrypt.checkpw(_input(password), known)
    return same and stored is not None and password != ""


def random_password() -> str:
    """Make a password of 120 random bits that can be read out: 6 groups of 4 letters and digits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"  # without the pairs people mix up
    groups = ("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(6))
    return "-".join(groups)


def _input(password: str) -> bytes:
    """Give the bytes bcrypt is run on: longer inputs than it reads are hashed first, none is cut.

    The digest is base64 text because bcrypt stops at a zero byte. The mark before it keeps a long
    password and a short one that looks like its digest apart.
    """
    raw = password.encode("utf-8", "surrogatepass")
    if len(raw) <= _BCRYPT_READS and b"\x00" not in raw:
        return raw
    return b"sha256:" + base64.b64encode(hashlib.sha256(b"sentrikat password\x00" + raw).digest())


@contextmanager
def _turn() -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable(
            "The password was not checked: too many sign-ins are waiting.",
            hint="Try again in a minute.",
            code="busy",
        )
    try:
        yield
    finally:
        _AT_ONCE.release()
