"""What Microsoft's documents and lists made of them share: product titles, KB numbers, builds, and the records of them.

A product is a title, one per release, edition and architecture ("Windows 10 Version 22H2 for x64-based Systems"), and
a repair is an update (KB), a build, or both. Only half of the repairs name a build, so each statement also says as a
condition "none of these updates is installed": whoever has one of them, or one that supersedes it, is repaired.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sentrikat.domain.advisory import (
    Condition,
    Product,
    Remedy,
    Statement,
    Status,
    Term,
    TermGroup,
    VendorUpdate,
)
from sentrikat.domain.matching.microsoft_lines import is_build_of_line, line_named
from sentrikat.domain.matching.microsoft_products import is_build_of
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme, key
from sentrikat.feeds import fields

ECOSYSTEM = "msrc"
UPDATES = "update"

_KB = re.compile(r"(?:KB)?(\d{6,8})", re.IGNORECASE)
_KBS = re.compile(r"(?<![\w-])(?:KB)?(\d{6,8})(?![\w-])", re.IGNORECASE)
_BUILD = re.compile(r"\d+(?:\.\d+){1,5}")
_TAG = re.compile(r"<[^>]{0,2000}>")
_SPACE = re.compile(r"\s+")
_MARINER = re.compile(r"(?:cbl mariner|azure linux) (\d+)\.(\d+) (?:x64|arm)")


@dataclass(frozen=True, slots=True)
class Fix:
    """One repair of one flaw in one product, as a document names it."""

    update: str | None  # KB5034122
    build: str | None
    kind: str | None = None
    supersedes: tuple[str, ...] = ()


def product_named(title: str) -> Product:
    """Give the product of a title; titles differ in case and spaces from month to month.

    SQL Server's are told by line: whoever is on an older cumulative update is on the line of "(CU 27)", too.
    """
    name = _SPACE.sub(" ", title).strip().lower()
    return Product(ECOSYSTEM, line_named(name) or name)


def update_named(words: str | None) -> str | None:
    """Give the name of an update, KB5034122, of words that are its number; None for any other words."""
    match = _KB.fullmatch((words or "").strip())
    return f"KB{match[1]}" if match else None


def updates_named(words: str | None) -> tuple[str, ...]:
    """Give every update named in words such as `MS16-016, 3124280; MS16-097, 3178034`: bulletin ids are none."""
    return fields.unique(f"KB{number}" for number in _KBS.findall(words or ""))


def build_named(words: str | None) -> str | None:
    """Give words that are a version of numbers and dots; addresses, package versions and empty words are none."""
    words = (words or "").strip()
    return words if _BUILD.fullmatch(words) else None


def plain(words: str | None) -> str | None:
    """Give the text of a note without its HTML."""
    if words is None:
        return None
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", words))).strip() or None


_CONDITIONS: dict[tuple[str, ...], Condition] = {}


def without(updates: Sequence[str]) -> Condition:
    """Give the condition that none of the updates is installed; one object for each set, as they repeat a lot."""
    names = tuple(sorted(set(updates)))
    held = _CONDITIONS.get(names)
    if held is None:
        if len(_CONDITIONS) > 50_000:  # all of WES-NG has some 9,000
            _CONDITIONS.clear()
        terms = tuple(Term(Product(UPDATES, name.lower())) for name in names)
        held = _CONDITIONS[names] = Condition((TermGroup(terms, negate=True),))
    return held


def statement(title: str, fixes: Iterable[Fix], *, remedy: Remedy | None = None) -> Statement:
    """Say that a product has the flaw until one of `fixes` is there.

    Without a build and without an update nothing could be checked: nobody said which versions.
    """
    product = product_named(title)
    known = list(fixes)
    updates = fields.unique(one.update for one in known if one.update)
    # What moves another release's build (a boot list, filed under all of them) is no bound for this one.
    builds = {one.build for one in known if one.build and is_build_of(product.name, one.build)}
    # Security Only, Monthly Rollup and hotpatch repair alike: the first build that has the repair is the bound.
    build = min(builds, key=lambda one: key(Scheme.WINDOWS, one), default=None)
    if remedy is None:
        remedy = Remedy.FIXED if updates or build else None
    return Statement(
        product,
        Status.AFFECTED,
        VersionRange(Scheme.WINDOWS, fixed=build),
        described=bool(build or updates),
        remedy=remedy,
        condition=without(updates) if updates else None,
        note=" or ".join(updates)[:300] or None,
    )


def unaffected(title: str) -> Statement:
    """Say that a product does not have the flaw."""
    return Statement(
        product_named(title), Status.UNAFFECTED, VersionRange(Scheme.WINDOWS), remedy=Remedy.NOT_AFFECTED
    )


def linux_release(title: str) -> str | None:
    """Give the distribution a title of Microsoft's Linux stands for: `mariner:2.0`, `azurelinux:3.0`."""
    match = _MARINER.fullmatch(_SPACE.sub(" ", title).strip().lower())
    if match is None:
        return None
    name = "azurelinux" if int(match[1]) >= 3 else "mariner"
    return f"{name}:{match[1]}.{match[2]}"


def package_statement(release: str, package: str, fixed: str | None) -> Statement:
    """Say that a package of Microsoft's Linux has the flaw until `fixed`."""
    return Statement(
        Product(release, package),
        Status.AFFECTED,
        VersionRange(Scheme.RPM, fixed=fixed),
        remedy=Remedy.FIXED if fixed else Remedy.OPEN,
    )


class Updates:
    """The updates of a document, put together from what it says of each flaw."""

    def __init__(self, released: date | None) -> None:
        self._released = released
        self._held: dict[tuple[str, str], VendorUpdate] = {}
        self._repairs: dict[tuple[str, str], set[str]] = {}
        self._older: dict[tuple[str, str], set[str]] = {}

    def add(self, title: str, fix: Fix, vulnerability: str | None) -> None:
        """Note that `fix` repairs a flaw in a product."""
        if fix.update is None:
            return
        product = product_named(title)
        if fix.build is not None and is_build_of_line(product.name, fix.build) is False:
            # Exchange 2019 CU13 repaired by a build of CU14 is not repaired by an update of CU13.
            return
        place = (fix.update, product.name)
        build = fix.build if fix.build and is_build_of(product.name, fix.build) else None
        held = self._held.get(place)
        if held is None or (held.fixed_build is None and build is not None):
            self._held[place] = VendorUpdate(fix.update, product, fix.kind, self._released, build)
        if vulnerability is not None:
            self._repairs.setdefault(place, set()).add(vulnerability)
        self._older.setdefault(place, set()).update(set(fix.supersedes) - {fix.update})

    def all(self) -> tuple[VendorUpdate, ...]:
        """Give them, one per update and product."""
        return tuple(
            VendorUpdate(
                one.name,
                one.product,
                one.kind,
                one.released,
                one.fixed_build,
                tuple(sorted(self._older[place])),
                tuple(sorted(self._repairs.get(place, ()))),
            )
            for place, one in sorted(self._held.items())
        )
