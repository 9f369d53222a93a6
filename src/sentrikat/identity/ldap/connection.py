"""One TLS connection to a directory. The only module that knows ldap3, which has not moved since 2021.

    with connect(settings, host, port) as directory:
        directory.bind(dn, password)         Bound, or Refused with the reason; never without a password
        directory.search(base, filter, ...)  Found(entries, complete)

What this module sees to itself, because the library does not or only loosely:

* TLS is never optional. The handshake is made by our own context: certificate and host name are checked by
  OpenSSL, TLS 1.2 at least. The library's own default checks nothing.
* The address is looked up once and judged (infra/outbound.py), and the connection made to what was judged.
* An empty password is refused before it is sent: directories take it for an anonymous bind, and say yes.
* Referrals are not followed: they would take a password to a server that nobody here named.
"""

from __future__ import annotations

import socket  # allow outbound: names the error of a look-up
import ssl
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sentrikat.domain.errors import Unavailable
from sentrikat.identity.ldap.settings import LdapSettings
from sentrikat.identity.ldap.words import result_words, sub_code, tls_words
from sentrikat.infra import outbound

with warnings.catch_warnings():
    # pyasn1 renamed what ldap3 2.9.1 imports; the old names work in the pinned pyasn1 0.6.
    warnings.filterwarnings("ignore", message="tagMap is deprecated", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message="typeMap is deprecated", category=DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException

_PAGED = "1.2.840.113556.1.4.319"
_IN_FILTERS = frozenset("()*\\\x7f")
_IN_NAMES = frozenset('\\,+"<>;=# ')  # a space or # matters at the ends only, and may be written so anywhere
_SIZE_OR_TIME_LIMIT = frozenset({3, 4, 11})


class DirectoryUnavailable(Unavailable):
    """A directory was not reached, or did not do what it was asked; `step` says how far it came."""

    code = "directory_unavailable"

    def __init__(self, message: str, *, step: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.step = step


@dataclass(frozen=True, slots=True)
class Bound:
    """The directory accepts the name and the password."""


@dataclass(frozen=True, slots=True)
class BindRefused:
    """It does not; `why` is for administrators and the log."""

    why: str
    code: int
    sub_code: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the directory. Names of attributes are in lower case, values as they were sent."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def text(self, attribute: str) -> str | None:
        """Give the first value as text."""
        values = self.attributes.get(attribute.casefold(), ())
        return values[0].decode("utf-8", "replace") if values else None

    def texts(self, attribute: str) -> list[str]:
        """Give all values as text."""
        return [value.decode("utf-8", "replace") for value in self.attributes.get(attribute.casefold(), ())]

    def raw(self, attribute: str) -> bytes | None:
        """Give the first value."""
        values = self.attributes.get(attribute.casefold(), ())
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave; `complete` is false when the directory cut it."""

    entries: tuple[Entry, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a server's certificate says."""

    protocol: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    expires: str


def escaped(value: str | bytes) -> str:
    """Write a value so that inside a filter it means nothing but itself (RFC 4515); bytes are all written out."""
    if isinstance(value, bytes):
        return "".join(f"\\{byte:02x}" for byte in value)
    return "".join(f"\\{ord(c):02x}" if c in _IN_FILTERS or c < " " else c for c in value)


def escaped_in_dn(value: str) -> str:
    """Write a value so that inside a DN it means nothing but itself (RFC 4514)."""
    return "".join(f"\\{ord(c):02X}" if c in _IN_NAMES or c < " " else c for c in value)


class _CheckedTls(ldap3.Tls):  # type: ignore[misc]  # the library has no types
    """The library's TLS with the handshake made by our context, for the name the administrator wrote."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._name = name
        self.failure: Exception | None = None

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Make the handshake and check what the server shows."""
        del do_handshake  # never later: nothing is sent before the check
        try:
            connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._name)
        except (OSError, ValueError) as error:
            self.failure = error
            raise


class Directory:
    """An open connection. Not for several threads."""

    def __init__(self, connection: Any, settings: LdapSettings, host: str) -> None:
        self._connection = connection
        self._settings = settings
        self.host = host

    def bind(self, name: str, password: str) -> Bound | BindRefused:
        """Prove a name and a password to the directory."""
        if not name or not password:
            return BindRefused("no password was given", 49)
        self._connection.user, self._connection.password = name, password
        self._connection.authentication = ldap3.SIMPLE
        with self._told("bind"):
            done = self._connection.bind(read_server_info=False)
        result = self._connection.result
        if done and result["result"] == 0:
            return Bound()
        if result["result"] in {51, 52}:
            raise DirectoryUnavailable(
                f"{self.host} did not check the password: {result_words(result['result'], result['message'])}.",
                step="bind",
            )
        return BindRefused(
            result_words(result["result"], result["message"]), result["result"], sub_code(result["message"])
        )

    def search(
        self,
        base: str,
        search_filter: str,
        attributes: Sequence[str],
        *,
        limit: int = 0,
        only_base: bool = False,
    ) -> Found:
        """Search a base and all below it, page by page; with `limit`, stop after so many entries."""
        entries: list[Entry] = []
        cookie: bytes | None = None
        while True:
            with self._told("search"):
                self._connection.search(
                    base,
                    search_filter,
                    search_scope=ldap3.BASE if only_base else ldap3.SUBTREE,
                    attributes=list(attributes),
                    paged_size=self._settings.page_size,
                    paged_cookie=cookie,
                    time_limit=self._settings.timeout_seconds * 4,
                )
            result, response = self._connection.result, self._connection.response or []
            entries += [_entry(one) for one in response if one.get("type") == "searchResEntry"]
            if result["result"] in _SIZE_OR_TIME_LIMIT:
                return Found(tuple(entries), complete=False)
            if result["result"] not in {0, 10}:  # 10: a referral, which is not followed
                raise DirectoryUnavailable(
                    f"{self.host} did not search “{base}”: {result_words(result['result'], result['message'])}.",
                    step="search",
                    hint="Check the search base, the filter, and what the service account may read.",
                )
            if limit and len(entries) >= limit:
                return Found(tuple(entries[:limit]), complete=len(entries) == limit)
            controls = result.get("controls") or {}
            cookie = controls.get(_PAGED, {}).get("value", {}).get("cookie")
            if not cookie:
                return Found(tuple(entries))

    def certificate(self) -> CertificateFacts:
        """Say whom TLS is spoken with."""
        wrapped: ssl.SSLSocket = self._connection.socket
        shown: Any = wrapped.getpeercert() or {}
        return CertificateFacts(
            protocol=wrapped.version() or "",
            subject=_name_of(shown.get("subject", ())),
            issuer=_name_of(shown.get("issuer", ())),
            names=tuple(value for _kind, value in shown.get("subjectAltName", ())),
            expires=str(shown.get("notAfter", "")),
        )

    @contextmanager
    def _told(self, step: str) -> Iterator[None]:
        try:
            yield
        except (LDAPException, OSError) as error:
            raise DirectoryUnavailable(
                f"{self.host} did not finish the {step}: {error}.",
                step=step,
                hint="Look at the directory server and the network between. Nothing was changed.",
            ) from error


@contextmanager
def connect(settings: LdapSettings, host: str, port: int) -> Iterator[Directory]:
    """Open a connection to one server, encrypted and with its certificate checked, and close it."""
    address = reach(settings, host, port)
    tls = _CheckedTls(_context(settings), host)
    server = ldap3.Server(
        address,
        port=port,
        use_ssl=settings.security == "ldaps",
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=settings.timeout_seconds,
    )
    connection = ldap3.Connection(
        server,
        authentication=ldap3.ANONYMOUS,
        auto_referrals=False,
        read_only=True,
        check_names=False,
        return_empty_attributes=False,
        receive_timeout=settings.timeout_seconds,
        raise_exceptions=False,
    )
    try:
        try:
            connection.open(read_server_info=False)
            if settings.security == "starttls" and not connection.start_tls(read_server_info=False):
                raise DirectoryUnavailable(
                    f"{host}:{port} did not begin TLS: "
                    f"{result_words(connection.result['result'], connection.result['message'])}.",
                    step="tls",
                    hint="Switch StartTLS on in the directory, or use LDAPS.",
                )
        except (LDAPException, OSError) as error:
            if tls.failure is not None:
                raise DirectoryUnavailable(
                    f"{host}:{port} was reached, and not trusted: {tls_words(tls.failure, host)}.",
                    step="tls",
                    hint="Nothing was sent to it.",
                ) from error
            raise DirectoryUnavailable(
                f"{host}:{port} did not begin a conversation: {error}.",
                step="tls" if connection.socket else "tcp",
            ) from error
        yield Directory(connection, settings, f"{host}:{port}")
    finally:
        # Unbinding a connection that broke raises; it is over either way.
        try:
            connection.unbind()
        except (LDAPException, OSError):
            connection.closed = True


def reach(settings: LdapSettings, host: str, port: int) -> str:
    """Give the address of a host that accepts connections; the first one that answers."""
    try:
        connection = outbound.connect(settings.reach, host, port, timeout_seconds=settings.timeout_seconds)
    except outbound.AddressNotAllowed as error:
        raise DirectoryUnavailable(error.message, step="tcp", hint=error.hint) from error
    except socket.gaierror as error:
        raise DirectoryUnavailable(
            f"There is no address for “{host}”: {error}.",
            step="tcp",
            hint="Check the name and the DNS server.",
        ) from error
    except OSError as error:
        why = "nobody answered in time" if isinstance(error, TimeoutError) else str(error)
        raise DirectoryUnavailable(
            f"{host}:{port} was not reached: {why}.", step="tcp", hint="Check host, port and firewall."
        ) from error
    with connection:
        return str(connection.getpeername()[0])


def _context(settings: LdapSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file, cadata=settings.ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _entry(response: Mapping[str, Any]) -> Entry:
    attributes: Mapping[str, Sequence[bytes]] = response["raw_attributes"]
    return Entry(str(response["dn"]), {name.casefold(): tuple(values) for name, values in attributes.items()})


def _name_of(pairs: Sequence[Sequence[tuple[str, str]]]) -> str:
    return ", ".join(f"{key}={value}" for group in pairs for key, value in group)
