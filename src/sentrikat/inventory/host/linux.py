"""A Linux machine: its release, and every package database found on it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from pathlib import Path

from sentrikat.domain.inventory import OperatingSystem, Software
from sentrikat.inventory.host.commands import CommandError, Run
from sentrikat.inventory.host.packages import (
    FLATPAK_QUERY,
    parse_apk_installed,
    parse_dpkg_status,
    parse_flatpak_list,
    parse_os_release,
    parse_pacman_description,
    parse_rpm_query,
    parse_snap_list,
    rpm_query,
)
from sentrikat.inventory.host.texts import clean

Warn = Callable[[str], None]

_RPM_DATABASES = ("var/lib/rpm", "usr/lib/sysimage/rpm")


def operating_system(root: Path, warn: Warn) -> OperatingSystem:
    """Read os-release; the kernel and the architecture are the running machine's."""
    fields: dict[str, str] = {}
    for place in ("etc/os-release", "usr/lib/os-release"):
        if (text := _text(root / place, warn)) is not None:
            fields = parse_os_release(text)
            break
    else:
        warn(
            "There is no os-release file, so the distribution is not known and its packages cannot be judged."
        )
    return OperatingSystem(
        family="linux",
        name=clean(fields.get("ID")),
        version=clean(fields.get("VERSION_ID")),
        edition=clean(fields.get("VARIANT_ID")),
        kernel=clean(platform.release()),
        arch=clean(platform.machine()),
        cpe=clean(fields.get("CPE_NAME")),
    )


def machine_id(root: Path, warn: Warn) -> str | None:
    """Read the machine's own id; it is the same until the system is installed anew."""
    for place in ("etc/machine-id", "var/lib/dbus/machine-id"):
        if (text := _text(root / place, warn)) is not None and text.strip():
            return clean(text)
    return None


def packages(root: Path, run: Run, warn: Warn) -> Iterable[Software]:
    """Yield what every package manager of the machine lists."""
    if (status := _text(root / "var/lib/dpkg/status", warn)) is not None:
        yield from parse_dpkg_status(status)
    for part in _entries(root / "var/lib/dpkg/status.d"):  # images without a shell: one file per package
        if part.suffix != ".md5sums" and (text := _text(part, warn)) is not None:
            yield from parse_dpkg_status(text)
    if (installed := _text(root / "lib/apk/db/installed", warn)) is not None:
        yield from parse_apk_installed(installed)
    for package in _entries(root / "var/lib/pacman/local"):
        text = _text(package / "desc", warn)
        if text is not None and (software := parse_pacman_description(text)) is not None:
            yield software
    if any(_entries(root / place) for place in _RPM_DATABASES):
        yield from parse_rpm_query(_rpm(root, run, warn))
    if (root / "var/lib/snapd/snaps").is_dir():
        yield from parse_snap_list(_said(run, ("snap", "list"), warn))
    if (root / "var/lib/flatpak").is_dir():
        yield from parse_flatpak_list(_said(run, FLATPAK_QUERY, warn))


def _rpm(root: Path, run: Run, warn: Warn) -> str:
    place = [] if root == Path("/") else ["--root", str(root)]
    try:
        return run(rpm_query() + place).decode("utf-8", "replace")
    except CommandError as failure:
        if "MODULARITYLABEL" not in str(failure).upper() and "unknown tag" not in str(failure):
            warn(f"rpm packages are missing: {failure}.")
            return ""
    return _said(run, rpm_query(with_module=False) + place, warn)


def _said(run: Run, command: Iterable[str], warn: Warn) -> str:
    command = list(command)
    try:
        return run(command).decode("utf-8", "replace")
    except CommandError as failure:
        warn(f"{command[0]} packages are missing: {failure}.")
        return ""


def _text(path: Path, warn: Warn) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warn(f"{path} could not be read: {error.strerror}.")
        return None


def _entries(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError:
        return []
