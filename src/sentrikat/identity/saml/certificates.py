"""Certificates of SAML: a carrier of a key that somebody entered here, not a chain to follow."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_ARMOR = re.compile(r"-----(BEGIN|END) CERTIFICATE-----")
SMALLEST_KEY = 2048  # bits; NIST SP 800-131A since 2013
OUR_KEY = 3072  # bits: good beyond 2030 (NIST SP 800-57)
OUR_LIFETIME = timedelta(days=3 * 365)  # providers warn of our certificate's end, and some refuse it then


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with an RSA key."""

    body: str  # DER in base64, one line
    subject: str
    fingerprint: str  # SHA-256, AB:CD:...
    begins_at: datetime
    ends_at: datetime
    key: rsa.RSAPublicKey

    @classmethod
    def read(cls, written: str) -> Certificate:
        """Read PEM or bare base64; ValueError says what is wrong."""
        body = "".join(_ARMOR.sub("", written).split())
        try:
            read = x509.load_der_x509_certificate(base64.b64decode(body.encode("ascii"), validate=True))
            key = read.public_key()
        except (binascii.Error, UnicodeEncodeError, ValueError) as error:
            raise ValueError("it is no X.509 certificate in PEM or base64") from error
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("its key is no RSA key")  # noqa: TRY004 - the text is at fault, not a type
        if key.key_size < SMALLEST_KEY:
            raise ValueError(f"its key has {key.key_size} bits, at least {SMALLEST_KEY} are asked")
        return cls(
            body=base64.b64encode(read.public_bytes(serialization.Encoding.DER)).decode(),
            subject=read.subject.rfc4514_string()[:200],
            fingerprint=read.fingerprint(hashes.SHA256()).hex(":").upper(),
            begins_at=read.not_valid_before_utc,
            ends_at=read.not_valid_after_utc,
            key=key,
        )

    @property
    def pem(self) -> str:
        """Write it as a file has it."""
        lines = [self.body[at : at + 64] for at in range(0, len(self.body), 64)]
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Our private key and its certificate."""

    private: str  # PEM, PKCS#8
    certificate: Certificate

    def __repr__(self) -> str:
        return f"KeyPair({self.certificate.fingerprint[:23]}…)"

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """Give the private key as an object."""
        loaded = serialization.load_pem_private_key(self.private.encode(), password=None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        return loaded


def make_key_pair(name: str, now: datetime, *, bits: int = OUR_KEY) -> KeyPair:
    """Make a private key and a certificate of its own for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(days=1))  # clocks of providers differ
        .not_valid_after(now.astimezone(UTC) + OUR_LIFETIME)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(
        private.decode(), Certificate.read(certificate.public_bytes(serialization.Encoding.PEM).decode())
    )
