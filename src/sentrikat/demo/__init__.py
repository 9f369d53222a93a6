"""Sample machines for the Demo organization, made by us from public knowledge: no real host is described.

One file a machine, in `machines/`, as agent reports or SBOMs; `exposure.json` says how each is exposed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

MACHINES = Path(__file__).with_name("machines")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """One machine: the body of its report, and its exposure, None for not stated."""

    name: str
    body: bytes
    exposure: str | None


def demo_reports(now: datetime) -> Iterator[DemoReport]:
    """Yield the machines; agent reports are dated `now`, so that they are not silent from the start."""
    exposure = orjson.loads((MACHINES / "exposure.json").read_bytes())
    for path in sorted(MACHINES.glob("*.json")):
        if path.name == "exposure.json":
            continue
        document = orjson.loads(path.read_bytes())
        if "collected_at" in document:
            document["collected_at"] = now.isoformat()
        yield DemoReport(path.stem, orjson.dumps(document), exposure.get(path.stem))
