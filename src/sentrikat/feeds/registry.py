"""Every feed, in the order they are run: small and urgent first."""

from __future__ import annotations

from types import ModuleType

from sentrikat.domain.errors import NotFound
from sentrikat.feeds import (
    almalinux,
    alpine,
    amazon,
    debian,
    endoflife,
    epss,
    euvd,
    exploitdb,
    kev,
    metasploit,
    msrc,
    nvd,
    nvd_cpe,
    osv,
    overrides,
    redhat,
    redhat_data,
    suse,
    ubuntu,
    vulnrichment,
    wesng,
)
from sentrikat.feeds.adapter import Feed


def _feed(module: ModuleType) -> Feed:
    return Feed(
        name=module.NAME,
        title=module.TITLE,
        sources=module.SOURCES,
        license=module.LICENSE,
        terms=module.TERMS,
        pace=module.PACE,
        complete=module.COMPLETE,
        fetch=module.fetch,
        parse=module.parse,
    )


FEEDS: tuple[Feed, ...] = tuple(
    _feed(module)
    for module in (
        kev,
        euvd,
        epss,
        exploitdb,
        metasploit,
        vulnrichment,
        overrides,
        msrc,
        wesng,
        nvd,
        debian,
        ubuntu,
        redhat,
        suse,
        alpine,
        almalinux,
        amazon,
        osv,
        redhat_data,
        nvd_cpe,
        endoflife,
    )
)


def feed(name: str) -> Feed:
    """Give the feed `name`; NotFound names those there are."""
    for one in FEEDS:
        if one.name == name:
            return one
    raise NotFound(f"There is no feed {name!r}.", hint="Feeds: " + ", ".join(one.name for one in FEEDS))
