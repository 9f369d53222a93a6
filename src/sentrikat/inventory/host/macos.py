"""A Mac: its release, its applications, and what Homebrew installed."""

from __future__ import annotations

import platform
import plistlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sentrikat.domain.inventory import OperatingSystem, Software
from sentrikat.inventory.host.commands import CommandError, Run
from sentrikat.inventory.host.texts import clean

Warn = Callable[[str], None]

_APPLICATIONS = ("system_profiler", "-xml", "SPApplicationsDataType")
_PLATFORM = ("ioreg", "-rd1", "-c", "IOPlatformExpertDevice")
_UUID = re.compile(r'"IOPlatformUUID"\s*=\s*"([^"]+)"')
_CELLARS = ("opt/homebrew/Cellar", "usr/local/Cellar")


def parse_applications(output: bytes) -> Iterator[Software]:
    """Yield the applications of `system_profiler -xml SPApplicationsDataType`; ValueError if it is no plist."""
    try:
        document = plistlib.loads(output)
    except Exception as error:  # plistlib lets errors of its XML parser through, of several types
        raise ValueError(f"not a property list: {error}") from error
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        raise ValueError("not a list of applications")
    for item in document[0].get("_items", []):
        if isinstance(item, dict) and (name := clean(item.get("_name"))) is not None:
            yield Software(
                type="macos",
                name=name,
                version=clean(item.get("version")),
                vendor="Apple" if item.get("obtained_from") == "apple" else None,
                path=clean(item.get("path")),
            )


def parse_machine_id(output: str) -> str | None:
    """Find the platform's UUID in what `ioreg` prints."""
    found = _UUID.search(output)
    return found[1] if found else None


def bundle_id_of(application: Path) -> str | None:
    """Read the bundle identifier of an application, or None when its Info.plist does not say."""
    try:
        with (application / "Contents" / "Info.plist").open("rb") as file:
            return clean(plistlib.load(file).get("CFBundleIdentifier"))
    except Exception:  # noqa: BLE001  # absent, unreadable or broken in any of plistlib's ways: not known
        return None


def look(root: Path, run: Run, warn: Warn) -> tuple[OperatingSystem, str | None, list[Software]]:
    """Look at the Mac this runs on: system, machine id, software."""
    system = OperatingSystem(
        family="macos",
        name="macOS",
        version=clean(platform.mac_ver()[0]),
        build=clean(_said(run, ("sw_vers", "-buildVersion"), warn)),
        kernel=clean(platform.release()),
        arch=clean(platform.machine()),
    )
    machine_id = parse_machine_id(_said(run, _PLATFORM, warn))
    software = list(_homebrew(root))
    try:
        for found in parse_applications(run(_APPLICATIONS)):
            bundle = bundle_id_of(Path(found.path)) if found.path else None
            software.append(
                Software(
                    "macos", found.name, found.version, vendor=found.vendor, path=found.path, bundle_id=bundle
                )
            )
    except (CommandError, ValueError) as failure:
        warn(f"Applications are missing: {failure}.")
    return system, machine_id, software


def _homebrew(root: Path) -> Iterator[Software]:
    for cellar in _CELLARS:
        for version in sorted((root / cellar).glob("*/*")):
            if version.is_dir() and not version.name.startswith("."):
                yield Software("brew", version.parent.name, version.name, path=str(version))


def _said(run: Run, command: tuple[str, ...], warn: Warn) -> str:
    try:
        return run(command).decode("utf-8", "replace")
    except CommandError as failure:
        warn(f"{command[0]} said nothing: {failure}.")
        return ""
