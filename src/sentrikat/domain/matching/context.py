"""The target context of a component: what a statement's target attributes are held against.

Written as text so that components with the same context share one set-based decision: the os family, then the
component's own target attributes where its CPE name gives any.
"""

from __future__ import annotations

from functools import lru_cache

from sentrikat.domain.cpe.name import CpeName, parse

_ATTRIBUTES = ("edition", "language", "sw_edition", "target_sw", "target_hw", "other")


def target_context(os_family: str, cpe: CpeName | None) -> str:
    """Give the context of a component on machines of `os_family`."""
    if cpe is None or all(getattr(cpe, attribute) == "*" for attribute in _ATTRIBUTES):
        return os_family
    values = (getattr(cpe, attribute) for attribute in _ATTRIBUTES)
    return " ".join((os_family, "cpe:2.3:a:*:*:*:*:" + ":".join(values)))


@lru_cache(maxsize=4096)
def read_context(context: str) -> tuple[CpeName | None, str]:
    """Give back the CPE name (with only target attributes) and the os family of a context."""
    os_family, _, name = context.partition(" ")
    return (parse(name) if name else None), os_family
