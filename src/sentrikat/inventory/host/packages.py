"""Package databases of Linux distributions: their text, as software. Pure; the files are read elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sentrikat.domain.inventory import Software
from sentrikat.inventory.host.texts import clean

# States in which no file of the package is on the disk: removed, with or without its configuration.
_NOT_THERE = frozenset({"not-installed", "config-files"})
_SOURCE = re.compile(r"(?P<name>\S+)(?:\s+\((?P<version>[^)]+)\))?")
_SOURCE_RPM = re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.(?:no)?src\.rpm")

RPM_FIELDS = ("NAME", "EPOCH", "VERSION", "RELEASE", "ARCH", "VENDOR", "SOURCERPM")
RPM_MODULE_FIELD = "MODULARITYLABEL"  # rpm older than 4.14 does not know it


def parse_os_release(text: str) -> dict[str, str]:
    """Read /etc/os-release: shell assignments, quoted or not."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = re.sub(r"\\([\"$`\\])", r"\1", value[1:-1])
        found[name] = value
    return found


def parse_dpkg_status(text: str) -> Iterator[Software]:
    """Yield the packages of /var/lib/dpkg/status that are installed.

    A package removed without purge keeps its entry, in the state `deinstall ok config-files`: it is not
    there. One that is unpacked or waits for a trigger has its files on the disk, and is.
    """
    for fields in _stanzas(text):
        state = fields.get("Status", "install ok installed").split()
        name, version = clean(fields.get("Package")), clean(fields.get("Version"))
        if name is None or version is None or state[-1:] == [] or state[-1] in _NOT_THERE:
            continue
        source = _SOURCE.fullmatch(fields.get("Source", "").strip())
        yield Software(
            type="deb",
            name=name,
            version=version,
            arch=clean(fields.get("Architecture")),
            source_name=source["name"] if source else name,
            source_version=source["version"] if source else None,
        )


_DPKG_FIELDS = frozenset({"Package", "Status", "Version", "Architecture", "Source"})


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            name, colon, value = line.partition(":")
            if colon and name in _DPKG_FIELDS:
                fields[name] = value.strip()
        if fields:
            yield fields


def parse_apk_installed(text: str) -> Iterator[Software]:
    """Yield the packages of /lib/apk/db/installed: P name, V version, A architecture, o origin."""
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = {line[0]: line[2:] for line in stanza.splitlines() if line[1:2] == ":" and line[0] in "PVAo"}
        if (name := clean(fields.get("P"))) is not None:
            yield Software(
                type="apk",
                name=name,
                version=clean(fields.get("V")),
                arch=clean(fields.get("A")),
                source_name=clean(fields.get("o")),
            )


def rpm_query(*, with_module: bool = True) -> list[str]:
    """Give the command whose output `parse_rpm_query` reads."""
    fields = (*RPM_FIELDS, RPM_MODULE_FIELD) if with_module else RPM_FIELDS
    return ["rpm", "-qa", "--qf", "\\t".join(f"%{{{field}}}" for field in fields) + "\\n"]


def parse_rpm_query(text: str) -> Iterator[Software]:
    """Yield the packages rpm lists; imported signing keys (gpg-pubkey) are no software."""
    for line in text.splitlines():
        name, epoch, version, release, arch, vendor, source, *module = [
            None if value in {"(none)", ""} else clean(value) for value in line.split("\t")
        ]
        if name is None or name == "gpg-pubkey":
            continue
        full = f"{version}-{release}" if release else version
        origin = _SOURCE_RPM.fullmatch(source or "")
        yield Software(
            type="rpm",
            name=name,
            version=f"{epoch}:{full}" if epoch and epoch != "0" else full,
            arch=arch,
            vendor=vendor,
            source_name=origin["name"] if origin else None,
            source_version=origin["version"] if origin and origin["version"] != full else None,
            module=module[0] if module else None,
        )


def parse_pacman_description(text: str) -> Software | None:
    """Read one `desc` file below /var/lib/pacman/local."""
    fields: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("%") and line.endswith("%"):
            fields[line.strip("%")] = next(lines, "")
    name = clean(fields.get("NAME"))
    if name is None:
        return None
    return Software(
        type="pacman",
        name=name,
        version=clean(fields.get("VERSION")),
        arch=clean(fields.get("ARCH")),
        source_name=clean(fields.get("BASE")),
    )


def parse_snap_list(text: str) -> Iterator[Software]:
    """Yield the snaps of `snap list`: Name, Version, Rev, Tracking, Publisher, Notes."""
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) >= 5 and "disabled" not in columns[-1]:
            publisher = columns[4].rstrip("*✓✪")
            yield Software(
                type="snap",
                name=columns[0],
                version=columns[1],
                vendor=None if publisher in {"-", "\u2013"} else publisher,
                bundle_id=columns[0],
            )


FLATPAK_QUERY = ("flatpak", "list", "--columns=application,version,arch,origin,name")


def parse_flatpak_list(text: str) -> Iterator[Software]:
    """Yield the Flatpak applications and runtimes of `FLATPAK_QUERY`, one per line, tabs between."""
    for line in text.splitlines():
        application, version, arch, origin, name = (*map(clean, line.split("\t")), *[None] * 5)[:5]
        if application is not None:
            yield Software(
                type="flatpak",
                name=name or application,
                version=version,
                arch=arch,
                repository=origin,
                bundle_id=application,
            )
