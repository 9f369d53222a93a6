"""What the product said, read from the records of `sentrikat scan --ndjson`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from tests.quality.labels import Resolver
from tests.quality.scoring import Prediction

_SEPARATOR = re.compile(r"(?<!\\):")  # a colon inside a value is escaped


def read_records(path: Path) -> dict[str, Mapping[str, Any]]:
    """Give the scan's records by report id."""
    with path.open("rb") as lines:
        return {record["ref"]: record for record in map(orjson.loads, lines)}


def predicted_ids(record: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every vulnerability of a record with its other names."""
    for finding in record["findings"]:
        if finding["verdict"] == "affected":
            yield finding["vulnerability"], tuple(finding["aliases"])


def prediction(record: Mapping[str, Any], resolve: Resolver) -> Prediction:
    """Give what a record predicts, by CVE name where the flaw has one."""
    repaired = (one for one in record["findings"] if one.get("fixed_version") is not None)
    return Prediction(
        resolve(_names(predicted_ids(record))),
        # The system is no component of the case; that its support ended is said of it all the same.
        unknown=sum(one["component"].get("type") != "os" for one in record["unknown"]),
        repaired=resolve(_names(predicted_ids({"findings": repaired}))),
    )


def _names(found: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    for name, aliases in found:
        cves = [one for one in (name, *aliases) if one.startswith("CVE-")]
        yield from cves or (name,)


def best_cpe(record: Mapping[str, Any]) -> str | None:
    """Give the CPE name that the one labeled component of a record was identified as; its system is not asked for."""
    said = (*record.get("components", ()), *(one["component"] for one in record["unknown"]))
    said += tuple(finding["component"] for finding in record["findings"])
    return next((one["cpe"] for one in said if one["cpe"] and one.get("type") != "os"), None)


def product_of(cpe: str | None) -> tuple[str, str, str] | None:
    """Give part, vendor and product of a CPE 2.3 name; no such name, no product."""
    if cpe is None:
        return None
    parts = _SEPARATOR.split(cpe)
    return parts[2], parts[3], parts[4]
