"""endoflife.date: until when each release of a product gets repairs.

Source  https://endoflife.date/api/all.json names the products, /api/PRODUCT.json lists the releases of one:
        [{"cycle": "22.04", "releaseDate": "2022-04-21", "support": "2024-09-30", "eol": "2027-04-01",
          "extendedSupport": "2032-04-09", "latest": "22.04.5", "releaseLabel": "..."}]
Pace    several times a week; a product's document changes with every release of it

`eol`, `support` and `extendedSupport` are a day, or true or false. `eol: true` is "over"; the other two say whether
there still is such support. Only products are fetched that something installed can be told to be
(domain.matching.release_cycles, formats.endoflife_products).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import orjson

from sentrikat.domain.advisory import Record, ReleaseCycles
from sentrikat.domain.lifecycle import Cycle, Ending
from sentrikat.domain.matching.release_cycles import SYSTEM_PRODUCTS
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    familiar,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.endoflife_products import PRODUCTS
from sentrikat.feeds.parts import get_if_there

NAME = "endoflife"
TITLE = "endoflife.date"
BASE = "https://endoflife.date/api/"
SOURCES = (BASE,)
LICENSE = "MIT"
TERMS = "endoflife.date, made by its contributors, MIT license."
PACE = timedelta(days=7)
COMPLETE = False  # a product that did not change is not fetched; each document is the whole of its product

ALL = f"{BASE}all.json"
WANTED = (*SYSTEM_PRODUCTS, *PRODUCTS)

_LARGEST = 8 << 20  # bytes; the largest real document has 60 KB
_MOST_CYCLES = 2_000
_PRODUCT = re.compile(r"[\w.+-]{1,80}")

# The last ones are columns that single products have beside the usual ones.
_FIELDS = frozenset(
    {
        "codename",
        "cycle",
        "discontinued",
        "eol",
        "extendedSupport",
        "latest",
        "latestReleaseDate",
        "link",
        "lts",
        "releaseDate",
        "releaseLabel",
        "support",
        "ansibleCoreVersion",
        "eoesProvider",
        "powershellVersionsManagedNode",
        "pythonVersionsControlNode",
        "pythonVersionsManagedNode",
        "recommendedJavaVersion",
        "staleReleaseThresholdDays",
        "supportedJavaVersions",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the document of each wanted product that changed since `state`."""
    held = transport.listing(BASE)
    for url in held if held is not None else _addresses(transport):
        document, _ = get_if_there(transport, url, state.of(url))
        if document:
            yield document


def _addresses(transport: Transport) -> Iterator[str]:
    """Yield the addresses of the wanted products there are: a renamed one is not there any more."""
    listed = transport.get(ALL)
    if listed is None:
        return
    with reading(listed):
        names = {
            name for name in fields.sequence(listed.json(), "the list of products") if isinstance(name, str)
        }
        if not names & set(SYSTEM_PRODUCTS):
            raise ValueError("it names no operating system")
    for product in WANTED:
        if product in names:
            yield f"{BASE}{product}.json"


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one record for the product: all its cycles. A cycle of another shape is set aside."""
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        product = document.url.split("?", maxsplit=1)[0].rsplit("/", 1)[-1].removesuffix(".json")
        if not _PRODUCT.fullmatch(product) or product == "all":
            raise ValueError(f"{product[:60]!r} is the name of no product")
        listed = fields.sequence(orjson.loads(document.read(_LARGEST)), "the list of releases")
        if not listed or len(listed) > _MOST_CYCLES:
            raise ValueError(f"it lists {len(listed)} releases")
        cycles: dict[str, Cycle] = {}
        for entry in listed:
            cycle = attempt(
                entry,
                lambda entry=entry: f"{product} {entry['cycle']}",  # type: ignore[misc]
                lambda entry=entry: _cycle(product, fields.mapping(entry, "release")),  # type: ignore[misc]
            )
            if isinstance(cycle, Quarantined):
                yield cycle
            else:
                cycles.setdefault(cycle.name, cycle)
        if cycles:
            yield ReleaseCycles(NAME, product, tuple(cycles.values()), PRODUCTS.get(product, ()))


def _cycle(product: str, entry: Mapping[str, Any]) -> Cycle:
    familiar(entry, _FIELDS, "cycle")
    name = entry.get("cycle")
    if isinstance(name, int | float) and not isinstance(name, bool):
        name = str(name)
    cycle = fields.short(name, "cycle")
    if cycle is None:
        raise ValueError("cycle is missing")
    if "eol" not in entry:  # null may say "unknown"; a field of another name would make every end unknown
        raise KeyError("eol")
    return Cycle(
        product=product,
        name=cycle,
        security=_ending(entry, "eol", over=True),
        support=_ending(entry, "support", over=False),
        extended=_extended(entry),
        released=_day(entry["releaseDate"], "releaseDate") if entry.get("releaseDate") else None,
        latest=fields.optional(entry, "latest") if isinstance(entry.get("latest"), str) else None,
        label=fields.optional(entry, "releaseLabel") if isinstance(entry.get("releaseLabel"), str) else None,
    )


def _ending(entry: Mapping[str, Any], name: str, *, over: bool) -> Ending | None:
    """Read an end; `over` is the boolean that means "it has ended"."""
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool):
        return Ending(over=value is over)
    return Ending(on=_day(value, name))


def _extended(entry: Mapping[str, Any]) -> Ending | None:
    """Read extended support; false is "there is none"."""
    ending = _ending(entry, "extendedSupport", over=False)
    return None if ending is not None and ending.over else ending


def _day(value: object, name: str) -> date:
    text = fields.short(value, name)
    if text is None or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ValueError(f"{name} is neither a day nor true or false")
    return date.fromisoformat(text)
