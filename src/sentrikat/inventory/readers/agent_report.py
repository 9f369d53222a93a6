"""Agent reports, version 1: `contracts/agent-report/v1.schema.json` is the contract, this its fast twin.

The checks are written by hand because thousands of reports pass through one process; a test holds schema
and reader to the same answer on golden and on generated documents.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sentrikat.domain import purl
from sentrikat.domain.errors import InvalidName
from sentrikat.domain.inventory import (
    DISTRIBUTION_KINDS,
    SOFTWARE_KINDS,
    Inventory,
    OperatingSystem,
    Software,
    release_of,
)
from sentrikat.inventory.readers.document import (
    CONTROL,
    MAX_SOFTWARE,
    MAX_STRING,
    Problems,
    load_object,
    may_hold_control_characters,
    type_name,
)
from sentrikat.inventory.readers.moments import calendar_moment

FORM = "agent-report"
WHAT = "The agent report"

FAMILIES = ("linux", "windows", "macos", "other")
MAX_HOSTNAME = 253  # RFC 1035, dots included
MAX_IDENTIFIER = 256  # report_id, agent_id, machine_id
MAX_UPDATES = 10_000

_FIELDS = frozenset(
    {
        "report_id",
        "agent_id",
        "hostname",
        "machine_id",
        "os",
        "collected_at",
        "complete",
        "software",
        "updates",
    }
)
_REQUIRED = ("report_id", "hostname", "os", "collected_at", "complete", "software")
_OS_FIELDS = frozenset({"family", "name", "version", "build", "edition", "kernel", "arch", "cpe"})
_SOFTWARE_FIELDS = frozenset(
    {
        "type",
        "name",
        "version",
        "arch",
        "vendor",
        "source_name",
        "source_version",
        "module",
        "repository",
        "bundle_id",
        "purl",
        "cpe",
        "path",
    }
)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_UPDATE = re.compile(r"KB[0-9]{5,8}")


def read(body: bytes) -> Inventory:
    """Read a report; InvalidInput with every problem by its path, such as `software[3].name`."""
    return inventory_of(load_object(body, WHAT), look_for_controls=may_hold_control_characters(body))


def inventory_of(document: dict[str, Any], *, look_for_controls: bool = True) -> Inventory:
    """Read a parsed report; see `read`."""
    problems = Problems()
    for key in sorted(document.keys() - _FIELDS):
        problems.add(key[:80], "is not a field of version 1")
    for key in _REQUIRED:
        if key not in document:
            problems.add(key, "is missing")
    check = _Strings(problems, look_for_controls)
    report_id = check.text(document, "report_id", MAX_IDENTIFIER, required=True)
    agent_id = check.text(document, "agent_id", MAX_IDENTIFIER)
    hostname = check.text(document, "hostname", MAX_HOSTNAME, required=True)
    machine_id = check.text(document, "machine_id", MAX_IDENTIFIER)
    collected_at = _moment(document.get("collected_at"), problems) if "collected_at" in document else None
    complete = document.get("complete", True)
    if type(complete) is not bool:
        problems.add("complete", f"is {type_name(complete)}, not true or false")
    system = _system(document.get("os"), check) if "os" in document else OperatingSystem("other")
    software = _software(document.get("software", []), check, release_of(system.name, system.version))
    updates = _updates(document.get("updates", []), problems)
    problems.refuse_if_any(WHAT)
    return Inventory(
        report_id=report_id or "",
        agent_id=agent_id,
        hostname=hostname or "",
        machine_id=machine_id,
        os=system,
        collected_at=collected_at,
        complete=complete,
        software=software,
        updates=updates,
    )


class _Strings:
    """The rule for strings: bounded, no control characters, and the empty one means unknown."""

    def __init__(self, problems: Problems, look_for_controls: bool) -> None:
        self.problems = problems
        self.look_for_controls = look_for_controls

    def text(
        self, owner: dict[str, Any], key: str, longest: int, *, required: bool = False, inside: str = ""
    ) -> str | None:
        if key not in owner:
            return None
        value = owner[key]
        if reason := self.wrong(value, longest):
            self.problems.add(inside + key, reason)
        elif required and not value.strip():
            self.problems.add(inside + key, "is empty")
        else:
            return value or None
        return None

    def wrong(self, value: object, longest: int) -> str | None:
        if type(value) is not str:
            return f"is {type_name(value)}, not a string"
        if len(value) > longest:
            return f"is {len(value):,} characters long, and {longest:,} are allowed"
        if self.look_for_controls and CONTROL.search(value):
            return "holds a control character"
        return None


def _moment(value: object, problems: Problems) -> datetime | None:
    if type(value) is not str:
        problems.add("collected_at", f"is {type_name(value)}, not a string")
        return None
    if not _MOMENT.fullmatch(value):
        problems.add("collected_at", "is not a moment with time zone such as 2026-08-22T09:30:00Z")
        return None
    moment = calendar_moment(value)
    if moment is None:
        problems.add("collected_at", "is not a day of the calendar or a time of the day")
    return moment


def _system(value: object, check: _Strings) -> OperatingSystem:
    problems = check.problems
    if type(value) is not dict:
        problems.add("os", f"is {type_name(value)}, not an object")
        return OperatingSystem("other")
    for key in sorted(value.keys() - _OS_FIELDS):
        problems.add(f"os.{key[:80]}", "is not a field of version 1")
    family = value.get("family")
    if "family" not in value:
        problems.add("os.family", "is missing")
    elif type(family) is not str:
        problems.add("os.family", f"is {type_name(family)}, not a string")
    elif family not in FAMILIES:
        problems.add("os.family", f"is not one of {', '.join(FAMILIES)}")
    known = {key: check.text(value, key, MAX_STRING, inside="os.") for key in _OS_FIELDS - {"family"}}
    return OperatingSystem(family=family if type(family) is str else "other", **known)


def _software(value: object, check: _Strings, host_release: str | None) -> tuple[Software, ...]:
    problems = check.problems
    if type(value) is not list:
        problems.add("software", f"is {type_name(value)}, not a list")
        return ()
    if len(value) > MAX_SOFTWARE:
        problems.add("software", f"has {len(value):,} entries, and {MAX_SOFTWARE:,} are allowed")
        return ()
    look = check.look_for_controls
    found: list[Software] = []
    first: dict[tuple[str, str | None], Software] = {}
    alike: set[Software] = set()
    for index, entry in enumerate(value):
        if type(entry) is not dict or not _is_plain(entry, look):
            _explain(entry, f"software[{index}]", check)
            continue
        if "" in entry.values():
            package = Software(**{key: text for key, text in entry.items() if text})
        else:
            package = Software(**entry)
        if package.purl is not None and package.type in DISTRIBUTION_KINDS:
            package = _with_own_release(package, host_release)
        # Equal entries are one: tools list multi-arch packages twice. Hashing every entry in full would
        # cost as much as all the rest, so only entries of one name and version are compared.
        other = first.setdefault((package.name, package.version), package)
        if other is not package:
            if package == other or package in alike:
                continue
            alike.add(package)
        found.append(package)
    return tuple(found)


def _is_plain(entry: dict[str, Any], look_for_controls: bool) -> bool:
    """Say whether an entry is right; the reasons are looked for only when it is not."""
    if not entry.keys() <= _SOFTWARE_FIELDS:
        return False
    for text in entry.values():
        if type(text) is not str or len(text) > MAX_STRING:
            return False
        if look_for_controls and CONTROL.search(text):
            return False
    kind = entry.get("type")
    name = entry.get("name")
    if kind not in SOFTWARE_KINDS or not name or name.isspace():
        return False
    return kind != "cpe" or bool(entry.get("cpe"))


def _explain(entry: object, path: str, check: _Strings) -> None:
    problems = check.problems
    if type(entry) is not dict:
        problems.add(path, f"is {type_name(entry)}, not an object")
        return
    for key in sorted(entry.keys() - _SOFTWARE_FIELDS):
        problems.add(f"{path}.{key[:80]}", "is not a field of version 1")
    for key in ("type", "name"):
        if key not in entry:
            problems.add(f"{path}.{key}", "is missing")
    for key in sorted(_SOFTWARE_FIELDS - {"name"}):
        check.text(entry, key, MAX_STRING, inside=f"{path}.")
    check.text(entry, "name", MAX_STRING, required=True, inside=f"{path}.")
    kind = entry.get("type")
    if type(kind) is str and kind not in SOFTWARE_KINDS:
        problems.add(f"{path}.type", f"“{kind[:40]}” is not one of {', '.join(sorted(SOFTWARE_KINDS))}")
    if kind == "cpe" and not entry.get("cpe"):
        problems.add(f"{path}.cpe", "is missing, and an entry of type cpe is known by nothing else")


def _with_own_release(package: Software, host_release: str | None) -> Software:
    """Remember the release a package URL names where it is not the host's: a chroot, a container."""
    if package.purl is None or "distro=" not in package.purl:
        return package
    try:
        said = purl.parse(package.purl)
    except InvalidName:
        return package  # the type and name of the entry stand on their own
    release = release_of(said.distro, said.distro_version)
    if release is None or release == host_release:
        return package
    known = {name: getattr(package, name) for name in _SOFTWARE_FIELDS}
    return Software(**known, release=release)


def _updates(value: object, problems: Problems) -> tuple[str, ...]:
    if type(value) is not list:
        problems.add("updates", f"is {type_name(value)}, not a list")
        return ()
    if len(value) > MAX_UPDATES:
        problems.add("updates", f"has {len(value):,} entries, and {MAX_UPDATES:,} are allowed")
        return ()
    for index, update in enumerate(value):
        if type(update) is not str:
            problems.add(f"updates[{index}]", f"is {type_name(update)}, not a string")
        elif not _UPDATE.fullmatch(update):
            problems.add(f"updates[{index}]", "is not the number of an update such as KB5046612")
    return tuple(dict.fromkeys(update for update in value if type(update) is str))
