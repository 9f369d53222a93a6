"""The data pack, cut to some records of each source: enough for runs to be real, and little enough to be served at once."""

from __future__ import annotations

import gzip
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

# Lines kept of a file that has one record a line, where it is not as many as everywhere.
MOST = {"msrc_cvrf": 40, "redhat_cve_secdata": 60, "purl2cpe": 30}
USUAL = 200
SERVED = ("kev", "epss", "nvd", "cpe", "debian", "distro", "eol", "microsoft", "osv", "redhat", "samples")


def make_small(data: Path, folder: Path) -> None:
    """Write the cut pack to `folder`."""
    for path in sorted(data.rglob("*")):
        place = folder / path.relative_to(data)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif path.relative_to(data).parts[0] not in SERVED or path.name.startswith("wsusscn2"):
            continue
        elif path.name.endswith(".ndjson.zst"):
            lines = list(_first_lines(path))
            if path.name.startswith("cves-2.0"):
                lines += _of_every_year(lines[-1])
            place.write_bytes(zstandard.compress(b"".join(lines)))
        elif path.name.startswith("epss_scores") or path.name.endswith(".csv.gz"):
            place.write_bytes(gzip.compress(b"".join(_lines(gzip.open, path, 300)), mtime=0))
        elif path.name.startswith("wesng"):
            place.write_bytes(_small_wesng(path))
        else:
            shutil.copyfile(path, place)


def _lines(opener: Callable[[Path], Any], path: Path, most: int) -> Iterator[bytes]:
    with opener(path) as file:
        for _, line in zip(range(most), file, strict=False):
            yield line


def _first_lines(path: Path) -> Iterator[bytes]:
    most = next((count for name, count in MOST.items() if path.name.startswith(name)), USUAL)
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as plain:
        for _, line in zip(range(most), io.BufferedReader(plain), strict=False):
            yield _small_branch(line) if path.name.startswith("alpine_secdb") else line


def _of_every_year(line: bytes) -> Iterator[bytes]:
    """Yield a record for each year: NVD has a file of each, and the first lines are of the first years."""
    record = orjson.loads(line)
    for year in range(2002, 2027):
        yield orjson.dumps({**record, "id": f"CVE-{year}-99999"}) + b"\n"


def _small_branch(line: bytes) -> bytes:
    record = orjson.loads(line)
    branch = record.get("doc", record)
    branch["packages"] = branch["packages"][:10]
    return orjson.dumps(record) + b"\n"


def _small_wesng(path: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(buffer, "w") as small:
        for name in whole.namelist():
            with whole.open(name) as file:
                small.writestr(name, b"".join(line for _, line in zip(range(600), file, strict=False)))
    return buffer.getvalue()
