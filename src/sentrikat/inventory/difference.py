"""What a report changes about what is installed. Pure: the rows of the database come and go as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sentrikat.domain.inventory import DISTRIBUTION_KINDS, Component, Installed

# The guard against a broken agent that reports next to nothing, as if all else had been removed.
GUARDED_FROM = 20  # packages; smaller inventories may change by half in a day
GUARDED_SHARE = 0.6  # of the packages, gone by name: an upgrade of everything removes none

# Of these a machine has one version at a time, so a part that names a new one renews it.
_ONE_VERSION_KINDS = (DISTRIBUTION_KINDS | {"snap", "flatpak", "os"}) - {"rpm"}
# rpm keeps several versions of these on purpose ("installonly"); of all others one.
_INSTALL_ONLY = ("kernel", "gpg-pubkey")


@dataclass(frozen=True, slots=True)
class Present:
    """An install row that is current, with what its component is called."""

    install_id: int
    component_id: int
    identity: bytes
    kind: str
    name: str
    binaries: tuple[str, ...]
    paths: tuple[str, ...]
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """The binary packages and places a component is seen as now, for a row that said otherwise."""

    install_id: int
    binaries: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(slots=True)
class Change:
    """What to write: components to add, rows to close, rows whose details moved."""

    added: list[tuple[bytes, Installed]] = field(default_factory=list)
    closed: list[Present] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def is_nothing(self) -> bool:
        """Say whether there is nothing to write."""
        return not (self.added or self.closed or self.seen)


def by_identity(installed: Iterable[Installed]) -> dict[bytes, Installed]:
    """Key components by their identity."""
    return {item.component.identity(): item for item in installed}


def compare_whole(
    present: Iterable[Present], reported: Mapping[bytes, Installed], collected_at: datetime
) -> Change:
    """Give the change a complete report makes: what it does not name is gone.

    Except what another report saw later than this one looked.
    """
    change = Change()
    known: set[bytes] = set()
    for row in present:
        item = reported.get(row.identity)
        if item is not None:
            known.add(row.identity)
            if row.binaries != tuple(item.binaries) or row.paths != tuple(item.paths):
                change.seen.append(Seen(row.install_id, tuple(item.binaries), tuple(item.paths)))
        elif row.first_seen_at <= collected_at:
            change.closed.append(row)
    change.added = [(identity, item) for identity, item in reported.items() if identity not in known]
    return change


def compare_part(
    present: Iterable[Present], reported: Mapping[bytes, Installed], collected_at: datetime
) -> Change:
    """Give the change a part makes: it adds, and renews the version of packages it names.

    A package counts as renewed when the part names all binary packages that the older version was seen as.
    Parts of one moment stand beside each other, and a part never undoes what a later one said.
    """
    change = Change()
    known: set[bytes] = set()
    rows: dict[tuple[str, str], list[Present]] = {}
    for row in present:
        rows.setdefault(_one_version_of(row.kind, row.name), []).append(row)
        if (item := reported.get(row.identity)) is not None:
            known.add(row.identity)
            binaries, paths = _union(row.binaries, item.binaries), _union(row.paths, item.paths)
            if binaries != row.binaries or paths != row.paths:
                change.seen.append(Seen(row.install_id, binaries, paths))
    renewed: dict[tuple[str, str], set[str]] = {}
    for identity, item in reported.items():
        if identity in known:
            continue
        if not _has_one_version(item.component):
            change.added.append((identity, item))
            continue
        name = _one_version_of(item.component.kind, item.component.name)
        if any(row.first_seen_at > collected_at for row in rows.get(name, [])):
            continue
        change.added.append((identity, item))
        renewed.setdefault(name, set()).update(item.binaries or [item.component.name])
    for name, named in renewed.items():
        for row in rows.get(name, []):
            if row.identity in reported or row.first_seen_at >= collected_at:
                continue
            left = tuple(binary for binary in row.binaries or (row.name,) if binary not in named)
            if left and row.kind != "os":
                change.seen.append(Seen(row.install_id, left, row.paths))
            else:
                change.closed.append(row)
    return change


def removes_too_much(present: Iterable[Present], reported: Mapping[bytes, Installed], change: Change) -> bool:
    """Say whether a complete report looks like a failure of the agent rather than like work on the machine.

    An empty report does whenever there was anything; otherwise the share of package names that would go.
    """
    packages = sum(row.kind != "os" for row in present)
    if not packages:
        return False
    names = {
        (item.component.kind, item.component.name)
        for item in reported.values()
        if item.component.kind != "os"
    }
    if not names:
        return True
    gone = sum(row.kind != "os" and (row.kind, row.name) not in names for row in change.closed)
    return packages >= GUARDED_FROM and gone >= GUARDED_SHARE * packages


def _one_version_of(kind: str, name: str) -> tuple[str, str]:
    """Give what there is one version of; a machine runs one operating system, whatever it is called."""
    return (kind, "" if kind == "os" else name)


def _has_one_version(component: Component) -> bool:
    if component.kind == "rpm":
        return not component.name.startswith(_INSTALL_ONLY)
    return component.kind in _ONE_VERSION_KINDS


def _union(one: tuple[str, ...], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
