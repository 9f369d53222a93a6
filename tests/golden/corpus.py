"""Read the golden corpus: what sources say, what a machine runs, and what must be said of it.

A case is a table of a TOML file in `cases/`:

    id        its name in test output
    from      who met it: a row of the field's list of hard cases, or a public issue
    why       the rule it holds us to, one sentence
    says      what sources say, a line each (below); shared by the whole corpus, as feeds are
    os        the machine, a name of SYSTEMS
    has       what is installed, as in an agent report
    affected  the flaws that must be found; every other one of the corpus must not
    review    flaws that must be shown as possible and must not be found
    unknown   names of components that must be listed as unknown, with the reason
    product   name of a component -> the vendor:product it must be identified as, "" for none

A line of `says` is `SOURCE FLAW ECOSYSTEM/NAME SPAN [; option ...]`. A span is bounds such as `>=1.0 <2.0`, `<=5.1`,
`=3.2`, or a word: `all` (every version), `undescribed` (nobody said which), `open`, `deferred`, `wont-fix`, `eol`
(affected, and why there is no repair), `not-affected`. Options: `on PART:VENDOR:PRODUCT[,...]` (it needs one of these
platforms), `not-on ...`, `target ATTRIBUTE=VALUE`, `module NAME:STREAM`, `update VALUE`. Lines of msrc write spaces of a
title as underscores, and name with `kb NUMBER` the update that repairs, with `after NUMBER` what that supersedes, with
`month YYYY-Mon` the document it stands in; `<BUILD` is its fixed build. `msrc FLAW office/CHANNEL <BUILD; day DAY` stands on
Microsoft's page of the builds of Office by Click to Run.

Flaws of real numbers have the bounds that NVD gives them; those of the year 2099 are made for their case.

Lines of nvd, osv, debian and msrc are written out as documents of those sources' own form and read by their adapters.
"""

from __future__ import annotations

import io
import re
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

CASES = Path(__file__).parent / "cases"

SYSTEMS: Mapping[str, Mapping[str, str]] = {
    "debian 11": {"family": "linux", "name": "debian", "version": "11"},
    "debian 10": {"family": "linux", "name": "debian", "version": "10"},
    "debian 12": {"family": "linux", "name": "debian", "version": "12"},
    "ubuntu 20.04": {"family": "linux", "name": "ubuntu", "version": "20.04"},
    "ubuntu 22.04": {"family": "linux", "name": "ubuntu", "version": "22.04"},
    "rhel 7.9": {"family": "linux", "name": "rhel", "version": "7.9"},
    "rhel 8.4": {"family": "linux", "name": "rhel", "version": "8.4"},
    "rhel 8.10": {"family": "linux", "name": "rhel", "version": "8.10"},
    "rhel 9.4": {"family": "linux", "name": "rhel", "version": "9.4"},
    "rocky 9.3": {"family": "linux", "name": "rocky", "version": "9.3"},
    "almalinux 9.4": {"family": "linux", "name": "almalinux", "version": "9.4"},
    "alpine 3.12": {"family": "linux", "name": "alpine", "version": "3.12.9"},
    "alpine 3.18": {"family": "linux", "name": "alpine", "version": "3.18.4"},
    "alpine 3.19": {"family": "linux", "name": "alpine", "version": "3.19.1"},
    "amazon 2": {"family": "linux", "name": "amzn", "version": "2"},
    "amazon 2023": {"family": "linux", "name": "amzn", "version": "2023"},
    "sles 15.4": {"family": "linux", "name": "sles", "version": "15.4"},
    "gentoo": {"family": "linux", "name": "gentoo", "version": "2.15"},
    "windows 10": {
        "family": "windows",
        "name": "Windows 10 Pro",
        "version": "10.0.19045.4043",
        "arch": "x86_64",
    },
    "windows 10 21h2": {
        "family": "windows",
        "name": "Windows 10 Enterprise",
        "version": "10.0.19044.4046",
        "arch": "x86_64",
    },
    "windows 11": {
        "family": "windows",
        "name": "Windows 11 Pro",
        "version": "10.0.22631.3447",
        "arch": "x86_64",
    },
    "windows server 2019": {
        "family": "windows",
        "name": "Windows Server 2019 Standard",
        "version": "10.0.17763.5329",
        "arch": "x86_64",
    },
    "macos 13.5": {"family": "macos", "name": "macOS", "version": "13.5"},
    "macos 14.4": {"family": "macos", "name": "macOS", "version": "14.4.1"},
    "nobody said": {"family": "other"},
}

