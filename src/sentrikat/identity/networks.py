"""Rules of where somebody may come from: networks as people write them, and whether an address lies within."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection


def as_network(text: str) -> str | None:
    """Give the one spelling of a network or a single address; None for what is neither."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        return None


def as_networks(texts: Collection[str]) -> list[str]:
    """Give each readable network once, in the order given."""
    return list(dict.fromkeys(found for text in texts if (found := as_network(text)) is not None))


def is_within(address: str | None, networks: Collection[str]) -> bool:
    """Say whether an address lies in one of the networks; an unknown address lies in none."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False  # a rule that cannot be checked is not kept
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in ipaddress.ip_network(network) for network in networks)
