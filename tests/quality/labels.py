"""The labeled evaluation set as cases: which inventory has which flaws, and which it has not.

Its specification is section 3 of the data pack's README. Ids are resolved to CVE names and rejected CVEs are
dropped here, on the side of the labels; `prediction` does the same for what the product says.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.quality import reference
from tests.quality.scoring import Case


@dataclass(frozen=True, slots=True)
class Name:
    """A labeled name (E1): what an installed product should be identified as."""

    ref: str
    kind: str
    ambiguous: bool
    expected: str | None  # CPE 2.3


@dataclass(frozen=True, slots=True)
class Resolver:
    """Turns advisory ids into CVE names and drops what was rejected."""

    names: Mapping[str, frozenset[str]]
    rejected: frozenset[str]

    def __call__(self, ids: Iterable[str]) -> frozenset[str]:
        resolved = {cve for one in ids for cve in self.names.get(one, _itself(one))}
        return frozenset(resolved - self.rejected)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything labeled, as read; `cases` gives it resolved."""

    data: Path
    items: Mapping[str, Mapping[str, Any]]
    notes: tuple[Mapping[str, Any], ...]
    reports: Mapping[str, Mapping[str, Any]]
    names: tuple[Name, ...]
    hosts: Mapping[str, Mapping[str, Any]]  # E6, by host

    @classmethod
    def load(cls, data: Path) -> Evaluation:
        """Read the evaluation set of a data pack."""
        folder = data / "evaluation"
        notes = tuple(reference.documents(folder / "notes.ndjson.zst"))
        reports = {one["report_id"]: one for one in reference.documents(folder / "reports.ndjson.zst")}
        expected = [
            entry["expected_cpe"] for entry in orjson.loads((folder / "name_to_cpe.json").read_bytes())
        ]
        named = [note for note in notes if note["set"].startswith("E1_")]
        if len(named) != len(expected):
            raise ValueError("E1: there are not as many reports as labels")
        return cls(
            data=data,
            items={one["id"]: one for one in reference.documents(folder / "items.ndjson.zst")},
            notes=notes,
            reports=reports,
            names=tuple(
                Name(note["report_id"], note["type"], bool(note.get("_ambiguous")), cpe or None)
                for note, cpe in zip(named, expected, strict=True)
            ),
            hosts={one["host"]: one for one in orjson.loads((folder / "windows_hosts_kb.json").read_bytes())},
        )

    def ids(self) -> frozenset[str]:
        """Give every vulnerability id that a label names."""
        labeled = {one for item in self.items.values() for one in (*item["affected"], *item["not_affected"])}
        hosts = (note["tag"] for note in self.notes if note["set"].startswith("E4_"))
        return frozenset(labeled.union(*(self._host_labels(tag) for tag in hosts)))

    def cases(self, resolve: Resolver) -> Iterator[Case]:
        """Yield every case that is scored by vulnerabilities."""
        universes: dict[str, frozenset[str]] = {}
        for note in self.notes:
            ref = note["report_id"]
            universe: frozenset[str] | None = None
            if note["set"].startswith("E4_"):
                affected = resolve(self._host_labels(note["tag"]))
                universe = resolve(self._host_universe(note, affected)) | affected
                denied: frozenset[str] = frozenset()
            elif note["item_id"] in self.items:
                item = self.items[note["item_id"]]
                affected, denied = resolve(item["affected"]), resolve(item["not_affected"])
                if item["closed_world"]:
                    name = item["universe"]
                    if name not in universes:
                        universes[name] = resolve(orjson.loads((self.data / _inside(name)).read_bytes()))
                    universe = universes[name]
            else:
                continue
            yield Case(
                ref=ref,
                set=note["set"],
                lane=note["lane"],
                ambiguous=bool(note.get("_ambiguous")),
                components=len(self.reports[ref]["software"]),
                affected=affected,
                not_affected=denied,
                universe=universe,
                repairs_only=note["set"].startswith("E4_"),
            )

    def _host_labels(self, tag: str) -> Iterator[str]:
        path = self.data / "evaluation" / "linux_hosts" / f"{tag}.cves.csv.bz2"
        with bz2.open(path, "rt", encoding="utf-8") as rows:
            yield from (row.split()[0] for row in rows if row.startswith(("CVE-", "RHSA-", "USN-")))

    def _host_universe(self, note: Mapping[str, Any], affected: frozenset[str]) -> frozenset[str]:
        packages = {
            name
            for one in self.reports[note["report_id"]]["software"]
            for name in (one.get("source_name"), one["name"])
            if name
        }
        distribution, _, release = note["lane"].partition(":")
        universe = reference.ubuntu_universe if distribution == "ubuntu" else reference.redhat_universe
        return universe(self.data, release, packages, affected)


def _itself(name: str) -> frozenset[str]:
    """Give what an id without any CVE stands for: itself; a notice that fixes no known CVE, for none."""
    return frozenset() if name.startswith(("RHSA-", "USN-", "DSA-")) else frozenset((name,))


def _inside(name: str) -> str:
    """Give a universe file's path inside the pack, however the item writes it."""
    return f"evaluation/{name.rsplit('/', 1)[-1]}"
