"""What of the data pack the evaluation can be touched by, so that loading takes minutes and not half an hour.

A scan looks a package up by its exact name in its own ecosystem, so statements about packages that no labeled
inventory has cannot change a result; records are cut down to those it has. Maven is kept whole, because jars are
looked up by artifact. Applications are found by title: kept is every record about a product whose name shares a word
with any title, bundle id or CPE name of the set, so that what a title might be taken for by mistake is still there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from sentrikat.domain.matching.ended_releases import later_name

_CPE = re.compile(rb'"cpe:2\.3:[aoh]:[^:"]+:([^:"]+):')
_NAMED = re.compile(rb'"(?:product|packageName)":"([^"]{1,200})"')
_WORD = re.compile(r"[a-z0-9]+")
_SHORTEST = 3  # letters: shorter words are in everything
# Words of many products' names that tell none apart; what they stand in has another word to be found by.
_COMMON = frozenset(
    [
        "and",
        "for",
        "the",
        "with",
        "server",
        "linux",
        "enterprise",
        "system",
        "management",
        "desktop",
        "application",
        "applications",
        "web",
        "platform",
        "data",
        "service",
        "services",
        "network",
        "pro",
        "professional",
        "storage",
        "client",
        "module",
        "file",
        "files",
        "core",
        "plus",
        "kit",
        "sdk",
    ]
)
_DISTRIBUTION = frozenset({"deb", "rpm", "apk", "pacman"})
# Judged by their ecosystem alone. Python packages are labeled with CPE names too, so those are looked for.
_ECOSYSTEMS = frozenset({"npm", "maven", "golang", "gem", "nuget", "cargo", "composer"})


class Selection:
    """The packages and the words of a set of agent reports."""

    def __init__(self, reports: Iterable[Mapping[str, Any]]) -> None:
        words: set[str] = set()
        packages: set[str] = set()
        short: set[str] = set()
        for report in reports:
            system = report["os"]
            if system["family"] in {"windows", "macos"}:
                words.update(words_of(system.get("name") or ""))
            release = f"{system.get('name')}:{system.get('version')}"
            for item in report["software"]:
                names = {name for name in (item["name"], item.get("source_name")) if name}
                packages |= names | {later_name(release, name) for name in names}
                # The packages of whole hosts are the distribution's; single ones may be somebody else's.
                if item["type"] in _ECOSYSTEMS:
                    continue
                if item["type"] not in _DISTRIBUTION or len(report["software"]) == 1:
                    words.update(words_of(item["name"]), words_of(item.get("bundle_id") or ""))
                    if len(item["name"]) < _SHORTEST:
                        short.add(item["name"].lower())  # "xz" has no longer word to be found by
                    words.update(words_of(":".join((item.get("cpe") or "").split(":")[4:5])))
        self.words = frozenset(words)
        self.short = frozenset(short)
        self.packages = frozenset(packages)
        self._is_wanted = lru_cache(maxsize=200_000)(self._shares_a_word)

    def wants(self, record: bytes) -> bool:
        """Say whether a record of NVD, of the overrides or in CVE 5 form names a product that may matter."""
        return any(self._is_wanted(name) for name in (*_CPE.findall(record), *_NAMED.findall(record)))

    def cut(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give an OSV record with the packages that matter only; None when there is none."""
        kept = [
            one
            for one in record.get("affected", ())
            if (package := one.get("package"))
            and (
                package.get("ecosystem") == "Maven"
                or package.get("name") in self.packages
                or not self.packages.isdisjoint(_binaries(one))
            )
        ]
        return {**record, "affected": kept} if kept else None

    def _shares_a_word(self, name: bytes) -> bool:
        text = name.decode(errors="replace")
        return text.lower() in self.short or not self.words.isdisjoint(words_of(text))


def _binaries(entry: Mapping[str, Any]) -> Iterable[str]:
    """Give the binaries a SUSE record lists of a source package: that of an inventory may be known by them only."""
    for listed in (entry.get("ecosystem_specific") or {}).get("binaries", ()):
        yield from listed


def words_of(text: str) -> set[str]:
    """Give the words of a name, in lower case, without those that are in everything."""
    found = _WORD.findall(text.lower())
    return {word for word in found if len(word) >= _SHORTEST and not word.isdigit()} - _COMMON
