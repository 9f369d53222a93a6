"""The machine this runs on, as an Inventory: what `sentrikat scan --host` and the first start look at."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sentrikat.domain.inventory import Inventory, OperatingSystem, Software
from sentrikat.inventory.host import linux, macos, windows
from sentrikat.inventory.host.commands import Run, run
from sentrikat.inventory.host.languages import python_packages

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class HostScan:
    """The inventory, and warnings on what could not be looked at: an inventory with gaps says so."""

    inventory: Inventory
    warnings: tuple[str, ...] = ()


def scan_host(
    *,
    collected_at: datetime,
    languages: bool = False,
    root: Path = _ROOT,
    run_command: Run = run,
    hostname: str | None = None,
) -> HostScan:
    """Look at this machine; with `languages` also at Python packages outside the package manager.

    With another `root` a mounted file system is looked at. The inventory is complete only without warnings:
    what a failed command did not list must not be taken for removed.
    """
    warnings: list[str] = []
    updates: tuple[str, ...] = ()
    software: Iterable[Software]
    if sys.platform == "win32":
        system, machine_id, software, updates = windows.look(run_command, warnings.append)
    elif sys.platform == "darwin":
        system, machine_id, software = macos.look(root, run_command, warnings.append)
    elif sys.platform.startswith("linux"):
        system = linux.operating_system(root, warnings.append)
        machine_id = linux.machine_id(root, warnings.append)
        software = list(linux.packages(root, run_command, warnings.append))
    else:
        system, machine_id, software = OperatingSystem("other"), None, []
        warnings.append(f"Software is missing: no package manager of {sys.platform} is known.")
    found = dict.fromkeys(software)
    if languages:
        found |= dict.fromkeys(python_packages(root))
    name = hostname or socket.gethostname() or "localhost"
    inventory = Inventory(
        report_id=f"host:{name}:{collected_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        agent_id=None,
        hostname=name,
        machine_id=machine_id,
        os=system,
        collected_at=collected_at,
        complete=not warnings,
        software=tuple(found),
        updates=updates,
    )
    return HostScan(inventory, tuple(warnings))
