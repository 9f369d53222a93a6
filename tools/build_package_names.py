"""Build src/sentrikat/catalogue/data/packages.csv.gz: which CPE product a package is.

    python -m tools.build_package_names PURL2CPE.ndjson[.zst] INDEX.json[.gz]

PURL2CPE  https://github.com/scanoss/purl2cpe, one JSON document per product and line (MIT)
INDEX     https://github.com/anchore/syft, the CPE index of its dictionary (Apache-2.0)

purl2cpe also names packages that only belong to a product (its bindings, its container images). Taken are packages
whose name is the product's, letter by letter: what is learned is the vendor, which the package does not tell. Of two
products the one with more names wins. The index is made by hand and taken as it is, where purl2cpe is silent.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import zstandard

from sentrikat.domain.inventory import LANGUAGE_KINDS
from sentrikat.domain.purl import canonical_name

TARGET = Path(__file__).parent.parent / "src" / "sentrikat" / "catalogue" / "data" / "packages.csv.gz"
_PURL = re.compile(r"pkg:([a-z]+)/(.+)")
_INDEXED = {
    "go_modules": "golang",
    "jenkins_plugins": "jenkins-plugin",
    "npm": "npm",
    "php_composer": "composer",
    "pypi": "pypi",
    "rubygems": "gem",
    "rust_crates": "cargo",
    "wordpress_plugins": "wordpress-plugin",
    "wordpress_themes": "wordpress-theme",
}


def main(purl2cpe: Path, index: Path) -> int:
    """Write the file; give the exit status."""
    found = {**_of_index(index), **_of_purl2cpe(purl2cpe)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((*package, product) for package, product in sorted(found.items()))
    with TARGET.open("wb") as out, gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as packed:
        packed.write(text.getvalue().encode())
    sys.stdout.write(f"{len(found)} packages\n")
    return 0


def _opened(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(content) as stream:
            return stream.read()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9+#]", "", name.lower())


def _of_purl2cpe(path: Path) -> dict[tuple[str, str], str]:
    best: dict[tuple[str, str], tuple[int, str]] = {}
    for package, product, names in _purls(path):
        if package not in best or best[package][0] < names:
            best[package] = (names, product)
    return {package: product for package, (_, product) in best.items()}


def _purls(path: Path) -> Iterator[tuple[tuple[str, str], str, int]]:
    for line in _opened(path).splitlines():
        record: dict[str, Any] = json.loads(line)
        if not any(name.startswith("cpe:2.3:a:") for name in record["cpes"]):
            continue
        for purl in record["purls"]:
            match = _PURL.fullmatch(purl)
            if match is None or match[1] not in LANGUAGE_KINDS:
                continue
            kind, name = match[1], unquote(match[2])
            if kind == "maven":
                name = name.replace("/", ":")
            own = re.split(r"[/:]", name)[-1]
            if _letters(own) == _letters(record["product"]):
                package = (kind, canonical_name(kind, name))
                yield package, f"{record['vendor']}:{record['product']}", len(record["cpes"])


def _of_index(path: Path) -> dict[tuple[str, str], str]:
    found = {}
    for ecosystem, packages in json.loads(_opened(path))["ecosystems"].items():
        kind = _INDEXED.get(ecosystem)
        if kind is None:
            continue
        for name, cpes in packages.items():
            parts = cpes[0].split(":")
            plain = unquote(name)
            spelled = canonical_name(kind, plain) if kind in LANGUAGE_KINDS else plain.lower()
            found[(kind, spelled)] = f"{parts[3]}:{parts[4]}"
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
