"""Microsoft's programs under Microsoft's own titles, where title and version leave no doubt.

A rule names the product of an installed program: its pattern must fit the whole title, and the version must have the
form that product's fixed builds have.

SQL Server's level of repair is the version of its setup: every update replaces that, while the entries of the engine
and its parts keep the version they were installed with. Left out, because what the registry says does not tell the
level of repair: SharePoint, whose entry keeps the first version for good.

Source  product trees of the MSRC's monthly documents to February 2025; program titles of Windows' Uninstall registry
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import Component, Inventory
from sentrikat.domain.matching.microsoft_lines import exchange_update, sql_server_line

# Office installed by MSI: the registry keeps the version of the first release for good, so its updates alone decide.
_OFFICE = {"2016": "16.0.4266.1001", "2013": "15.0.4420.1017"}
_OFFICE_TITLES = {
    "2016": ("microsoft {} 2016 (64-bit edition)", "microsoft {} 2016 (32-bit edition)"),
    "2013": (
        "microsoft {} 2013 service pack 1 (64-bit editions)",
        "microsoft {} 2013 service pack 1 (32-bit editions)",
    ),
}
# What is in every edition, and what is in all but those for home use.
_PROGRAMS = ("excel", "word", "powerpoint")
_MORE_PROGRAMS = ("outlook", "publisher")
# SQL Server's first releases, as the entry of an engine may say for good: the third number of 2014 to 2025.
_FIRST_BUILDS = (["2000"], ["1601"], ["1000"])

# Office by Click to Run: all editions share builds, but 2019 by volume license, whose builds are lower than all others'.
CLICK_TO_RUN = "microsoft 365 apps and office (click-to-run)"
OFFICE_2019_VOLUME = "microsoft office 2019 (volume licensed)"
_FIRST_VOLUME_2019, _END_OF_VOLUME_2019 = 10_325, 11_000

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
    """Name .NET by the version in its title: the registry's own is the installer's.

    Until 2020 it was called .NET Core; since October 2024 Microsoft names it once for each system. What it says of
    ASP.NET Core alone touches nobody else; what it says of .NET touches ASP.NET Core, which comes with it.
    """
    line = match["line"]
    core = "core " if int(line.split(".")[0]) < 5 else ""
    titles = (f".net {core}{line}", f".net {core}{line} installed on windows")
    return (*titles, f"asp.net core {line}") if match["web"] else titles, match["version"]


def _sql_server(_match: re.Match[str], version: str) -> _Named | None:
    line = sql_server_line(version)
    return ((line,), version) if line else None


def _sql_server_engine(match: re.Match[str], version: str) -> _Named | None:
    """Name the engine only where its version is not that of the first installation, which its entry may keep."""
    return None if version.split(".")[2:3] in _FIRST_BUILDS else _sql_server(match, version)


def _powershell(_match: re.Match[str], version: str) -> _Named:
    return (f"powershell {'.'.join(version.split('.')[:2])}",), version


def _driver(title: str) -> Callable[[re.Match[str], str], _Named | None]:
    return lambda match, version: ((title.format(match["major"] or version.split(".")[0]),), version)


def _exchange(match: re.Match[str], version: str) -> _Named | None:
    """Name Exchange by the build; an older one than the table holds by what its title says."""
    named = exchange_update(version)
    if named is None and match["update"]:
        named = f"microsoft exchange server {match['year']} cumulative update {match['update']}"
    return ((named,), version) if named else None


def _office(match: re.Match[str], _version: str) -> _Named:
    """Name the suite and the programs in it, for each of which there are updates apart."""
    year, edition = match["year"], match["edition"].lower()
    programs = [*_PROGRAMS, *(_MORE_PROGRAMS if not edition.startswith("home") else ())]
    if edition.startswith("professional"):
        programs.append("access")
    if edition == "home and business":
        programs.append("outlook")
    forms = _OFFICE_TITLES[year]
    return tuple(form.format(one) for one in ("office", *programs) for form in forms), _OFFICE[year]


def _click_to_run(match: re.Match[str], version: str) -> _Named | None:
    parts = version.split(".")
    if parts[:2] != ["16", "0"] or len(parts) != 4 or not parts[2].isdigit():
        return None
    is_volume = "2019" in match[0] and _FIRST_VOLUME_2019 <= int(parts[2]) < _END_OF_VOLUME_2019
    return (OFFICE_2019_VOLUME if is_volume else CLICK_TO_RUN,), version


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
                r"microsoft (?:\.net (?:core )?runtime - |windows desktop runtime - |(?P<web>asp\.net core ))"
                r"(?P<version>(?P<line>\d{1,2}\.\d)\.\d+)(?: - shared framework| shared framework)? \((?:x64|x86|arm64)\)"
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
        (r"microsoft sql server 20\d\d(?: r2)?[ -]setup \([^()]{2,40}\)", _sql_server),
        (r"microsoft sql server 20\d\d(?: r2)?(?: \(64-bit\))?", _sql_server_engine),
        (
            (
                r"microsoft exchange server (?P<year>20\d\d|subscription edition)"
                r"(?: cumulative update (?P<update>\d+)| rtm)?"
            ),
            _exchange,
        ),
        (
            (
                r"microsoft (?:365(?: apps for (?:enterprise|business))?|office 365(?: proplus| business)?"
                r"|office (?:ltsc )?(?:professional plus|professional|standard|home and business|home and student|home"
                r"|home & business|home & student) 20(?:16|19|21|24)) - [a-z]{2,3}(?:-[a-z]{2,8}){1,2}"
            ),
            _click_to_run,
        ),
        (
            (
                r"microsoft office (?P<edition>professional plus|professional|standard|home and business|home and student)"
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
