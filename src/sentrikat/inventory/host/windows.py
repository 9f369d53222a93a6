"""A Windows machine: its build, the programs of the registry, the updates installed."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from sentrikat.domain.inventory import OperatingSystem, Software
from sentrikat.inventory.host.commands import CommandError, Run
from sentrikat.inventory.host.texts import clean

Warn = Callable[[str], None]

_CURRENT_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_CRYPTOGRAPHY = r"SOFTWARE\Microsoft\Cryptography"
_UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
_UPDATE = re.compile(r"KB[0-9]{5,8}")
# Kinds of entries that are updates of another program, not programs.
_UPDATE_KINDS = frozenset(
    {"update", "hotfix", "security update", "update rollup", "service pack", "servicepack"}
)
_HOTFIXES = (
    "powershell",
    "-NoProfile",
    "-NonInteractive",
    "-Command",
    "Get-CimInstance Win32_QuickFixEngineering | Select-Object -ExpandProperty HotFixID",
)


def program_of(values: Mapping[str, object]) -> Software | None:
    """Give the program an Uninstall key describes; None for updates and for keys without a name.

    Hidden entries (SystemComponent) are kept: the redistributable runtimes hide there.
    """
    name = clean(values.get("DisplayName"))
    if name is None or str(values.get("ReleaseType", "")).lower() in _UPDATE_KINDS:
        return None
    if values.get("ParentKeyName") and _UPDATE.search(name):
        return None
    return Software(
        type="windows",
        name=name,
        version=clean(values.get("DisplayVersion")),
        vendor=clean(values.get("Publisher")),
        path=clean(values.get("InstallLocation")),
    )


def updates_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Give the numbers of updates named in lists and titles, each once."""
    return tuple(dict.fromkeys(number for text in texts for number in _UPDATE.findall(text)))


def operating_system_of(values: Mapping[str, object], arch: str) -> OperatingSystem:
    """Give the system that the CurrentVersion key describes.

    The key calls Windows 11 “Windows 10”; the build number is what counts (22000 was the first of 11).
    """
    build = clean(values.get("CurrentBuildNumber")) or clean(values.get("CurrentBuild"))
    revision = values.get("UBR")
    name = clean(values.get("ProductName"))
    if name and build and build.isdigit() and int(build) >= 22000 and name.startswith("Windows 10"):
        name = "Windows 11" + name.removeprefix("Windows 10")
    if name and (release := clean(values.get("DisplayVersion"))):
        name = f"{name} {release}"
    major = values.get("CurrentMajorVersionNumber")
    number = (
        f"{major}.{values.get('CurrentMinorVersionNumber', 0)}"
        if major
        else clean(values.get("CurrentVersion"))
    )
    full_build = f"{build}.{revision}" if build and revision is not None else build
    return OperatingSystem(
        family="windows",
        name=name,
        version=f"{number}.{full_build}" if number and full_build else number,
        build=full_build,
        edition=clean(values.get("EditionID")),
        arch=clean(arch),
    )


def look(run: Run, warn: Warn) -> tuple[OperatingSystem, str | None, list[Software], tuple[str, ...]]:
    """Look at the Windows machine this runs on: system, machine id, programs, updates."""
    system = operating_system_of(_values(_CURRENT_VERSION, warn), platform.machine())
    machine_id = clean(_values(_CRYPTOGRAPHY, warn).get("MachineGuid"))
    entries = list(_uninstall_entries(warn))
    programs = [program for values in entries if (program := program_of(values)) is not None]
    texts = [str(values.get("DisplayName", "")) for values in entries]
    try:
        texts.append(run(_HOTFIXES).decode("utf-8", "replace"))
    except CommandError as failure:
        warn(f"Installed updates are missing: {failure}.")
    return system, machine_id, programs, updates_of(texts)


if sys.platform == "win32":  # pragma: no cover  # the registry exists nowhere else
    import winreg

    _VIEWS = (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY)

    def _values(path: str, warn: Warn) -> dict[str, object]:
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | _VIEWS[0]) as key:
                return _all_values(key)
        except OSError as error:
            warn(f"{path} could not be read: {error}.")
            return {}

    def _uninstall_entries(warn: Warn) -> Iterator[dict[str, object]]:
        for hive in (winreg.HKEY_LOCAL_MACHINE, winreg.HKEY_CURRENT_USER):
            for view in _VIEWS:
                try:
                    key = winreg.OpenKey(hive, _UNINSTALL, 0, winreg.KEY_READ | view)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    warn(f"Programs of one registry view are missing: {error}.")
                    continue
                with key:
                    for index in range(winreg.QueryInfoKey(key)[0]):
                        with winreg.OpenKey(key, winreg.EnumKey(key, index)) as entry:
                            yield _all_values(entry)

    def _all_values(key: winreg.HKEYType) -> dict[str, object]:
        named = (winreg.EnumValue(key, index) for index in range(winreg.QueryInfoKey(key)[1]))
        return {name: value for name, value, _ in named}

else:

    def _values(path: str, warn: Warn) -> dict[str, object]:
        warn(f"{path} could not be read: this is not Windows.")
        return {}

    def _uninstall_entries(warn: Warn) -> Iterator[dict[str, object]]:
        warn("Programs are missing: this is not Windows.")
        yield from ()
