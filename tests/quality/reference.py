"""What the data pack says beside the labels: which ids mean the same flaw, which are rejected, exploited, covered.

Lines are looked at as bytes and parsed only when they hold something asked for: the pack unpacks to 3 GB.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import zstandard

_CVE = re.compile(rb"CVE-\d{4}-\d{4,}")
_ADVISORY = re.compile(rb'"((?:GHSA|PYSEC|GO|RUSTSEC|RHSA|DSA|DLA|USN|ALSA|RLSA|CGA|SUSE-SU)-[^"]{4,40})"')
_NOTICE = re.compile(rb"/(USN-\d+-\d+)")
_REJECTED = (b'"vulnStatus":"Rejected"', b'"state":"REJECTED"', b"** REJECT **")
# Where ids live that are not CVE names themselves.
_ADVISORIES = ("osv/*.ndjson.zst", "redhat/osv_redhat_*.ndjson.zst", "debian/osv_debian_*.ndjson.zst")


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a packed file."""
    with path.open("rb") as packed:
        yield from io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed), 1 << 20)


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the documents of a packed file."""
    return (orjson.loads(line) for line in lines(path))


def the_file(data: Path, pattern: str) -> Path:
    """Give the newest file of the pack with this name pattern."""
    return max(data.glob(pattern))


def described_and_rejected(data: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Give the CVEs that NVD, CVE 5 records or overrides describe, and those that were rejected."""
    described: set[str] = set()
    rejected: set[str] = set()
    for pattern in ("nvd/cves-2.0.ndjson.zst", "nvd/vulnrichment_*.zst", "nvd/nvd-data-overrides_*.zst"):
        for line in lines(the_file(data, pattern)):
            name = _CVE.search(line, 0, 400)
            if name is None:
                continue
            described.add(name.group().decode())
            if any(mark in line for mark in _REJECTED):
                rejected.add(name.group().decode())
    return frozenset(described - rejected), frozenset(rejected)


def exploited(data: Path) -> frozenset[str]:
    """Give every CVE of the newest KEV catalog."""
    path = the_file(data, "kev/known_exploited_vulnerabilities_2*.json.gz")
    catalog = orjson.loads(gzip.decompress(path.read_bytes()))
    return frozenset(entry["cveID"] for entry in catalog["vulnerabilities"])


def cve_names(data: Path, wanted: Collection[str]) -> dict[str, frozenset[str]]:
    """Give the CVE names of advisory ids; an id without any is left out.

    An id may be a record's own, whose aliases and related flaws count, or an alias of one that also names a CVE.
    """
    asked = {one.encode() for one in wanted if not one.startswith("CVE-")}
    found: dict[str, set[str]] = defaultdict(set)
    paths = [path for pattern in _ADVISORIES for path in sorted(data.glob(pattern))] if asked else []
    for path in paths:
        for line in lines(path):
            if asked.isdisjoint(_ADVISORY.findall(line)):
                continue
            record = orjson.loads(line)["doc"]
            aliases = {record["id"], *record.get("aliases", ())}
            cves = {one for one in aliases if one.startswith("CVE-")}
            for one in aliases:
                if one.encode() in asked:
                    found[one] |= cves
            if record["id"].encode() in asked:
                related = (*record.get("related", ()), *record.get("upstream", ()))
                found[record["id"]].update(one for one in related if one.startswith("CVE-"))
    held = {name: frozenset(cves) for name, cves in found.items() if cves}
    return held | ubuntu_notices(data, wanted)


def ubuntu_universe(
    data: Path, release: str, packages: Collection[str], labeled: Collection[str]
) -> frozenset[str]:
    """Give every CVE that Ubuntu repaired in these source packages of a release while the labels were made.

    The labels are missing repairs, by the notices there were: the newest notice one of them needs says until when. A
    flaw with a later notice is left out, because the tracker does not say which of its notices was for this release.
    """
    wanted = frozenset(packages)
    notices: dict[str, list[int]] = {}
    repaired = set()
    for document in documents(_ubuntu(data)):
        record = document["doc"]
        name = record["candidate"]
        notices[name] = [
            int(number) for one in record["references"] or () for number in re.findall(r"/USN-(\d+)-", one)
        ]
        states = record["packages"].get(release, {}).values()
        if any(state["status"] == "released" and state["name"] in wanted for state in states):
            repaired.add(name)
    until = max(min(notices[one]) for one in labeled if notices.get(one))
    return frozenset(one for one in repaired if notices[one] and max(notices[one]) <= until)


def ubuntu_notices(data: Path, wanted: Collection[str]) -> dict[str, frozenset[str]]:
    """Give the CVEs of Ubuntu security notices: the tracker's records refer to the notices that fix them."""
    asked = {one.encode() for one in wanted if one.startswith("USN-")}
    found: dict[str, set[str]] = defaultdict(set)
    if asked:
        for line in lines(_ubuntu(data)):
            for notice in asked.intersection(_NOTICE.findall(line)):
                if candidate := _CVE.search(line, 0, 400):
                    found[notice.decode()].add(candidate.group().decode())
    return {name: frozenset(cves) for name, cves in found.items()}


def _ubuntu(data: Path) -> Path:
    return the_file(data, "ubuntu/ubuntu_cve_tracker_*.ndjson.zst")


def redhat_universe(
    data: Path, major: str, packages: Collection[str], labeled: Collection[str]
) -> frozenset[str]:
    """Give every CVE that Red Hat repaired in these packages of a release while the labels were made.

    The labels are missing errata, and leave the kernel out; the newest erratum one of them needs says until when. A
    flaw that was repaired again later is left out, whichever package that was for.
    """
    wanted = frozenset(packages)
    product = f"Red Hat Enterprise Linux {major}"
    days: dict[str, list[str]] = {}
    for document in documents(the_file(data, "redhat/redhat_cve_secdata_*.ndjson.zst")):
        record = document["doc"]
        found = [
            one["release_date"][:10]
            for one in record.get("affected_release", ())
            if one["product_name"] == product
            and (name := one.get("package", "").rsplit("-", 2)[0]) in wanted
            and name not in _KERNELS
        ]
        if found:
            days[record["name"]] = found
    until = max(min(days[one]) for one in labeled if one in days)
    return frozenset(name for name, found in days.items() if max(found) <= until)


_KERNELS = frozenset({"kernel", "kernel-rt", "kernel-alt"})


def update_history(data: Path) -> tuple[Mapping[str, str], Mapping[str, frozenset[str]]]:
    """Give the security updates that WES-NG names with their first day, and for each all the older ones it replaces."""
    older: dict[str, set[str]] = defaultdict(set)
    named: dict[str, str] = {}
    with zipfile.ZipFile(the_file(data, "microsoft/wesng_definitions_*.zip")) as archive:
        entry = next(name for name in archive.namelist() if name.startswith("CVEs_"))
        with archive.open(entry) as packed:
            rows = csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8", newline=""))
            for row in rows:
                update = (row["BulletinKB"] or "").strip()
                if not update:
                    continue
                day = row["DatePosted"] or ""
                named[update] = min(day, named.get(update, day))
                older[update].update(re.findall(r"\d{6,8}", row["Supersedes"] or ""))
    return named, {update: _reach(update, older) for update in named}


def _reach(update: str, older: Mapping[str, set[str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [update]
    while waiting:
        for one in older.get(waiting.pop(), ()):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return frozenset(seen - {update})
