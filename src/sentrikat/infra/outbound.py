"""Every connection to another machine is opened here: one look-up, every address judged, then connected to what was judged.

    with connect(rules_of(settings), "ldap.example.org", 636, timeout_seconds=5) as plain: ...

A host name from a settings page could name this machine itself, a service that trusts its neighbors, or the
metadata service of a cloud, which gives out credentials. So loopback, link-local, metadata, multicast and
unspecified addresses are refused, also inside an IPv6 address that stands for an IPv4 one. Private networks are not:
this product lives in them. `SENTRIKAT_OUTBOUND_ALLOW` names what may be reached all the same.

The name is looked up once, and the connection made to an address that was judged: a name server that answers
differently the second time is not asked a second time. TLS is spoken with the name.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore2

from sentrikat.domain.errors import Unavailable
from sentrikat.infra.settings import Settings

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

# What nobody means by a server of theirs, and why; the first that fits is told.
_REFUSED: tuple[tuple[str, tuple[Network, ...]], ...] = (
    (
        "the metadata service of a cloud",
        tuple(
            ip_network(one)
            for one in (
                "169.254.169.254/32",  # AWS, Azure, Google, and most others
                "169.254.170.2/32",  # AWS, for containers
                "fd00:ec2::254/128",  # AWS
                "fd20:ce::254/128",  # Google
                "100.100.100.200/32",  # Alibaba
                "192.0.0.192/32",  # Oracle
                "168.63.129.16/32",  # Azure's host
            )
        ),
    ),
    ("this machine itself", LOOPBACK),
    ("no address of a machine", (ip_network("0.0.0.0/8"), ip_network("::/128"))),
    ("link-local", (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))),
    ("multicast", (ip_network("224.0.0.0/4"), ip_network("ff00::/8"))),
    ("reserved", (ip_network("240.0.0.0/4"), ip_network("fec0::/10"))),
)
_TRANSLATED = ip_network("64:ff9b::/96")  # NAT64 (RFC 6052)
_TRANSLATED_HERE = ip_network("64:ff9b:1::/48")  # the same with a network's own form (RFC 8215)
_COMPATIBLE = ip_network("::/96")  # IPv4-compatible, given up long ago, and still routed by some


class AddressNotAllowed(Unavailable):
    """A host has an address that this server does not connect to."""

    code = "address_not_allowed"


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be reached beside the usual."""

    allowed: tuple[Network, ...] = ()

    def naming(self, host: str) -> Rules:
        """Give the rules for a host of the environment: whoever writes 127.0.0.1 or localhost there means it.

        They have the machine already. What a *name* leads to is judged all the same.
        """
        if host.lower() == "localhost":
            return Rules((*self.allowed, *LOOPBACK))
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return self
        return Rules((*self.allowed, *LOOPBACK)) if address.is_loopback else self


def rules_of(settings: Settings) -> Rules:
    """Read the rules of the settings."""
    return Rules(tuple(ip_network(one) for one in (settings.outbound_allow or "").replace(",", " ").split()))


def why_refused(address: Address, rules: Rules) -> str | None:
    """Say what an address is that makes us refuse it, or None."""
    for one in (address, *_inside(address)):
        if any(one in network for network in rules.allowed if network.version == one.version):
            continue
        for why, networks in _REFUSED:
            if any(one in network for network in networks if network.version == one.version):
                return why if one == address else f"{why}, written as {address}"
    return None


def look_up(rules: Rules, host: str, port: int) -> list[tuple[int, Any]]:
    """Give (family, address) of a host, each fit to connect to; AddressNotAllowed when one is not.

    One that is not is enough to refuse the name: a server of an organization has no address at our own door,
    and which of several is used is the name server's choice.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError(f"“{host}” is no name of a host: {error}") from error
    for _family, _kind, _protocol, _name, place in found:
        address = ip_address(str(place[0]).partition("%")[0])
        if why := why_refused(address, rules):
            raise AddressNotAllowed(
                f"Nothing was sent to {host}: its address {address} is {why}.",
                hint="If it is meant, the server's administrator names it in SENTRIKAT_OUTBOUND_ALLOW.",
            )
    return list(dict.fromkeys((family, place) for family, _kind, _protocol, _name, place in found))


def connect(rules: Rules, host: str, port: int, *, timeout_seconds: float) -> socket.socket:
    """Connect to a host; the first address that answers. OSError when none does."""
    trouble: OSError = OSError(f"{host} has no address")
    for family, place in look_up(rules, host, port):
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(place)
        except OSError as error:
            connection.close()
            trouble = error
        else:
            return connection
    raise trouble


class GuardedBackend(httpcore2.SyncBackend):
    """How the HTTP client gets its connections, to servers as well as to a proxy."""

    def __init__(self, rules: Rules, *, named: Iterable[str] = ()) -> None:
        self._rules = rules
        self._named = frozenset(named)  # hosts of the environment

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to an address that was judged; the library connects to the number and asks nobody."""
        rules = self._rules.naming(host) if host in self._named else self._rules
        try:
            places = look_up(rules, host, port)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        trouble: Exception = httpcore2.ConnectError(f"{host} has no address")
        for _family, place in places:
            try:
                return super().connect_tcp(str(place[0]), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        raise trouble


def _inside(address: Address) -> list[IPv4Address]:
    """Give the IPv4 addresses that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return []
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _TRANSLATED or address in _TRANSLATED_HERE:
        found.append(low)
    if address in _COMPATIBLE and int(address) > 1:
        found.append(low)
    return [one for one in found if one is not None]
