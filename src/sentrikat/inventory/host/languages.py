"""Python packages that no distribution package brought: pip's own metadata on the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sentrikat.domain.inventory import Software
from sentrikat.inventory.host.texts import clean

# Where people and images install. Below /usr/lib lies what deb and rpm packages brought, which their
# distribution judges; there only what pip itself installed counts.
_PLACES = (
    "usr/local/lib/python3*/*-packages",
    "usr/lib/python3*/site-packages",
    "usr/lib64/python3*/site-packages",
    "opt/*/lib/python3*/site-packages",
    "srv/*/lib/python3*/site-packages",
    "srv/*/.venv/lib/python3*/site-packages",
    "opt/*/.venv/lib/python3*/site-packages",
    "opt/*/venv/lib/python3*/site-packages",
    "home/*/.local/lib/python3*/site-packages",
    "root/.local/lib/python3*/site-packages",
)
_BY_PIP = frozenset({"pip", "uv", "poetry", "pdm", "conda"})
_HEADER = re.compile(r"^(Name|Version):\s*(\S.*)$", re.MULTILINE)


def parse_metadata(text: str) -> tuple[str, str | None] | None:
    """Read name and version from a METADATA or PKG-INFO file; its description may say anything."""
    head = text.replace("\r\n", "\n").split("\n\n", 1)[0]
    fields: dict[str, str] = {}
    for name, value in _HEADER.findall(head):
        fields.setdefault(name, value)
    name = clean(fields.get("Name"))
    return None if name is None else (name, clean(fields.get("Version")))


def python_packages(root: Path) -> Iterator[Software]:
    """Yield the packages of every known site-packages directory."""
    for place in _PLACES:
        for directory in sorted(root.glob(place)):
            for metadata in sorted(
                [*directory.glob("*.dist-info/METADATA"), *directory.glob("*.egg-info/PKG-INFO")]
            ):
                if (
                    place.startswith(("usr/lib/", "usr/lib64/"))
                    and _installer(metadata.parent) not in _BY_PIP
                ):
                    continue
                try:
                    known = parse_metadata(metadata.read_text("utf-8", "replace"))
                except OSError:
                    continue  # an entry without a readable name is nothing we could report
                if known is not None:
                    yield Software("pypi", known[0], known[1], path=str(directory))


def _installer(directory: Path) -> str | None:
    try:
        return (directory / "INSTALLER").read_text("utf-8", "replace").strip()
    except OSError:
        return None
