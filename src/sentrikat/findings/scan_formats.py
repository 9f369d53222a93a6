"""Scan results for people and for other programs: table, SARIF, CycloneDX VEX."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Record = Mapping[str, Any]

_SARIF_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "none": "note"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"  # an identifier; nothing is fetched


def order(finding: Record) -> tuple[bool, float, float, str]:
    """Give the place of a finding in lists: exploited first, then likelihood, then severity."""
    cvss, epss = finding["cvss"], finding["epss"]
    return (
        finding["kev"] is None,
        -(epss["score"] if epss else 0.0),
        -(cvss["score"] if cvss else 5.0),
        finding["vulnerability"],
    )


def print_table(console: Console, records: Iterable[Record]) -> None:
    """Print what was found, a table an inventory, and what could not be judged."""
    for record in records:
        findings, unknown = sorted(record["findings"], key=order), record["unknown"]
        exploited = sum(1 for one in findings if one["kev"])
        console.print(
            f"[bold]{_plain(record['ref'])}[/]: {len(findings)} findings, {exploited} known to be exploited,"
            f" {len(unknown)} components not judged",
            soft_wrap=True,
        )
        for one in record.get("unsupported", ()):
            component = one["component"]
            console.print(
                f"[bold]{_plain(component['name'])} {_plain(component['version'] or '')}[/]: {_plain(one['sentence'])}",
                soft_wrap=True,
            )
        if findings:
            console.print(_findings_table(findings))
        if unknown:
            console.print(_unknown_table(unknown))


_NO_REPAIR = {
    "open": "not yet",
    "deferred": "postponed",
    "will_not_fix": "will not be",
    "end_of_life": "end of life",
}


def _findings_table(findings: Sequence[Record]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (
        "Vulnerability",
        "Software",
        "Installed",
        "Fixed in",
        "Severity",
        "EPSS",
        "Exploited",
        "Source",
    ):
        table.add_column(
            name,
            justify="right" if name == "EPSS" else "left",
            overflow="fold",
            no_wrap=name == "Vulnerability",
        )
    for one in findings:
        cvss, epss, kev = one["cvss"], one["epss"], one["kev"]
        table.add_row(
            one["vulnerability"],
            _plain(one["component"]["name"]),
            _plain(one["component"]["version"] or "?"),
            _plain(one["fixed_version"] or _NO_REPAIR.get(one["evidence"]["remedy"], "-")),
            f"{cvss['severity']} {cvss['score']:.1f}" if cvss else "not scored",
            f"{epss['score']:.3f}" if epss else "-",
            f"[red]since {kev['date_added']}[/]" if kev else "-",
            one["source"],
        )
    return table


def _unknown_table(unknown: Sequence[Record]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="Not judged", title_justify="left")
    for name in ("Software", "Version", "Why", "May concern it"):
        table.add_column(name, overflow="fold")
    shown = unknown[:50]
    for one in shown:
        table.add_row(
            _plain(one["component"]["name"]),
            _plain(one["component"]["version"] or "?"),
            one["reason"].replace("_", " "),
            ", ".join(one["hints"][:3]) + (" ..." if len(one["hints"]) > 3 else ""),
        )
    if len(unknown) > len(shown):
        table.add_row(f"and {len(unknown) - len(shown)} more", "", "", "")
    return table


def _plain(words: str) -> str:
    return words.replace("[", r"\[")


def sarif(records: Iterable[Record], version: str) -> dict[str, Any]:
    """Give the results as SARIF 2.1.0: a rule for each flaw, a result for each component that has it."""
    rules: dict[str, dict[str, Any]] = {}
    results = []
    for record in records:
        for one in sorted(record["findings"], key=order):
            cvss = one["cvss"]
            level = "error" if one["kev"] else _SARIF_LEVELS.get(cvss["severity"] if cvss else "", "warning")
            rules.setdefault(
                one["vulnerability"],
                {
                    "id": one["vulnerability"],
                    "shortDescription": {"text": one["vulnerability"]},
                    "properties": {"security-severity": str(cvss["score"] if cvss else 5.0)},
                },
            )
            component = one["component"]
            results.append(
                {
                    "ruleId": one["vulnerability"],
                    "level": level,
                    "message": {"text": one["evidence"]["sentence"]},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {
                                    "uri": (one["evidence"]["paths"] or [record["ref"]])[0].replace(
                                        " ", "%20"
                                    )
                                }
                            },
                            "logicalLocations": [{"name": f"{component['name']}@{component['version']}"}],
                        }
                    ],
                    "partialFingerprints": {
                        "sentrikat/v1": hashlib.sha256(
                            "\0".join(
                                (
                                    record["ref"],
                                    one["vulnerability"],
                                    component["name"],
                                    component["version"] or "",
                                )
                            ).encode()
                        ).hexdigest()
                    },
                }
            )
    driver = {"name": "SentriKat", "version": version, "rules": list(rules.values())}
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def cyclonedx_vex(records: Iterable[Record], version: str) -> dict[str, Any]:
    """Give the results as a CycloneDX 1.6 document: components, and vulnerabilities with their analysis."""
    components: dict[str, dict[str, Any]] = {}
    flaws: dict[str, dict[str, Any]] = {}
    for record in records:
        for one in record["findings"]:
            reference = _component(components, record["ref"], one["component"])
            flaw = flaws.setdefault(one["vulnerability"], _flaw(one))
            affects = flaw["affects"]
            if not any(each["ref"] == reference for each in affects):
                affects.append(
                    {
                        "ref": reference,
                        "versions": [{"version": one["component"]["version"], "status": "affected"}],
                    }
                )
        for one in record["unknown"]:
            reference = _component(components, record["ref"], one["component"])
            for name in one["hints"]:
                flaw = flaws.setdefault(name, {"id": name, "analysis": {"state": "in_triage"}, "affects": []})
                flaw["affects"].append(
                    {
                        "ref": reference,
                        "versions": [{"version": one["component"]["version"], "status": "unknown"}],
                    }
                )
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "SentriKat", "version": version}]}
        },
        "components": list(components.values()),
        "vulnerabilities": list(flaws.values()),
    }


def _component(components: dict[str, dict[str, Any]], ref: str, component: Record) -> str:
    reference = f"{ref}#{component['type']}/{component['name']}@{component['version'] or ''}"
    entry = {"type": "library", "bom-ref": reference, "name": component["name"]}
    for key in ("version", "purl", "cpe"):
        if component[key]:
            entry[key] = component[key]
    components.setdefault(reference, entry)
    return reference


# What whoever maintains the software did, in CycloneDX's words.
_RESPONSES = {"fixed": "update", "will_not_fix": "will_not_fix", "end_of_life": "will_not_fix"}


def _flaw(one: Record) -> dict[str, Any]:
    cvss = one["cvss"]
    flaw: dict[str, Any] = {"id": one["vulnerability"], "source": {"name": one["source"]}}
    if one["aliases"]:
        flaw["references"] = [{"id": alias, "source": {"name": one["source"]}} for alias in one["aliases"]]
    if cvss:
        methods = {"2.0": "CVSSv2", "3.0": "CVSSv3", "3.1": "CVSSv31", "4.0": "CVSSv4"}
        flaw["ratings"] = [
            {
                "source": {"name": cvss["provider"]},
                "score": cvss["score"],
                "severity": cvss["severity"],
                "method": methods.get(cvss["version"], "other"),
                "vector": cvss["vector"],
            }
        ]
    if one["fixed_version"]:
        flaw["recommendation"] = f"Update to {one['fixed_version']} or newer."
    flaw["analysis"] = {
        "state": "exploitable" if one["kev"] else "in_triage",
        "detail": one["evidence"]["sentence"],
    }
    if response := _RESPONSES.get(one["evidence"]["remedy"]):
        flaw["analysis"]["response"] = [response]
    flaw["affects"] = []
    return flaw
