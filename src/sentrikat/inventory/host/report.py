"""An Inventory written as an agent report: how this host's scan enters by the same door as all others."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from sentrikat.domain.inventory import Inventory, OperatingSystem, Software

_SOFTWARE_FIELDS = tuple(field.name for field in fields(Software) if field.name != "release")
_OS_FIELDS = tuple(field.name for field in fields(OperatingSystem))


def report_of(inventory: Inventory) -> dict[str, Any]:
    """Give the agent report of an inventory; what is unknown is left out."""
    report: dict[str, Any] = {
        "report_id": inventory.report_id,
        "agent_id": inventory.agent_id,
        "hostname": inventory.hostname,
        "machine_id": inventory.machine_id,
        "os": _known(inventory.os, _OS_FIELDS),
        "collected_at": inventory.collected_at.isoformat() if inventory.collected_at else None,
        "complete": inventory.complete,
        "software": [_known(software, _SOFTWARE_FIELDS) for software in inventory.software],
        "updates": list(inventory.updates) or None,
    }
    return {name: value for name, value in report.items() if value is not None}


def report_body(inventory: Inventory) -> bytes:
    """Give the report as the bytes an agent would send."""
    return orjson.dumps(report_of(inventory))


def _known(owner: object, names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name in names if (value := getattr(owner, name)) is not None}
