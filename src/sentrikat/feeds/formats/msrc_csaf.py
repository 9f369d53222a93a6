"""Microsoft's CSAF and VEX documents, one per flaw, read into the shape of its monthly CVRF documents.

Source  https://msrc.microsoft.com/csaf/advisories/YYYY/msrc_cve-YYYY-N.json, https://msrc.microsoft.com/csaf/vex/...
Schema  https://docs.oasis-open.org/csaf/csaf/v2.0/csaf-v2.0.html

A product is a branch of category `product_name`; below it stand the versions that have the flaw (`<10.0.22621.5039`)
and the one that has not. A vendor fix says "build:kind:address" or names the update in its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sentrikat.feeds import fields

_DEEPEST = 20
_KB = re.compile(r"(?:[?&]q=KB|/help/)(\d{6,8})\b", re.IGNORECASE)
_KINDS = {"vendor_fix": 2, "none_available": 3, "no_fix_planned": 4}


def is_csaf(document: object) -> bool:
    """Say whether a JSON document is CSAF."""
    return isinstance(document, dict) and "document" in document and "product_tree" in document


def as_months(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the document in the shape of a month's."""
    about = fields.child(document, "document")
    tracking = fields.child(about, "tracking")
    titles = dict(_titles(fields.objects(fields.child(document, "product_tree"), "branches"), "", 0))
    return {
        "DocumentTracking": {
            "Identification": {"ID": {"Value": fields.text(tracking, "id")}},
            "InitialReleaseDate": fields.optional(tracking, "initial_release_date"),
            "CurrentReleaseDate": fields.optional(tracking, "current_release_date"),
        },
        "ProductTree": {
            "FullProductName": [{"ProductID": number, "Value": title} for number, title in titles.items()]
        },
        "Vulnerability": [
            _vulnerability(one, about, tracking) for one in fields.objects(document, "vulnerabilities")
        ],
    }


def _titles(branches: list[Mapping[str, Any]], title: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield every product id with the title of the product it is a version of."""
    if depth > _DEEPEST:
        raise ValueError(f"its product tree is more than {_DEEPEST} levels deep")
    for branch in branches:
        named = title
        if branch.get("category") == "product_name":
            named = fields.text(branch, "name")
        if product := fields.child(branch, "product"):
            yield fields.text(product, "product_id"), named or fields.text(product, "name")
        yield from _titles(fields.objects(branch, "branches"), named, depth + 1)


def _vulnerability(
    record: Mapping[str, Any], about: Mapping[str, Any], tracking: Mapping[str, Any]
) -> dict[str, Any]:
    status = fields.child(record, "product_status")
    dates = (
        fields.optional(tracking, "initial_release_date"),
        fields.optional(tracking, "current_release_date"),
    )
    return {
        "CVE": fields.text(record, "cve"),
        "Title": {"Value": fields.optional(record, "title") or fields.optional(about, "title")},
        "Notes": [
            {"Type": 2, "Value": fields.prose(one, "text")}
            for one in fields.objects(record, "notes")
            if one.get("category") == "description"
        ],
        "CWE": [{"ID": fields.optional(fields.child(record, "cwe"), "id")}],
        "ProductStatuses": [
            {"Type": 3, "ProductID": list(fields.texts(status, "known_affected"))},
            {"Type": 4, "ProductID": list(fields.texts(status, "known_not_affected"))},
        ],
        "CVSSScoreSets": [
            {"Vector": fields.optional(fields.child(one, "cvss_v3"), "vectorString")}
            for one in fields.objects(record, "scores")
        ],
        "Remediations": [_remediation(one) for one in fields.objects(record, "remediations")],
        "RevisionHistory": [{"Date": one} for one in dates if one],
    }


def _remediation(record: Mapping[str, Any]) -> dict[str, Any]:
    details = fields.prose(record, "details") or ""
    build, _, rest = details.partition(":")
    update = _KB.search(f"{fields.optional(record, 'url') or ''} {details}")
    return {
        "Type": _KINDS.get(fields.optional(record, "category") or "", 99),
        "Description": {"Value": update[1] if update else None},
        "ProductID": list(fields.texts(record, "product_ids")),
        "SubType": rest.partition(":")[0].strip()[:100] or None,
        "FixedBuild": build.strip()[:100] or None,
    }
