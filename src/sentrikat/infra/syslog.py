"""A connection to a collector of logs: TLS, checked in both directions where asked, and ended in order.

Syslog has no answer by which a collector says that it has a message. What TLS offers is used: each portion is sent over
a connection of its own that ends in order, so when `send` returns, the collector's end has read everything. What it
then does with it is its own.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from sentrikat.domain.errors import Unavailable
from sentrikat.infra.outbound import connect, rules_of
from sentrikat.infra.settings import Settings

_SECONDS = 15.0  # of silence, at any point
GRACE_SECONDS = 2.0  # in which a collector that does not want us closes; one portion a connection pays it


def send(settings: Settings, frames: Iterable[bytes]) -> None:
    """Send frames; Unavailable when it is not certain that all have arrived."""
    host, port = settings.syslog_host, settings.syslog_port
    try:
        if host is None:
            raise OSError("SENTRIKAT_SYSLOG_HOST is not set")
        with (
            connect(rules_of(settings).naming(host), host, port, timeout_seconds=_SECONDS) as plain,
            _context(settings).wrap_socket(plain, server_hostname=host) as secured,
        ):
            for frame in frames:
                secured.sendall(frame)
            _end(secured)
    except (OSError, ValueError) as trouble:  # ssl.SSLError is an OSError
        raise Unavailable(
            f"The audit log was not handed on to {host}:{port}: {trouble}.",
            hint="Nothing is lost: it is tried again every minute, from where it stopped.",
            code="syslog_unavailable",
        ) from trouble


def _context(settings: Settings) -> ssl.SSLContext:
    trusted = settings.syslog_ca_file or settings.ca_file
    context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.syslog_certificate_file is not None:
        context.load_cert_chain(settings.syslog_certificate_file)
    return context


def _end(secured: ssl.SSLSocket) -> None:
    """Say that this was all, and wait until the other end has read it.

    A collector that refuses us for our certificate does so after TLS 1.3's handshake, when all may be sent
    already, and closes as quietly as one that has read everything: but before we said good-bye. So it is
    given the time to. rsyslog never says good-bye itself, and closes when it has read ours; one that dies
    with unread bytes resets the connection, which is an error here.
    """
    secured.settimeout(GRACE_SECONDS)
    try:
        if secured.recv(1) == b"":
            raise ConnectionAbortedError("the collector closed the connection before the end")
    except TimeoutError:
        pass  # still open, as it should be
    secured.settimeout(_SECONDS)
    try:
        secured.unwrap().close()
    except ssl.SSLEOFError:
        return
    except OSError as ending:
        if ending.errno != 0:  # Python's form of "closed without good-bye" in older versions of OpenSSL
            raise
