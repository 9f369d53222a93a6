"""Stateless scans, next to osv-scanner on the same SBOMs with a database made from the same archives.

osv-scanner is not part of the project: name its binary (version 1.9) with --osv-scanner and a folder of OSV archives, one
`ECOSYSTEM/all.zip` each, with --osv-archives. Without them that row is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.estate import Estate
from benchmarks.measure import Row, watch
from benchmarks.reports import Fleet
from sentrikat.infra.database.sessions import Database

_PURL_TYPES = {"pypi": "pypi", "npm": "npm"}
_PACKAGES = text(
    "select kind, name, version from component where kind = any(:kinds)"
    " order by hashtextextended(kind || name || version, :seed + :host) limit :count"
)


def scans(
    database: Database,
    estate: Estate,
    seed: int,
    directory: Path,
    work: Path,
    inventories: int,
    scanner: Path | None,
    archives: Path | None,
) -> list[Row]:
    """Scan agent reports in one process, and SBOMs next to the peer."""
    rows = [_stream(database, estate, seed, directory, work, inventories)]
    if scanner is not None and archives is not None:
        rows.append(_beside_peer(database, seed, directory, work, scanner, archives))
    return rows


def _stream(
    database: Database, estate: Estate, seed: int, directory: Path, work: Path, inventories: int
) -> Row:
    fleet = Fleet(database, estate, seed)
    path = work / "reports.ndjson"
    with path.open("wb") as out:
        for host in range(inventories):
            out.write(fleet.report(host, upgraded=host % 5) + b"\n")
    with watch() as ours:
        _sentrikat(directory, "scan", "--ndjson", str(path), output=work / "records.ndjson")
    return Row(
        f"`sentrikat scan --ndjson`, {inventories:,} inventories of {len(fleet.software)} packages, whole process",
        "-",
        f"{inventories / ours.seconds:.0f} inventories a second",
    )


def _beside_peer(
    database: Database, seed: int, directory: Path, work: Path, scanner: Path, archives: Path, count: int = 4
) -> Row:
    files = []
    packages = 0
    with database.as_system() as session:
        for host in range(count):
            found = session.execute(
                _PACKAGES, {"kinds": sorted(_PURL_TYPES), "seed": seed, "host": host, "count": 300}
            ).all()
            packages = len(found)
            path = work / f"host-{host}.cdx.json"
            path.write_text(
                json.dumps(_sbom(f"host-{host}", [tuple(row) for row in found])), encoding="utf-8"
            )
            files.append(path)
    with watch() as ours:
        _sentrikat(directory, "scan", "--format=ndjson", *map(str, files), output=work / "ours.ndjson")
    local = work / "osv" / "osv-scanner"
    for archive in archives.glob("*/all.zip"):
        (local / archive.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(archive, local / archive.parent.name / "all.zip")
    command = [
        str(scanner),
        "scan",
        "--experimental-offline",
        f"--experimental-local-db-path={work / 'osv'}",
        "--format=json",
    ]
    with watch() as theirs:
        peer = subprocess.run(
            [*command, *(f"--sbom={path}" for path in files)], stdout=subprocess.PIPE, check=False
        )
    if peer.returncode not in {0, 1}:  # 1: it found something
        raise RuntimeError(f"osv-scanner ended with status {peer.returncode}")
    found_by_us = _pairs_of_ours(work / "ours.ndjson")
    found_by_them = _pairs_of_theirs(json.loads(peer.stdout))
    both = len(found_by_us & found_by_them)
    return Row(
        f"{count} SBOMs of {packages} language packages, whole process",
        "-",
        f"{ours.seconds:.1f} s; {len(found_by_us):,} pairs of package and flaw",
        f"{ours.seconds / theirs.seconds:.2f} x osv-scanner ({theirs.seconds:.1f} s; {len(found_by_them):,} pairs,"
        f" {both:,} of them the same)",
    )


def _sbom(name: str, packages: list[tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "device", "name": name, "bom-ref": name}},
        "components": [
            {
                "type": "library",
                "bom-ref": f"{number}",
                "name": package,
                "version": version,
                "purl": f"pkg:{_PURL_TYPES[kind]}/{package.replace('@', '%40')}@{version}",
            }
            for number, (kind, package, version) in enumerate(packages)
        ],
    }


def _pairs_of_ours(path: Path) -> set[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for line in path.read_bytes().splitlines():
        record = json.loads(line)
        pairs.update(
            (
                f"{one['component']['name']} {one['component']['version']}",
                _name(one["vulnerability"], one["aliases"]),
            )
            for one in record["findings"]
        )
    return pairs


def _pairs_of_theirs(answer: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (
            f"{package['package']['name']} {package['package']['version']}",
            _name(flaw["id"], flaw.get("aliases", ())),
        )
        for result in answer["results"]
        for package in result["packages"]
        for flaw in package.get("vulnerabilities", ())
    }


def _name(name: str, aliases: Any) -> str:
    """Give one name for a flaw under which both sides know it."""
    return min((one for one in (name, *aliases) if one.startswith("CVE-")), default=name)


def _sentrikat(directory: Path, *arguments: str, output: Path) -> None:
    environment = os.environ | {"SENTRIKAT_DATA_DIR": str(directory), "SENTRIKAT_LOG_LEVEL": "warning"}
    with output.open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "sentrikat", *arguments], env=environment, stdout=file, check=True
        )
