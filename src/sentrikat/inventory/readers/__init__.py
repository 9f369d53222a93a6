"""Reports in every form we read, as `Inventory`.

`agent_report`   our own contract      `cyclonedx`, `spdx`   SBOMs
"""

from __future__ import annotations

from dataclasses import dataclass

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.inventory import Inventory
from sentrikat.inventory.readers import agent_report, cyclonedx, spdx
from sentrikat.inventory.readers.document import CONTROL, load_object, may_hold_control_characters

FORMS = (agent_report.FORM, cyclonedx.FORM, spdx.FORM)


@dataclass(frozen=True, slots=True)
class Reading:
    """A report as read: its form, what it says, and remarks on what was left out of it."""

    form: str
    inventory: Inventory
    remarks: tuple[str, ...] = ()


def read(body: bytes, form: str | None = None, *, hostname: str | None = None) -> Inventory:
    """Read a report of any form; see `read_report`."""
    return read_report(body, form, hostname=hostname).inventory


def read_report(body: bytes, form: str | None = None, *, hostname: str | None = None) -> Reading:
    """Read a report; without `form` it is recognized by its content.

    `hostname` names what an SBOM is filed under; without it the SBOM's own subject does. InvalidInput
    names every problem by its path.
    """
    if form not in (None, *FORMS):
        raise InvalidInput(
            f"The report was not accepted: “{form}” is no form of report.",
            hint=f"Use one of {', '.join(FORMS)}.",
        )
    if hostname is not None and (not hostname.strip() or len(hostname) > 253 or CONTROL.search(hostname)):
        raise InvalidInput(
            "The report was not accepted: the name to file it under is no host name.",
            hint="Give 1 to 253 characters without control characters. Nothing was stored.",
            fields={"hostname": "is empty, too long, or holds a control character"},
        )
    if form == agent_report.FORM:
        return Reading(form, agent_report.read(body))
    document = load_object(body, "The report")
    if form is None:
        form = form_of(document)
    if form == cyclonedx.FORM:
        return Reading(form, *cyclonedx.inventory_of(document, body, hostname))
    if form == spdx.FORM:
        return Reading(form, *spdx.inventory_of(document, body, hostname))
    look = may_hold_control_characters(body)
    return Reading(form, agent_report.inventory_of(document, look_for_controls=look))


def form_of(document: dict[str, object]) -> str:
    """Tell the form of a parsed report by the field that only it has."""
    if "bomFormat" in document:
        return cyclonedx.FORM
    if "spdxVersion" in document or "@graph" in document or "@context" in document:
        return spdx.FORM
    if "report_id" in document or "software" in document:
        return agent_report.FORM
    raise InvalidInput(
        "The report was not accepted: it is no agent report, no CycloneDX and no SPDX document.",
        hint="An agent report has report_id, a CycloneDX document bomFormat, an SPDX document spdxVersion or @graph.",
        fields={"": "is of no known form"},
    )
