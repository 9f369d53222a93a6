"""The only way out for mail: one message at a time, to the server of the settings.

    send(settings, Message(to="jane@example.org", subject="…", text="…"))

Certificates are checked, also after STARTTLS; without STARTTLS where it is asked for, nothing is sent.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from sentrikat.domain.errors import InvalidInput, Unavailable
from sentrikat.infra.clock import Clock
from sentrikat.infra.outbound import Rules, connect, rules_of
from sentrikat.infra.settings import Settings

TIMEOUT_SECONDS = 30.0

# What a mail server takes without quoting; no white space, no control characters, one @.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


@dataclass(frozen=True, slots=True)
class Message:
    """A mail to one person, in plain text."""

    to: str
    subject: str
    text: str


def is_address(text: str) -> bool:
    """Say whether mail can be sent to `text`."""
    return _ADDRESS.fullmatch(text) is not None


def can_send(settings: Settings) -> bool:
    """Say whether a mail server is set."""
    return settings.smtp_host is not None


def send(settings: Settings, message: Message, clock: Clock) -> None:
    """Hand a message over; Unavailable says which server did what."""
    if settings.smtp_host is None or settings.smtp_from is None:
        raise Unavailable(
            f"The mail “{message.subject}” was not sent: no mail server is set.",
            hint="Set SENTRIKAT_SMTP_HOST and SENTRIKAT_SMTP_FROM.",
        )
    if not is_address(message.to):
        raise InvalidInput(f"The mail “{message.subject}” was not sent: its recipient is no mail address.")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.smtp_from, message.to, message.subject
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = make_msgid(domain=settings.smtp_from.rpartition("@")[2] or None)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to us
    mail.set_content(message.text)
    server = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with _connected(settings) as connection:
            if settings.smtp_user is not None and settings.smtp_password is not None:
                connection.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            connection.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        # The server's words may hold the address, never the password.
        raise Unavailable(
            f"The mail “{message.subject}” was not sent: {server} ({settings.smtp_security}) said: {error}.",
            hint="It is tried again by itself. SENTRIKAT_SMTP_* are the settings.",
        ) from error


class _Guarded(smtplib.SMTP):
    """The library's client with connections from infra/outbound.py."""

    rules = Rules()

    def begin(self, host: str, port: int, rules: Rules) -> None:
        """Connect and hear the greeting."""
        self.rules = rules
        self._host = host  # which TLS checks the certificate for
        code, words = self.connect(host, port)
        if code != 220:
            self.close()
            raise smtplib.SMTPConnectError(code, words)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Open the connection; the library's own place for doing it otherwise."""
        return connect(self.rules, host, port, timeout_seconds=timeout)


class _GuardedTls(smtplib.SMTP_SSL, _Guarded):
    """The same with TLS from the first byte: the library wraps what the other class opens."""


def _connected(settings: Settings) -> smtplib.SMTP:
    assert settings.smtp_host is not None
    context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    rules = rules_of(settings).naming(settings.smtp_host)
    if settings.smtp_security == "tls":
        secured = _GuardedTls(timeout=TIMEOUT_SECONDS, context=context)
        secured.begin(settings.smtp_host, settings.smtp_port, rules)
        return secured
    connection = _Guarded(timeout=TIMEOUT_SECONDS)
    connection.begin(settings.smtp_host, settings.smtp_port, rules)
    if settings.smtp_security == "starttls":
        try:
            connection.starttls(context=context)  # SMTPNotSupportedError when the server offers none
        except (OSError, smtplib.SMTPException):
            connection.close()
            raise
    return connection
