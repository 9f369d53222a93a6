"""Titles as machines register them, held against the products that NVD really has; see samples/titles/SOURCE."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.installed_version import version_and_update
from sentrikat.domain.matching.likeness import Candidate, Named, rank
from sentrikat.domain.matching.titles import words_of
from sentrikat.inventory.titles import TitleIndex

SAMPLES = Path(__file__).parents[2] / "samples" / "titles"


def rows(name: str) -> list[dict[str, str]]:
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TITLES = rows("titles.csv")
# What no rule tells without guessing. Each waits in the queue of what could not be identified.
OPEN = {
    "FileZilla Client": "nobody names the maker, and hardly a flaw is filed under the name",
    "go": "two letters, and nobody names the maker",
    "Core FTP LE 2.2": "“LE” may be another program",
    "McAfee Endpoint Security Threat Prevention": "NVD has one name for Linux only",
    "Microsoft Exchange Server 2019 Cumulative Update 12": "judged by Microsoft's own titles",
    "Microsoft Office LTSC Professional Plus 2021 - en-us": "judged by Microsoft's own titles",
    "Microsoft Office Professional Plus 2016": "judged by Microsoft's own titles",
    "Microsoft Office Professional Plus 2019 - en-us": "judged by Microsoft's own titles",
    "Microsoft Office Standard 2013": "judged by Microsoft's own titles",
    "Microsoft Project Standard 2019 - en-us": "a year of Microsoft's is a product of its own",
    "Microsoft Visio Professional 2016": "a year of Microsoft's is a product of its own",
    "Pulse Secure": "registers builds that NVD does not name",
    "Skype for Business Basic 2016 - en-us": "a year of Microsoft's is a product of its own",
}


def component_of(row: dict[str, str]) -> Component:
    return Component(
        row["kind"],
        row["kind"],
        row["title"],
        row["version"] or None,
        vendor=row["publisher"] or None,
        bundle_id=row["bundle_id"] or None,
    )


@cache
def candidates_by_word() -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for row in rows("products.csv"):
        vendor, _, product = row["product"].partition(":")
        made_for = tuple(filter(None, row["made_for"].split("|")))
        candidate = Candidate(vendor, product, (), made_for, int(row["flaws"]))
        for word in {*words_of(row["product"]), *words_of(product.replace("_", " "))}:
            found[word].append(candidate)
    return found


@cache
def index() -> TitleIndex:
    known = rows("products.csv")
    made = TitleIndex.of(
        ((Product("cpe:a", row["product"]), int(row["flaws"])) for row in known),
        rare=frozenset((SAMPLES / "rare_words.txt").read_text(encoding="utf-8").split()),
    )
    for row in known:
        made.targets[Product("cpe:a", row["product"])] = tuple(filter(None, row["made_for"].split("|")))
    return made


def taken_for(component: Component) -> str:
    titles = index()
    if titles.is_open(component):
        named = Named.of(component)
        alike = {one for word in named.runs for one in candidates_by_word().get(word, ())}
        titles.ranked[component] = rank(named, alike)[:5]
    return next((one.name for one in titles.choose(component).products), "-")


@pytest.mark.parametrize(
    "row", TITLES, ids=lambda row: " ".join(row[one] for one in ("kind", "title", "publisher"))
)
def test_a_title_of_the_field_is_what_it_is(row: dict[str, str]) -> None:
    taken = taken_for(component_of(row))

    if row["title"] in OPEN:
        assert taken == "-", "told by now: take it off the list"
    else:
        assert taken in row["products"].split()


@pytest.mark.parametrize(
    "row", [row for row in TITLES if row["version_meant"]], ids=lambda row: str(row["title"])
)
def test_its_version_is_the_one_that_statements_name(row: dict[str, str]) -> None:
    version, update = version_and_update(component_of(row))

    said = (version or "?") + ("" if update == "*" else f" {update}")
    assert said == row["version_meant"]


def test_nineteen_of_twenty_titles_are_told() -> None:
    assert len(OPEN) / len(TITLES) < 0.05
