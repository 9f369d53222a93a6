"""Updates of Microsoft's programs: which are in effect, and which is missing, of SQL Server, Exchange, .NET and Office.

SQL Server, Exchange and .NET are repaired along lines (GDR and CU, a cumulative update, a release): each update holds all
earlier ones of its line, and there is one newest to install. It is told by the program's version, by the updates that are
reported, and by the days of both. Office installed by MSI has a chain of updates for each part of it, and no version that
tells anything, so there the chains decide, as for Windows before 10.

.NET Framework is a part of Windows, and inventories do not say which one there is. An update of it that is reported does:
Windows installs no other. Where that update is named for several frameworks, only what is named for all of them counts.

Source  Microsoft, "Servicing models for SQL Server", "Exchange Server updates", ".NET releases, patches, and support":
        updates are cumulative within their line
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sentrikat.domain.advisory import VendorUpdate
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.microsoft_programs import microsoft_programs
from sentrikat.domain.matching.supersedence import (
    MissingUpdate,
    Supersedence,
    missing_update,
    missing_updates,
    number_of,
)
from sentrikat.domain.versions import Scheme, key

_OFFICE_MAKER = "microsoft office "


@dataclass(frozen=True, slots=True)
class Program:
    """A program of Microsoft's under Microsoft's titles, with the version to compare.

    `by_line`   each update holds all earlier ones of the line
    """

    titles: frozenset[str]
    version: str
    by_line: bool


def programs_of(components: Iterable[Component]) -> tuple[Program, ...]:
    """Give the programs of Microsoft's among components, each once."""
    found: dict[Program, None] = {}
    for component in components:
        named = list(microsoft_programs(component))
        if named:
            titles = frozenset(product.name for product, _ in named)
            by_line = not any(title.startswith(_OFFICE_MAKER) for title in titles)
            found[Program(titles, named[0][1], by_line)] = None
    return tuple(found)


def held_of_line(
    program: Program, installed: Iterable[str], offers: Sequence[VendorUpdate]
) -> frozenset[str]:
    """Give the updates of a program's line that are in effect; `offers` are all of that line."""
    if not program.by_line:
        return frozenset()
    own = set(installed)
    # An entry of Exchange keeps the version of its cumulative update; what is reported beside it says more.
    builds = [one.fixed_build for one in offers if one.name in own and one.fixed_build is not None]
    level = max(key(Scheme.WINDOWS, build) for build in [program.version, *builds])
    reached = [
        one
        for one in offers
        if one.name in own or (one.fixed_build is not None and key(Scheme.WINDOWS, one.fixed_build) <= level)
    ]
    held = {one.name for one in reached}
    newest = max((_place(one) for one in reached), default=None)
    if newest is not None:
        # Older by day and by number: a list may date an update by the flaw, which is older than its repair.
        held |= {
            one.name
            for one in offers
            if one.fixed_build is None
            and one.released is not None
            and one.released <= newest[0]
            and number_of(one.name) <= newest[1]
        }
    return frozenset(held)


def missing_of_program(
    program: Program, held: frozenset[str], offers: Sequence[VendorUpdate], supersedes: Supersedence
) -> tuple[MissingUpdate, ...]:
    """Give what a program should get: the newest of its line, or the newest of each chain of Office."""
    if not program.by_line:
        return missing_updates(offers, held, supersedes, cumulative=False)
    lacking: dict[str, list[VendorUpdate]] = {}
    for one in offers:
        if one.name not in held:
            lacking.setdefault(one.name, []).append(one)
    if not lacking:
        return ()
    newest = max(lacking, key=lambda name: max(_place(one) for one in lacking[name]))
    repairs = {flaw for said in lacking.values() for one in said for flaw in one.vulnerabilities}
    return (missing_update(newest, lacking[newest], repairs),)


def missing_of_framework(
    system: str, installed: Iterable[str], offers: Sequence[VendorUpdate], of_system: frozenset[str]
) -> MissingUpdate | None:
    """Give the newest update of the .NET Framework that a Windows has, if it lacks it; None without evidence.

    `system` is the title of this Windows, `offers` are the updates of all frameworks on it, `of_system` the names of Windows' own: until 2018 these
    repaired the framework as well, and are no evidence of one.
    """
    frameworks: dict[str, dict[str, list[VendorUpdate]]] = {}
    for one in offers:
        if one.name not in of_system:
            framework = one.product.name.rpartition(" on ")[0]
            frameworks.setdefault(framework, {}).setdefault(one.name, []).append(one)
    evidence = {name for known in frameworks.values() for name in known} & set(installed)
    if not evidence:
        return None
    newest = max(evidence, key=number_of)
    had = [known for known in frameworks.values() if newest in known]
    latest = max(set.intersection(*(set(known) for known in had)), key=number_of)
    if latest == newest:
        return None
    said = [one for known in had for one in known[latest]]
    own = [one for one in said if one.product.name.endswith(f" on {system}")]
    lacking = [
        one
        for known in had
        for name, more in known.items()
        if number_of(name) > number_of(newest)
        for one in more
    ]
    return missing_update(latest, own or said, {flaw for one in lacking for flaw in one.vulnerabilities})


def _place(update: VendorUpdate) -> tuple[date, int]:
    return (update.released or date.min, number_of(update.name))
