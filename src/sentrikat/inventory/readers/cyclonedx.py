"""CycloneDX JSON 1.2 to 1.7.

Source  https://cyclonedx.org/docs/1.7/json/; the properties of Trivy and Syft as those tools write them
Read    metadata.component as the subject, components at every depth, the operating-system component
Left    files, data, cryptographic assets and components of scope "excluded": they are counted, not installed
"""

from __future__ import annotations

from collections.abc import Iterator
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

FORM = "cyclonedx"
WHAT = "The CycloneDX document"
VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")

_NOT_INSTALLED = {"file": "files", "data": "data sets", "cryptographic-asset": "cryptographic assets"}


def read(body: bytes, hostname: str | None = None) -> tuple[Inventory, tuple[str, ...]]:
    """Read a document; give the inventory and remarks on what was left out."""
    return inventory_of(load_object(body, WHAT), body, hostname)


def inventory_of(
    document: dict[str, Any], body: bytes, hostname: str | None = None
) -> tuple[Inventory, tuple[str, ...]]:
    """Read a parsed document; see `read`."""
    problems = Problems()
    remarks = Remarks()
    if document.get("bomFormat") != "CycloneDX":
        problems.add("bomFormat", "is not “CycloneDX”")
    if (version := document.get("specVersion")) not in VERSIONS:
        shown = version if isinstance(version, str) else type_name(version)
        problems.add("specVersion", f"is {shown[:20]}, and {VERSIONS[0]} to {VERSIONS[-1]} are understood")
    problems.refuse_if_any(WHAT)
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        problems.add("metadata", f"is {type_name(metadata)}, not an object")
        metadata = {}
    subject = metadata.get("component")
    if subject is not None and not isinstance(subject, dict):
        problems.add("metadata.component", f"is {type_name(subject)}, not an object")
        subject = None

    system: OperatingSystem | None = None
    packages: list[Package] = []
    for path, component in _components(document, subject, problems):
        kind = component.get("type")
        if kind == "operating-system" and (system is None or system.name is None):
            system = _system(component, path, problems)
        elif left := _left_out(component):
            remarks.counts[f"{left} left out"] += 1
        elif (stated := _stated(component, path, problems)) is not None and (
            # The subject counts as installed software only if it can be recognized as such.
            component is not subject or stated.purl or stated.cpe
        ):
            packages.append(package_of(stated, remarks))
    if len(packages) > MAX_SOFTWARE:
        problems.add("components", f"are {len(packages):,}, and {MAX_SOFTWARE:,} are allowed")
    named = text_of(subject, "name", "metadata.component", problems) if subject else None
    filed_under = hostname or named
    if not filed_under:
        problems.add(
            "metadata.component.name", "is missing, and no host name was given to file the document under"
        )
    collected_at = moment_of(metadata.get("timestamp"), "metadata.timestamp", problems)
    problems.refuse_if_any(WHAT)
    system, software = system_and_software(system, packages)
    filed_under = (filed_under or "")[:253]
    return (
        Inventory(
            report_id=report_id_of(body, filed_under),
            agent_id=None,
            hostname=filed_under,
            machine_id=None,
            os=system,
            collected_at=collected_at,
            complete=True,
            software=software,
        ),
        remarks.lines(),
    )


def _components(
    document: dict[str, Any], subject: dict[str, Any] | None, problems: Problems
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every component with its path, those inside others after them."""
    waiting: list[tuple[str, object]] = [("components", document.get("components", []))]
    if subject is not None:
        yield "metadata.component", subject
        waiting.append(("metadata.component.components", subject.get("components", [])))
    while waiting:
        path, listed = waiting.pop()
        if listed is None:
            continue
        if not isinstance(listed, list):
            problems.add(path, f"is {type_name(listed)}, not a list")
            continue
        for index, component in enumerate(listed):
            here = f"{path}[{index}]"
            if not isinstance(component, dict):
                problems.add(here, f"is {type_name(component)}, not an object")
                continue
            yield here, component
            if inside := component.get("components"):
                waiting.append((f"{here}.components", inside))


def _left_out(component: dict[str, Any]) -> str | None:
    if component.get("scope") == "excluded":
        return "components of scope “excluded”"
    kind = component.get("type")
    return _NOT_INSTALLED.get(kind) if isinstance(kind, str) else None


def _stated(component: dict[str, Any], path: str, problems: Problems) -> Stated | None:
    name = text_of(component, "name", path, problems)
    if name is None:
        if not isinstance(component.get("name"), str | type(None)):
            return None  # told already
        problems.add(f"{path}.name", "is missing or empty")
        return None
    group = text_of(component, "group", path, problems)
    properties = _properties(component, path, problems)
    vendor = text_of(component, "publisher", path, problems) or _supplier(component, path, problems)
    address = text_of(component, "purl", path, problems)
    # Outside a package URL the group is part of what the thing is called by its maker.
    return Stated(
        name=name,
        version=text_of(component, "version", path, problems),
        vendor=vendor or group,
        purl=address,
        cpe=text_of(component, "cpe", path, problems),
        source_name=properties.get("aquasecurity:trivy:SrcName")
        or properties.get("syft:metadata:source")
        or properties.get("syft:metadata:originPackage"),
        source_version=_trivy_source_version(properties) or properties.get("syft:metadata:sourceVersion"),
        module=properties.get("aquasecurity:trivy:Modularitylabel")
        or properties.get("syft:metadata:modularityLabel"),
        path=properties.get("aquasecurity:trivy:FilePath") or properties.get("syft:location:0:path"),
    )


def _trivy_source_version(properties: dict[str, str]) -> str | None:
    """Put together what Trivy takes apart: SrcEpoch, SrcVersion, SrcRelease."""
    version = properties.get("aquasecurity:trivy:SrcVersion")
    if version is None:
        return None
    if release := properties.get("aquasecurity:trivy:SrcRelease"):
        version = f"{version}-{release}"
    epoch = properties.get("aquasecurity:trivy:SrcEpoch", "0")
    return version if epoch == "0" else f"{epoch}:{version}"


def _properties(component: dict[str, Any], path: str, problems: Problems) -> dict[str, str]:
    listed = component.get("properties")
    if listed is None:
        return {}
    if not isinstance(listed, list):
        problems.add(f"{path}.properties", f"is {type_name(listed)}, not a list")
        return {}
    found: dict[str, str] = {}
    for index, entry in enumerate(listed):
        if isinstance(entry, dict) and str(entry.get("name")).startswith(("aquasecurity:trivy:", "syft:")):
            value = text_of(entry, "value", f"{path}.properties[{index}]", problems)
            if value is not None:
                found[entry["name"]] = value
    return found


def _supplier(component: dict[str, Any], path: str, problems: Problems) -> str | None:
    for key in ("supplier", "manufacturer"):
        maker = component.get(key)
        if isinstance(maker, dict) and (name := text_of(maker, "name", f"{path}.{key}", problems)):
            return name
    return None


def _system(component: dict[str, Any], path: str, problems: Problems) -> OperatingSystem:
    properties = _properties(component, path, problems)
    return system_of(
        properties.get("syft:distro:id") or text_of(component, "name", path, problems),
        properties.get("syft:distro:versionID") or text_of(component, "version", path, problems),
        text_of(component, "cpe", path, problems),
    )
