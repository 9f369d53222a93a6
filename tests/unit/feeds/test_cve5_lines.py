"""A product that is repaired in several lines of releases, each said to hold for everything before it."""

from __future__ import annotations

import pytest

from sentrikat.domain.ranges import contains
from sentrikat.feeds import vulnrichment
from tests.unit.feeds.samples import advisories, as_document


def affected(version: str, *ends: str, product: str = "macOS") -> bool:
    record = {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {"cveId": "CVE-2031-0001", "state": "PUBLISHED"},
        "containers": {
            "cna": {
                "affected": [
                    {
                        "vendor": "Apple",
                        "product": product,
                        "versions": [
                            {
                                "version": "unspecified",
                                "lessThan": end,
                                "status": "affected",
                                "versionType": "custom",
                            }
                        ],
                    }
                    for end in ends
                ]
            }
        },
    }
    (found,) = advisories(vulnrichment.parse, as_document(record))
    return any(contains(one.versions, version) for one in found.statements)


@pytest.mark.parametrize(
    ("version", "inside"),
    [
        ("14.0", True),
        ("14.1", False),
        ("13.6", True),
        ("13.6.1", False),  # repaired in its own line, though 14.1 is later
        ("13.7", False),
        ("12.7", True),
        ("12.7.1", False),
        ("11.0", True),  # before the first line nothing is repaired
    ],
)
def test_each_line_has_its_own_repair(version: str, inside: bool) -> None:
    assert affected(version, "14.1", "13.6.1", "12.7.1") is inside


def test_a_line_nobody_repaired_stays_affected() -> None:
    assert affected("13.5", "14.1", "12.7.1")


def test_one_repair_holds_for_everything_before_it() -> None:
    assert affected("11.0", "14.1")


def test_two_repairs_of_one_line_leave_nothing_out() -> None:
    assert affected("14.0", "14.1", "14.2")
    assert affected("13.0", "14.1", "14.2")
