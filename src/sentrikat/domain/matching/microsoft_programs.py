"""Microsoft's programs under Microsoft's own titles, where title and version leave no doubt.

A rule names the product of an installed program: its pattern must fit the whole title, and the version must have the
form that product's fixed builds have. Left out, because what the registry says does not tell the level of repair: SQL
Server (each update leaves an entry of its own, and the engine's keeps the version it was installed with), Office by
Click to Run (Microsoft names no builds for it), SharePoint.

Source  product trees of the MSRC's monthly documents to February 2025; program titles of Windows' Uninstall registry
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import Component, Inventory

# Office installed by MSI: the registry keeps the version of the first release for good, so its updates alone decide.
_OFFICE = {"2016": "16.0.4266.1001", "2013": "15.0.4420.1017"}
_OFFICE_TITLES = {
    "2016": ("microsoft office 2016 (64-bit edition)", "microsoft office 2016 (32-bit edition)"),
    "2013": (
        "microsoft office 2013 service pack 1 (64-bit editions)",
        "microsoft office 2013 service pack 1 (32-bit editions)",
    ),
}

_Named = tuple[tuple[str, ...], str]
"""Titles of Microsoft's, and the version to compare."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """`pattern` fits the title of a program; `named` gives what it is, or None where the version leaves a doubt."""

    pattern: re.Pattern[str]
    named: Callable[[re.Match[str], str], _Named | None]


def _plain(title: str) -> Callable[[re.Match[str], str], _Named | None]:
    return lambda _match, version: ((title,), version)


def _by_line(match: re.Match[str], version: str) -> _Named | None:
    """Name Visual Studio by year and line; its registry version may be a build number, which says nothing here."""
    parts = version.split(".")
    if len(parts) < 3 or not parts[2].isdigit() or int(parts[2]) > 200:
        return None
    return (f"microsoft visual studio {match['year']} version {parts[0]}.{parts[1]}",), ".".join(parts[:3])


def _by_title(match: re.Match[str], _version: str) -> _Named:
    """Name .NET by the version in its title: the registry's own is the installer's."""
    return (f".net {match['line']}",), match["version"]


def _powershell(_match: re.Match[str], version: str) -> _Named:
    return (f"powershell {'.'.join(version.split('.')[:2])}",), version


def _driver(title: str) -> Callable[[re.Match[str], str], _Named | None]:
    return lambda match, version: ((title.format(match["major"] or version.split(".")[0]),), version)


def _exchange(match: re.Match[str], version: str) -> _Named:
    return (f"microsoft exchange server {match['year']} cumulative update {match['update']}",), version


def _office(match: re.Match[str], _version: str) -> _Named:
    return _OFFICE_TITLES[match["year"]], _OFFICE[match["year"]]


_RULES = tuple(
    _Rule(re.compile(pattern, re.IGNORECASE), named)
    for pattern, named in (
        (r"microsoft edge", _plain("microsoft edge (chromium-based)")),
        (r"(?:microsoft )?visual studio code(?: \((?:user|system)\))?", _plain("visual studio code")),
        (
            r"(?:microsoft )?visual studio (?:community|professional|enterprise|build tools) (?P<year>20\d\d)",
            _by_line,
        ),
        (
            (
                r"microsoft (?:\.net runtime - |windows desktop runtime - |asp\.net core )"
                r"(?P<version>(?P<line>(?:[6-9]|\d\d)\.0)\.\d+)(?: - shared framework)? \((?:x64|x86|arm64)\)"
            ),
            _by_title,
        ),
        (r"powershell 7(?:\.\d+)?(?:\.\d+)?-(?:x64|x86|arm64)", _powershell),
        (
            r"microsoft ole db driver(?: (?P<major>\d\d))? for sql server",
            _driver("microsoft ole db driver {} for sql server"),
        ),
        (
            r"microsoft odbc driver (?P<major>\d\d) for sql server",
            _driver("microsoft odbc driver {} for sql server on windows"),
        ),
        (r"microsoft exchange server (?P<year>20\d\d) cumulative update (?P<update>\d+)", _exchange),
        (
            (
                r"microsoft office (?:professional plus|professional|standard|home and business|home and student)"
                r" (?P<year>2016|2013)"
            ),
            _office,
        ),
    )
)
_VERSION = re.compile(r"\d+(?:\.\d+){1,4}")
_KB = re.compile(r"\(?\b(KB\d{6,8})\b\)?")


def microsoft_programs(component: Component) -> Iterator[tuple[Product, str]]:
    """Yield the products a program of Microsoft's is, each with the version to compare; nothing in doubt."""
    if component.kind != "windows":
        return
    maker = (component.vendor or "").lower()
    title = " ".join(component.name.split())
    if "microsoft" not in (maker or title.lower()) and not title.lower().startswith("powershell 7"):
        return
    version = (component.version or "").strip()
    for rule in _RULES:
        match = rule.pattern.fullmatch(title)
        if match is None:
            continue
        found = rule.named(match, version)
        if found is not None and _VERSION.fullmatch(found[1]):
            yield from ((Product("msrc", one), found[1]) for one in found[0])
        return


def reported_updates(inventory: Inventory) -> tuple[str, ...]:
    """Give the updates a machine reports, those that stand among its programs as entries of their own included."""
    named = (
        match[1]
        for software in inventory.software
        if software.type == "windows" and (match := _KB.search(software.name))
    )
    return tuple(dict.fromkeys((*inventory.updates, *named)))
