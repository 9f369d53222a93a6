"""Microsoft's monthly CVRF document in its XML form, read into the shape of its JSON form.

Source  https://api.msrc.microsoft.com/cvrf/v3.0/cvrf/YYYY-Mon without an Accept header
Schema  http://docs.oasis-open.org/csaf/csaf-cvrf/v1.2/csaf-cvrf-v1.2.html

A document type declaration is refused before anything in it is read: entities that multiply live there, and no CVRF
document has one.
"""

from __future__ import annotations

from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from sentrikat.feeds.adapter import unfamiliar

_STATUSES = {"Known Affected": 3, "Known Not Affected": 4}
_REMEDIATIONS = {
    "Workaround": 0,
    "Mitigation": 1,
    "Vendor Fix": 2,
    "None Available": 3,
    "Will Not Fix": 4,
    "Known Issue": 5,
    "Release Notes": 6,
}
_NOTES = {"Description": 2}
_OTHER = 99
_BLOCK = 1 << 16
_DEEPEST = 50  # levels; real documents have nine


_FIELDS = frozenset(
    {
        "Acknowledgments",
        "CVE",
        "CVSSScoreSets",
        "CWE",
        "DiscoveryDate",
        "ID",
        "Involvements",
        "Notes",
        "ProductStatuses",
        "References",
        "ReleaseDate",
        "Remediations",
        "RevisionHistory",
        "Threats",
        "Title",
    }
)


class _Tree(TreeBuilder):
    """Builds the tree; refuses a document type and endless nesting."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        """Refuse it."""
        raise ValueError("it declares a document type, which no CVRF document does")

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        """Open an element, not too deep."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        return super().start(tag, attrs)

    def end(self, tag: str) -> Element:
        """Close an element."""
        self._depth -= 1
        return super().end(tag)


def read(stream: BinaryIO) -> dict[str, Any]:
    """Read a document into the JSON form's shape: the parts the adapter looks at."""
    parser = XMLParser(target=_Tree())  # noqa: S314 - _Tree refuses what entities are declared in
    try:
        while block := stream.read(_BLOCK):
            parser.feed(block)
        root = parser.close()
    except ParseError as trouble:
        raise ValueError(f"it is not well-formed XML: {trouble}") from trouble
    if _name(root) != "cvrfdoc":
        raise ValueError(f"its root is {_name(root)!r}, not cvrfdoc")
    tracking = _first(root, "DocumentTracking")
    tree = _first(root, "ProductTree")
    return {
        "DocumentTracking": {
            "Identification": {"ID": {"Value": _text(_first(_first(tracking, "Identification"), "ID"))}},
            "InitialReleaseDate": _text(_first(tracking, "InitialReleaseDate")),
            "CurrentReleaseDate": _text(_first(tracking, "CurrentReleaseDate")),
        },
        "ProductTree": {
            "FullProductName": [
                {"ProductID": one.get("ProductID"), "Value": _text(one)}
                for one in (tree.iter() if tree is not None else ())
                if _name(one) == "FullProductName"
            ]
        },
        "Vulnerability": [_vulnerability(one) for one in root if _name(one) == "Vulnerability"],
    }


def _vulnerability(element: Element) -> dict[str, Any]:
    for name in {_name(one) for one in element} - _FIELDS:
        unfamiliar(f"Vulnerability.{name}")
    return {
        "CVE": _text(_first(element, "CVE")),
        "Title": {"Value": _text(_first(element, "Title"))},
        "Notes": [
            {"Type": _NOTES.get(one.get("Type", ""), _OTHER), "Value": _text(one)}
            for one in _inside(element, "Notes", "Note")
        ],
        "CWE": [{"ID": one.get("ID")} for one in element if _name(one) == "CWE"],
        "ProductStatuses": [
            {"Type": _STATUSES.get(one.get("Type", ""), _OTHER), "ProductID": _texts(one, "ProductID")}
            for one in _inside(element, "ProductStatuses", "Status")
        ],
        "CVSSScoreSets": [
            {"Vector": _text(_first(one, "Vector"))} for one in _inside(element, "CVSSScoreSets", "ScoreSet")
        ],
        "Remediations": [_remediation(one) for one in _inside(element, "Remediations", "Remediation")],
        "RevisionHistory": [
            {"Date": _text(_first(one, "Date"))} for one in _inside(element, "RevisionHistory", "Revision")
        ],
    }


def _remediation(element: Element) -> dict[str, Any]:
    return {
        "Type": _REMEDIATIONS.get(element.get("Type", ""), _OTHER),
        "Description": {"Value": _text(_first(element, "Description"))},
        "ProductID": _texts(element, "ProductID"),
        "Supercedence": _text(_first(element, "Supercedence")),
        "SubType": _text(_first(element, "SubType")),
        "FixedBuild": _text(_first(element, "FixedBuild")),
    }


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _first(element: Element | None, name: str) -> Element | None:
    if element is None:
        return None
    return next((one for one in element if _name(one) == name), None)


def _inside(element: Element, group: str, name: str) -> list[Element]:
    return [one for one in _first(element, group) or () if _name(one) == name]


def _text(element: Element | None) -> str | None:
    return element.text if element is not None else None


def _texts(element: Element, name: str) -> list[str | None]:
    return [one.text for one in element if _name(one) == name]
