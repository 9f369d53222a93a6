"""SPDX 2.2 and 2.3 JSON, and the software profile of SPDX 3.0 JSON-LD.

Source  https://spdx.github.io/spdx-spec/v2.3/, https://spdx.github.io/spdx-spec/v3.0.1/
Read    packages with their package URLs and CPE names; files, snippets and relationships are not software
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentrikat.domain.inventory import Inventory, OperatingSystem
from sentrikat.inventory.readers.document import MAX_SOFTWARE, Problems, load_object, type_name
from sentrikat.inventory.readers.moments import moment_of
from sentrikat.inventory.readers.sbom import (
    Package,
    Remarks,
    Stated,
    package_of,
    report_id_of,
    system_and_software,
    system_of,
    text_of,
)

FORM = "spdx"
WHAT = "The SPDX document"
VERSIONS = ("SPDX-2.2", "SPDX-2.3")

_NOTHING = frozenset({"NOASSERTION", "NONE"})
# Packages that stand for other things than software on a machine.
_NOT_INSTALLED = {"FILE": "files", "SOURCE": "source archives", "file": "files", "source": "source archives"}


def read(body: bytes, hostname: str | None = None) -> tuple[Inventory, tuple[str, ...]]:
    """Read a document of any version; give the inventory and remarks on what was left out."""
    return inventory_of(load_object(body, WHAT), body, hostname)


def inventory_of(
    document: dict[str, Any], body: bytes, hostname: str | None = None
) -> tuple[Inventory, tuple[str, ...]]:
    """Read a parsed document; see `read`."""
    if "@graph" in document or "@context" in document:
        return _read_3(document, body, hostname)
    return _read_2(document, body, hostname)


def _read_2(document: dict[str, Any], body: bytes, hostname: str | None) -> tuple[Inventory, tuple[str, ...]]:
    problems = Problems()
    remarks = Remarks()
    if (version := document.get("spdxVersion")) not in VERSIONS:
        shown = version if isinstance(version, str) else type_name(version)
        problems.add("spdxVersion", f"is {shown[:20]}, and {', '.join(VERSIONS)} and 3.0 are understood")
        problems.refuse_if_any(WHAT)
    creation = document.get("creationInfo")
    created = creation.get("created") if isinstance(creation, dict) else None
    system: OperatingSystem | None = None
    packages: list[Package] = []
    for path, entry in _entries(document.get("packages", []), "packages", problems):
        purpose = entry.get("primaryPackagePurpose")
        name = text_of(entry, "name", path, problems)
        if name is None:
            if isinstance(entry.get("name"), str | type(None)):
                problems.add(f"{path}.name", "is missing or empty")
            continue
        package_version = _said(text_of(entry, "versionInfo", path, problems))
        if purpose == "OPERATING-SYSTEM":
            system = system or system_of(name, package_version)
            continue
        if isinstance(purpose, str) and purpose in _NOT_INSTALLED:
            remarks.counts[f"{_NOT_INSTALLED[purpose]} left out"] += 1
            continue
        purl, cpe = _references_2(entry.get("externalRefs"), path, problems)
        supplier = _said(text_of(entry, "supplier", path, problems))
        stated = Stated(name, package_version, vendor=_party(supplier), purl=purl, cpe=cpe)
        packages.append(package_of(stated, remarks))
    named = text_of(document, "name", "", problems)
    return _finish(
        body,
        hostname or named,
        moment_of(created, "creationInfo.created", problems),
        system,
        packages,
        problems,
        remarks,
    )


def _references_2(listed: object, path: str, problems: Problems) -> tuple[str | None, str | None]:
    purl: str | None = None
    cpe: str | None = None
    for here, reference in _entries(listed or [], f"{path}.externalRefs", problems):
        kind = reference.get("referenceType")
        if kind == "purl" and purl is None:
            purl = text_of(reference, "referenceLocator", here, problems)
        elif kind == "cpe23Type" or (kind == "cpe22Type" and cpe is None):
            cpe = text_of(reference, "referenceLocator", here, problems) or cpe
    return purl, cpe


def _read_3(document: dict[str, Any], body: bytes, hostname: str | None) -> tuple[Inventory, tuple[str, ...]]:
    problems = Problems()
    remarks = Remarks()
    if "spdx.org/rdf/3" not in str(document.get("@context")):
        problems.add("@context", "does not name SPDX 3.0")
        problems.refuse_if_any(WHAT)
    named: str | None = None
    created: object = None
    system: OperatingSystem | None = None
    packages: list[Package] = []
    for path, element in _entries(document.get("@graph", []), "@graph", problems):
        kind = element.get("type", element.get("@type"))
        if kind == "CreationInfo":
            created = created or element.get("created")
        elif kind in ("SpdxDocument", "software_Sbom"):
            named = named or text_of(element, "name", path, problems)
        elif kind == "software_File":
            remarks.counts["files left out"] += 1
        elif kind == "software_Package":
            name = text_of(element, "name", path, problems)
            if name is None:
                if isinstance(element.get("name"), str | type(None)):
                    problems.add(f"{path}.name", "is missing or empty")
                continue
            version = _said(text_of(element, "software_packageVersion", path, problems))
            purpose = element.get("software_primaryPurpose")
            if purpose == "operatingSystem":
                system = system or system_of(name, version)
            elif isinstance(purpose, str) and purpose in _NOT_INSTALLED:
                remarks.counts[f"{_NOT_INSTALLED[purpose]} left out"] += 1
            else:
                purl, cpe = _identifiers_3(element, path, problems)
                packages.append(package_of(Stated(name, version, purl=purl, cpe=cpe), remarks))
    when = moment_of(created, "@graph.CreationInfo.created", problems)
    return _finish(body, hostname or named, when, system, packages, problems, remarks)


def _identifiers_3(element: dict[str, Any], path: str, problems: Problems) -> tuple[str | None, str | None]:
    purl = text_of(element, "software_packageUrl", path, problems)
    cpe: str | None = None
    for here, given in _entries(
        element.get("externalIdentifier") or [], f"{path}.externalIdentifier", problems
    ):
        kind = given.get("externalIdentifierType")
        if kind == "packageUrl" and purl is None:
            purl = text_of(given, "identifier", here, problems)
        elif kind == "cpe23" or (kind == "cpe22" and cpe is None):
            cpe = text_of(given, "identifier", here, problems) or cpe
    return purl, cpe


def _entries(listed: object, path: str, problems: Problems) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(listed, list):
        problems.add(path, f"is {type_name(listed)}, not a list")
        return []
    found = []
    for index, entry in enumerate(listed):
        if isinstance(entry, dict):
            found.append((f"{path}[{index}]", entry))
        else:
            problems.add(f"{path}[{index}]", f"is {type_name(entry)}, not an object")
    return found


def _said(value: str | None) -> str | None:
    return None if value in _NOTHING else value


def _party(value: str | None) -> str | None:
    """Take the name out of `Organization: Debian (security@debian.org)`."""
    if value is None:
        return None
    for prefix in ("Organization:", "Person:"):
        value = value.removeprefix(prefix)
    return value.split("(")[0].strip() or None


def _finish(
    body: bytes,
    filed_under: str | None,
    collected_at: datetime | None,
    system: OperatingSystem | None,
    packages: list[Package],
    problems: Problems,
    remarks: Remarks,
) -> tuple[Inventory, tuple[str, ...]]:
    if len(packages) > MAX_SOFTWARE:
        problems.add("packages", f"are {len(packages):,}, and {MAX_SOFTWARE:,} are allowed")
    if not filed_under:
        problems.add("name", "is missing, and no host name was given to file the document under")
    problems.refuse_if_any(WHAT)
    found, software = system_and_software(system, packages)
    hostname = (filed_under or "")[:253]
    inventory = Inventory(
        report_id=report_id_of(body, hostname),
        agent_id=None,
        hostname=hostname,
        machine_id=None,
        os=found,
        collected_at=collected_at,
        complete=True,
        software=software,
    )
    return inventory, remarks.lines()
