"""Sample machines for the Demo organization, made by us from public knowledge: no real host is described.

One file a machine, in `machines/`, as agent reports or SBOMs; `exposure.json` says how each is exposed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

MACHINES = Path(__file__).with_name("machines")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """One machine: the body of its report, and its exposure, None for not stated."""

    name: str
    body: bytes
    exposure: str | None


def demo_reports() -> Iterator[DemoReport]:
    """Yield the machines, byte for byte as they lie here: taken in again, they are the reports already held."""
    exposure = orjson.loads((MACHINES / "exposure.json").read_bytes())
    for path in sorted(MACHINES.glob("*.json")):
        if path.name == "exposure.json":
            continue
        yield DemoReport(path.stem, path.read_bytes(), exposure.get(path.stem))
