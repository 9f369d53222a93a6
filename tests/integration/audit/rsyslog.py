"""A real collector: rsyslog, receiving syslog over TLS, started for the tests that ask."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SECONDS = 20.0
_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
    defaultNetstreamDriverCAFile="{folder}/ca.pem"
    defaultNetstreamDriverCertFile="{folder}/server.pem" defaultNetstreamDriverKeyFile="{folder}/server.key")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="{mode}")
template(name="fields" type="string"
    string="%pri%\\t%timestamp:::date-rfc3339%\\t%hostname%\\t%app-name%\\t%procid%\\t%msgid%\\t%structured-data%\\t%msg%\\n")
ruleset(name="kept") {{ action(type="omfile" file="{folder}/received" template="fields" asyncWriting="off") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="kept")
"""


@dataclass(slots=True)
class Collector:
    """Where it listens, and what it has received."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    mode: str = "anon"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        configuration = self.folder / "rsyslog.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=self.folder, port=self.port, mode=self.mode), encoding="utf-8"
        )
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", str(configuration), "-i", str(self.folder / "pid")],
            stdout=log,
            stderr=log,
        )
        log.close()
        ending = time.monotonic() + _SECONDS
        while time.monotonic() < ending:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """Stop it; what it has received stays."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(_SECONDS)
            self.process = None

    def received(self, count: int) -> list[list[str]]:
        """Wait for so many messages; give the fields of each."""
        file, ending = self.folder / "received", time.monotonic() + _SECONDS
        while True:
            lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
            if len(lines) >= count or time.monotonic() > ending:
                assert len(lines) >= count, (self.folder / "log").read_text(encoding="utf-8")
                return [line.split("\t", 7) for line in lines]
            time.sleep(0.05)

    def forget(self) -> None:
        """Forget what was received; the collector must not run."""
        (self.folder / "received").unlink(missing_ok=True)


def prepared(folder: Path) -> Collector:
    """Make a collector with certificates of its own; the test is skipped, by name, where there is no rsyslog."""
    if shutil.which("rsyslogd") is None or not Path("/usr/share/doc/rsyslog-gnutls").exists():
        pytest.skip("needs rsyslog with TLS: apt-get install rsyslog rsyslog-gnutls")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    authority, signer = _certificate("SentriKat test authority", None, None)
    _write(folder / "ca.pem", authority)
    for name in ("server", "client"):
        certificate, key = _certificate("localhost" if name == "server" else "sentrikat", authority, signer)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(folder / f"{name}.pem", certificate)
        (folder / f"{name}.key").write_bytes(pem)
    both = (folder / "client.pem").read_bytes() + (folder / "client.key").read_bytes()
    (folder / "client.both.pem").write_bytes(both)
    stranger, _ = _certificate("Somebody else", None, None)
    _write(folder / "stranger.pem", stranger)
    return Collector(folder, port)


def _certificate(
    name: str, authority: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    own = signer if signer is not None else key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key()), critical=False
    )
    if authority is None:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(own, hashes.SHA256()), key


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
