"""What is doubtful about the way people and agents reach the web server: said at the start, and by the doctor."""

from __future__ import annotations

from dataclasses import dataclass

from sentrikat.infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is wrong, and what to do."""

    what: str
    remedy: str


def doubt_about(settings: Settings) -> Doubt | None:
    """Give the gravest doubt; None on a loopback address for oneself, and behind TLS."""
    if settings.is_for_others and not settings.secure_cookies:
        why = (
            "SENTRIKAT_COOKIE_SECURE is off"
            if settings.cookie_secure is not None
            else f"SENTRIKAT_PUBLIC_URL is {settings.public_url}"
        )
        return Doubt(
            f"passwords, sessions, keys and inventories cross the network unencrypted, because {why}",
            "Put a proxy with TLS in front, and set SENTRIKAT_PUBLIC_URL to its https address: docs/admin/reverse-proxy.md",
        )
    if settings.listens_beyond_loopback and settings.public_url is None:
        return Doubt(
            f"it listens on {settings.host} and SENTRIKAT_PUBLIC_URL is not set: requests of other machines over plain "
            "HTTP are refused, and those that come over HTTPS may use any name",
            "Put a proxy with TLS in front, and set SENTRIKAT_PUBLIC_URL to its https address: docs/admin/reverse-proxy.md",
        )
    return None
