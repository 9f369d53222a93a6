"""Where connections may lead: no address of ours, none of a cloud's metadata, whatever it is written as."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidInput, Unavailable
from sentrikat.identity.ldap.connection import DirectoryUnavailable, connect
from sentrikat.identity.ldap.settings import LdapSettings
from sentrikat.infra import outbound
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.http import outbound_client
from sentrikat.infra.mail import Message, send
from sentrikat.infra.outbound import AddressNotAllowed, Rules, look_up, rules_of, why_refused
from sentrikat.infra.settings import Settings, load
from sentrikat.infra.syslog import send as send_syslog

NOTHING = Rules()


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),  # the whole of 127/8 is this machine
        ("::1", True),
        ("0.0.0.0", True),  # noqa: S104 - Linux connects to itself
        ("::", True),
        ("169.254.169.254", True),
        ("169.254.1.1", True),
        ("fd00:ec2::254", True),
        ("fe80::1", True),
        ("100.100.100.200", True),
        ("168.63.129.16", True),
        ("224.0.0.1", True),
        ("ff02::1", True),
        ("255.255.255.255", True),
        ("::ffff:127.0.0.1", True),  # IPv4-mapped
        ("::ffff:169.254.169.254", True),
        ("::127.0.0.1", True),  # IPv4-compatible
        ("2002:7f00:1::", True),  # 6to4 of 127.0.0.1
        ("2002:a9fe:a9fe::1", True),
        ("64:ff9b::7f00:1", True),  # NAT64
        ("64:ff9b::a9fe:a9fe", True),
        ("64:ff9b:1::a9fe:a9fe", True),
        ("2001:0:7f00:1::", True),  # Teredo, whose server is 127.0.0.1
        ("10.0.0.5", False),  # where this product lives
        ("172.16.3.4", False),
        ("192.168.1.10", False),
        ("fd12:3456::1", False),
        ("100.64.0.1", False),
        ("93.184.216.34", False),
        ("2606:2800:220:1::1", False),
        ("64:ff9b::5db8:d822", False),  # NAT64 of a public address
        ("::ffff:10.0.0.5", False),
    ],
)
def test_what_is_refused(address: str, refused: bool) -> None:
    assert (why_refused(ip_address(address), NOTHING) is not None) is refused


@given(st.integers(0, 2**32 - 1))
def test_no_disguise_changes_the_verdict_on_what_is_refused(number: int) -> None:
    plain = IPv4Address(number)
    if why_refused(plain, NOTHING) is None:
        return
    for disguise in (0xFFFF << 32, 0x64FF9B << 96, 0x64FF9B0001 << 80):
        assert why_refused(IPv6Address(disguise | number), NOTHING) is not None
    assert why_refused(IPv6Address((0x2002 << 112) | (number << 80)), NOTHING) is not None


def test_a_setting_allows_one_network_and_no_other() -> None:
    rules = rules_of(Settings(outbound_allow="127.0.0.1/32"))

    assert why_refused(ip_address("127.0.0.1"), rules) is None
    assert why_refused(ip_address("127.0.0.2"), rules) is not None
    assert why_refused(ip_address("169.254.169.254"), rules) is not None


@pytest.mark.parametrize(
    ("host", "allows"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("mail.example.org", False),  # a name is judged by what it leads to
        ("169.254.169.254", False),  # nobody's mail server
    ],
)
def test_a_loopback_address_in_the_environment_is_meant(host: str, allows: bool) -> None:
    assert (why_refused(ip_address("127.0.0.1"), NOTHING.naming(host)) is None) is allows


def test_a_wrong_network_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_OUTBOUND_ALLOW", "127.0.0.1/8x")
    with pytest.raises(InvalidInput, match="SENTRIKAT_OUTBOUND_ALLOW"):
        load()


Answers = Callable[..., list[tuple[Any, ...]]]


def answering(*turns: list[str]) -> tuple[Answers, list[str]]:
    """A name server that gives the addresses of each turn, and what it was asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_more: Any, **_named: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        numeric = re.fullmatch(r"[0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*", host)
        addresses = [host] if numeric else turns[min(len(asked), len(turns)) - 1]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (one, port, 0, 0))
            if ":" in one
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    return getaddrinfo, asked


