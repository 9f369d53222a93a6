"""Which CPE product a package is: data/packages.csv.gz, made by tools/build_package_names.py.

From purl2cpe (SCANOSS, MIT) and the CPE index of Syft (Anchore, Apache-2.0). Packages of language ecosystems by their
names there, plugins of WordPress and Jenkins by their identifiers.
"""

from __future__ import annotations

import csv
import gzip
import io
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def _packages() -> dict[tuple[str, str], str]:
    packed = (files("sentrikat.catalogue") / "data" / "packages.csv.gz").read_bytes()
    rows = csv.reader(io.StringIO(gzip.decompress(packed).decode("utf-8")))
    return {(kind, name): product for kind, name, product in rows}


def product_of_package(kind: str, name: str) -> str | None:
    """Give vendor:product of the CPE application a package is filed under, or None where nobody said."""
    return _packages().get((kind, name))
