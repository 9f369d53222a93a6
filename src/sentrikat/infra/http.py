"""Outbound HTTP: the only way out, to named hosts only.

Hosts are compared on every hop, so a redirect cannot lead anywhere the operator was not told of, and connections
are opened by infra/outbound.py, so none leads back to this machine or its neighbors.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx2

from sentrikat.domain.errors import Unavailable
from sentrikat.infra.outbound import GuardedBackend, rules_of
from sentrikat.infra.settings import Settings

CONNECT_SECONDS = 10.0  # a host that does not answer SYN in ten seconds will not in thirty
MAX_REDIRECTS = 5
MAX_CONNECTIONS = 4  # feeds ask one source at a time; politeness towards public servers

USER_AGENT = f"sentrikat/{version('sentrikat')}"


def allowed_hosts(settings: Settings, hosts: Collection[str]) -> frozenset[str]:
    """Return the hosts that may be reached: the mirror's alone if there is one."""
    if settings.feed_base_url is not None:
        return frozenset({urlsplit(settings.feed_base_url).hostname or ""})
    return frozenset(host.lower() for host in hosts)


def outbound_client(settings: Settings, hosts: Collection[str]) -> httpx2.Client:
    """Return a client that reaches `hosts` and nothing else, by the operator's proxy and CA.

    The environment's own proxy variables are not read: what reaches out is written in the
    settings, or not at all.
    """
    allowed = allowed_hosts(settings, hosts)

    def refuse_others(request: httpx2.Request) -> None:
        if request.url.host not in allowed:
            raise Unavailable(
                f"Nothing was sent to {request.url.host}: this server may reach "
                f"{', '.join(sorted(allowed)) or 'no other host'} only.",
                hint="A source that moved to another host needs a new release or SENTRIKAT_FEED_BASE_URL.",
                code="host_not_allowed",
            )

    trust = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS)
    transport = httpx2.HTTPTransport(verify=trust, proxy=settings.proxy, trust_env=False, limits=limits)
    named = [
        host for url in (settings.feed_base_url, settings.proxy) if url and (host := urlsplit(url).hostname)
    ]
    # The client has no argument for it; infra/outbound.py says what this keeps away from.
    transport._pool._network_backend = GuardedBackend(rules_of(settings), named=named)  # noqa: SLF001
    return httpx2.Client(
        transport=transport,
        trust_env=False,
        timeout=httpx2.Timeout(settings.http_timeout_seconds, connect=CONNECT_SECONDS),
        max_redirects=MAX_REDIRECTS,
        headers={"User-Agent": USER_AGENT},
        event_hooks={"request": [refuse_others]},
    )