_OSV_ECOSYSTEMS = {
    "pypi": "PyPI",
    "npm": "npm",
    "maven": "Maven",
    "golang": "Go",
    "cargo": "crates.io",
    "gem": "RubyGems",
    "nuget": "NuGet",
    "composer": "Packagist",
}
_CODENAMES = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}
_BOUND = re.compile(r"(>=|>|<=|<|=)(\S+)")
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]+$")
_KEYS = {"id", "from", "why", "says", "os", "has", "affected", "review", "unknown", "product"}
_REQUIRED = {"id", "from", "why", "os", "has"}
# Words for a package of a distribution that is affected without a repair, as the Debian tracker writes them.
_UNFIXED: Mapping[str, Mapping[str, str]] = {
    "open": {"status": "open", "urgency": "not yet assigned"},
    "deferred": {"status": "open", "urgency": "low", "nodsa": "Minor issue", "nodsa_reason": "postponed"},
    "wont-fix": {"status": "open", "urgency": "low", "nodsa": "Minor issue", "nodsa_reason": "ignored"},
    "eol": {"status": "open", "urgency": "end-of-life"},
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of `says`, taken apart."""

    source: str
    flaw: str
    ecosystem: str
    name: str
    bounds: tuple[tuple[str, str], ...] = ()
    word: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str | None:
        """Give the value of an option, None where it is not given."""
        return next((value for key, value in self.options if key == name), None)

    def bound(self, sign: str) -> str | None:
        """Give the version behind a sign."""
        return next((version for one, version in self.bounds if one == sign), None)


@dataclass(frozen=True, slots=True)
class Case:
    """One case; the fields are those of its table."""

    id: str
    origin: str
    why: str
    system: str
    has: tuple[dict[str, Any], ...]
    says: tuple[Line, ...] = ()
    affected: frozenset[str] = frozenset()
    review: frozenset[str] = frozenset()
    unknown: dict[str, str] = field(default_factory=dict)
    product: dict[str, str] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Give the machine as an agent report."""
        return {
            "report_id": self.id,
            "agent_id": f"agent-{self.id}",
            "hostname": self.id,
            "os": dict(SYSTEMS[self.system]),
            "collected_at": "2026-06-02T11:00:00+00:00",
            "complete": True,
            "software": list(self.has),
        }


def read_cases(folder: Path = CASES) -> list[Case]:
    """Read every case; ValueError names the file and the case that breaks the form."""
    cases: list[Case] = []
    for path in sorted(folder.glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            try:
                cases.append(_case(table))
            except (ValueError, KeyError) as trouble:
                raise ValueError(f"{path.name}, {table.get('id')}: {trouble}") from trouble
    twice = {one.id for one in cases if sum(one.id == other.id for other in cases) > 1}
    if twice:
        raise ValueError(f"named twice: {', '.join(sorted(twice))}")
    return cases


def _case(table: Mapping[str, Any]) -> Case:
    if unknown := table.keys() - _KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    if missing := _REQUIRED - table.keys():
        raise ValueError(f"without {sorted(missing)}")
    if not _NAME.match(table["id"]):
        raise ValueError("an id is lower-case letters, digits and hyphens")
    if table["os"] not in SYSTEMS:
        raise ValueError(f"no such system: {table['os']}")
    return Case(
        id=table["id"],
        origin=table["from"],
        why=table["why"],
        system=table["os"],
        has=tuple(table["has"]),
        says=tuple(map(read_line, table.get("says", ()))),
        affected=frozenset(table.get("affected", ())),
        review=frozenset(table.get("review", ())),
        unknown=dict(table.get("unknown", {})),
        product=dict(table.get("product", {})),
    )


def read_line(line: str) -> Line:
    """Take a line of `says` apart."""
    statement, *options = (part.strip() for part in line.split(";"))
    source, flaw, product, *span = statement.split()
    ecosystem, slash, name = product.partition("/")
    if not slash or not span:
        raise ValueError(f"{line!r} is not SOURCE FLAW ECOSYSTEM/NAME SPAN")
    bounds = [_BOUND.fullmatch(one) for one in span]
    found = tuple((one.group(1), one.group(2)) for one in bounds if one)
    if found and len(found) != len(span):
        raise ValueError(f"{line!r} mixes bounds and words")
    pairs = tuple((key, value.strip()) for key, _, value in (one.partition(" ") for one in options))
    if ecosystem in {"cve5", "msrc", "office"}:  # names of free words; a line has no room for their spaces
        name = name.replace("_", " ")
    return Line(source, flaw, ecosystem, name, found, None if found else span[0], pairs)


# -- the documents of the sources ---------------------------------------------------------


def nvd_document(lines: Iterable[Line]) -> bytes:
    """Write NVD's records of these lines: one configuration a line, with what it needs beside the product."""
    by_flaw: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_flaw[line.flaw].append(line)
    records = [{"cve": _nvd_record(flaw, said)} for flaw, said in sorted(by_flaw.items())]
    return orjson.dumps(
        {
            "resultsPerPage": len(records),
            "startIndex": 0,
            "totalResults": len(records),
            "format": "NVD_CVE",
            "version": "2.0",
            "timestamp": "2026-06-01T00:00:00.000",
            "vulnerabilities": records,
        }
    )


def _nvd_record(flaw: str, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "id": flaw,
        "sourceIdentifier": "cve@mitre.org",
        "published": "2024-01-01T00:00:00.000",
        "lastModified": "2026-01-01T00:00:00.000",
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": f"A flaw of {lines[0].name}."}],
        "metrics": {},
        "configurations": [_configuration(line) for line in lines],
        "references": [],
    }


def _configuration(line: Line) -> dict[str, Any]:
    nodes = [{"operator": "OR", "negate": False, "cpeMatch": [_criterion(line)]}]
    for option, platforms in line.options:
        if option in {"on", "not-on"}:
            criteria = [
                f"cpe:2.3:{one}:{'-' if one.startswith('o') else '*'}:*:*:*:*:*:*:*"
                for one in platforms.split(",")
            ]
            nodes.append(
                {
                    "operator": "OR",
                    "negate": option == "not-on",
                    "cpeMatch": [{"vulnerable": False, "criteria": one} for one in criteria],
                }
            )
    return {"nodes": nodes} if len(nodes) == 1 else {"operator": "AND", "nodes": nodes}


_ATTRIBUTES = ("update", "edition", "language", "sw_edition", "target_sw", "target_hw", "other")
_NVD_BOUNDS = {
    ">=": "versionStartIncluding",
    ">": "versionStartExcluding",
    "<=": "versionEndIncluding",
    "<": "versionEndExcluding",
}


def _criterion(line: Line) -> dict[str, Any]:
    part = line.ecosystem.removeprefix("cpe:")
    attributes = dict.fromkeys(_ATTRIBUTES, "*")
    if update := line.option("update"):
        attributes["update"] = update
    if target := line.option("target"):
        attribute, _, value = target.partition("=")
        attributes[attribute] = value
    version = line.bound("=") or ("-" if line.word == "all" else "*")
    return {
        "vulnerable": True,
        "criteria": f"cpe:2.3:{part}:{line.name}:{version}:{':'.join(attributes.values())}",
        **{_NVD_BOUNDS[sign]: bound for sign, bound in line.bounds if sign in _NVD_BOUNDS},
    }


def osv_archives(lines: Iterable[Line]) -> dict[str, bytes]:
    """Write the OSV archives of these lines, by ecosystem; `GHSA-..=CVE-..` names a flaw and its alias."""
    by_ecosystem: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for number, line in enumerate(lines):
        record_id, _, alias = line.flaw.partition("=")
        ecosystem = _OSV_ECOSYSTEMS[line.ecosystem]
        record = {
            "id": record_id,
            "modified": "2026-01-01T00:00:00Z",
            "published": "2024-01-01T00:00:00Z",
            "aliases": [alias] if alias else [],
            "affected": [_osv_affected(ecosystem, line)],
        }
        by_ecosystem[ecosystem][f"{number}-{record_id}.json"] = orjson.dumps(record)
    archives = {}
    for ecosystem, records in by_ecosystem.items():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in records.items():
                archive.writestr(name, content)
        archives[ecosystem] = packed.getvalue()
    return archives


def _osv_affected(ecosystem: str, line: Line) -> dict[str, Any]:
    events: list[dict[str, str]] = [{"introduced": line.bound(">=") or "0"}]
    if fixed := line.bound("<"):
        events.append({"fixed": fixed})
    if last := line.bound("<="):
        events.append({"last_affected": last})
    kind = "SEMVER" if ecosystem in {"npm", "Go", "crates.io"} else "ECOSYSTEM"
    found: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": line.name}}
    if exact := line.bound("="):
        return found | {"versions": [exact]}
    return found | {"ranges": [{"type": kind, "events": events}]}


def msrc_months(lines: Iterable[Line]) -> dict[str, bytes]:
    """Write Microsoft's documents of these lines, by month."""
    months: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.ecosystem == "msrc":
            months[line.option("month") or "2099-Jan"].append(line)
    return {name: _msrc_month(name, said) for name, said in months.items()}


def office_page(lines: Iterable[Line]) -> bytes:
    """Write Microsoft's page of Office's security releases of these lines."""
    days: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.ecosystem == "office":
            days[line.option("day") or ""].append(line)
    parts = ["# Release notes for Microsoft Office security updates"]
    for day, said in days.items():
        builds = [f"{one.name}: Version 2003 (Build {one.bound('<')})" for one in said]
        parts += [f"## {day}", *dict.fromkeys(builds), *sorted({f"- {one.flaw}" for one in said})]
    return "\n".join(parts).encode()


def _msrc_month(name: str, lines: Sequence[Line]) -> bytes:
    numbers = {title: str(10_000 + n) for n, title in enumerate(sorted({line.name for line in lines}))}
    released = datetime.strptime(name, "%Y-%b").strftime("%Y-%m-14T08:00:00Z")  # noqa: DTZ007 - a day
    return orjson.dumps(
        {
            "DocumentTracking": {
                "Identification": {"ID": {"Value": name}},
                "InitialReleaseDate": released,
                "CurrentReleaseDate": released,
            },
            "ProductTree": {
                "FullProductName": [{"ProductID": n, "Value": title} for title, n in numbers.items()]
            },
            "Vulnerability": [
                {
                    "CVE": flaw,
                    "Notes": [],
                    "RevisionHistory": [],
                    "ProductStatuses": [
                        {"Type": 3, "ProductID": [numbers[one.name] for one in lines if one.flaw == flaw]}
                    ],
                    "Remediations": [
                        {
                            "Type": 2,
                            "Description": {"Value": one.option("kb") or "Release Notes"},
                            "Supercedence": one.option("after") or "",
                            "FixedBuild": one.bound("<") or "",
                            "SubType": "Security Update",
                            "ProductID": [numbers[one.name]],
                        }
                        for one in lines
                        if one.flaw == flaw
                    ],
                }
                for flaw in sorted({line.flaw for line in lines})
            ],
        }
    )


def debian_document(lines: Iterable[Line]) -> bytes:
    """Write the tracker's data of these lines."""
    packages: dict[str, Any] = {}
    for line in lines:
        flaws = packages.setdefault(line.name, {})
        releases = flaws.setdefault(line.flaw, {"releases": {}})["releases"]
        releases[_CODENAMES[line.ecosystem.removeprefix("debian:")]] = _debian_release(line)
    return orjson.dumps(packages)


def _debian_release(line: Line) -> dict[str, Any]:
    if line.word is not None and line.word in _UNFIXED:
        return {"repositories": {}, **_UNFIXED[line.word]}
    fixed = "0" if line.word == "not-affected" else line.bound("<")
    return {"status": "resolved", "repositories": {}, "fixed_version": fixed, "urgency": "not yet assigned"}