def test_one_bad_address_of_several_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(["10.0.0.5", "127.0.0.1"])[0])

    with pytest.raises(AddressNotAllowed, match=r"127\.0\.0\.1 is this machine itself"):
        look_up(NOTHING, "dc.example.org", 636)


@pytest.fixture
def listener() -> Any:
    """Something that listens on this machine, and must not hear of us."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        yield server


def heard(server: socket.socket) -> bool:
    """Say whether somebody connected."""
    try:
        server.accept()[0].close()
    except TimeoutError:
        return False
    return True


def by_ldap(host: str, port: int) -> None:
    settings = LdapSettings(hosts=(f"{host}:{port}",), base_dn="dc=x", bind_dn="cn=x")
    with connect(settings, host, port):
        pass


def by_http(host: str, port: int) -> None:
    with outbound_client(Settings(outbound_allow=""), [host]) as client:
        client.get(f"http://{host}:{port}/")


def by_mirror(host: str, port: int) -> None:
    settings = Settings(outbound_allow="", feed_base_url=f"http://{host}:{port}")
    with outbound_client(settings, []) as client:
        client.get(f"http://{host}:{port}/")


def by_proxy(host: str, port: int) -> None:
    settings = Settings(outbound_allow="", proxy=f"http://{host}:{port}")
    with outbound_client(settings, ["feeds.example.org"]) as client:
        client.get("http://feeds.example.org/")


def by_mail(host: str, port: int) -> None:
    settings = Settings(outbound_allow="", smtp_host=host, smtp_port=port, smtp_from="a@example.org")
    send(settings, Message("b@example.org", "s", "t"), SystemClock())


def by_syslog(host: str, port: int) -> None:
    send_syslog(Settings(outbound_allow="", syslog_host=host, syslog_port=port), [b"x"])


WAYS = [by_ldap, by_http, by_mirror, by_proxy, by_mail, by_syslog]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_no_way_out_leads_where_a_bad_name_points(
    way: Callable[[str, int], None], address: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering([address])[0])

    with pytest.raises((Unavailable, DirectoryUnavailable), match=r"Nothing was sent to host\.example\.org"):
        way("host.example.org", listener.getsockname()[1])
    assert not heard(listener)


@pytest.mark.parametrize("way", WAYS)
def test_the_name_is_looked_up_once_and_the_judged_address_used(
    way: Callable[[str, int], None], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers differently the second time finds nobody who asks a second time."""
    resolver, asked = answering(["10.255.255.1"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    reached: list[Any] = []

    class Recorder(socket.socket):
        def connect(self, place: Any) -> None:
            reached.append(place[0])
            raise OSError("nobody there")

    monkeypatch.setattr(socket, "socket", Recorder)
    with pytest.raises((OSError, Unavailable, httpx2.ConnectError), match="nobody there"):
        way("host.example.org", listener.getsockname()[1])
    assert reached == ["10.255.255.1"]
    assert [host for host in asked if host == "host.example.org"] == ["host.example.org"]


def test_the_guard_is_where_the_http_client_takes_its_connections() -> None:
    """Its place in the library has no public name: an upgrade that moves it fails here."""
    with outbound_client(Settings(), ["example.org"]) as client:
        assert isinstance(client._transport._pool._network_backend, outbound.GuardedBackend)  # type: ignore[attr-defined]


def test_networks_of_metadata_are_single_addresses() -> None:
    """A wider one would refuse what customers use."""
    metadata = outbound._REFUSED[0][1]
    assert all(network.num_addresses == 1 for network in metadata)
    assert ip_network("169.254.169.254/32") in metadata
