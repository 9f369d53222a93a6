"""Office by Click to Run: the builds of every channel that repair a flaw."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Advisory, Statement
from sentrikat.domain.errors import FeedFormatError
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.microsoft_programs import microsoft_programs
from sentrikat.domain.ranges import contains
from sentrikat.feeds import msrc
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import advisories, sample

PAGE = sample("msrc/office-releases.html")
# The same day in the Markdown the page is written in.
MARKDOWN = b"""---
title: Release notes for Microsoft Office security updates
---
## February 11, 2031
**Current Channel: Version 3101 (Build 28429.20144)**
Monthly Enterprise Channel: Version 3012 (Build 28324.20238)
### Excel
- [CVE-2031-2101](https://msrc.microsoft.com/update-guide/vulnerability/CVE-2031-2101)
"""


def said(content: bytes) -> dict[str, Advisory]:
    return {one.vulnerabilities[0]: one for one in advisories(msrc.parse, document(content))}


def affected(statements: tuple[Statement, ...], title: str, version: str) -> bool:
    (found,) = microsoft_programs(
        Component("windows", "windows", title, version, vendor="Microsoft Corporation")
    )
    return any(one.product == found[0] and contains(one.versions, found[1]) for one in statements)


M365, VOLUME_2019 = (
    "Microsoft 365 Apps for enterprise - en-us",
    "Microsoft Office Professional Plus 2019 - de-de",
)


@pytest.mark.parametrize(
    ("title", "version", "is_affected"),
    [
        (M365, "16.0.28429.20136", True),  # Current Channel, the build before
        (M365, "16.0.28429.20144", False),
        (M365, "16.0.28430.20100", False),  # a later branch was made with the repair
        (M365, "16.0.28324.20194", True),  # higher branch than the half-year's, and behind on its own
        (M365, "16.0.28324.20238", False),
        (M365, "16.0.28227.20266", False),
        (M365, "16.0.28300.20200", True),  # a branch of no channel any more
        (M365, "16.0.27928.20440", False),  # the half-year channel is repaired on an old branch
        (M365, "16.0.27928.20412", True),
        (M365, "16.0.16731.21052", True),  # a half-year that has ended
        ("Microsoft 365 - fr-fr", "16.0.28429.20144", False),
        ("Microsoft Office LTSC Professional Plus 2024 - en-us", "16.0.27932.20252", False),
        ("Microsoft Office LTSC Standard 2024 - sr-latn-rs", "16.0.27932.20230", True),
        (VOLUME_2019, "16.0.10416.20047", True),
        (VOLUME_2019, "16.0.10416.20058", False),
        (VOLUME_2019, "16.0.10417.20012", False),  # its branch moves with the repairs
        (
            "Microsoft Office Home and Business 2019 - en-us",
            "16.0.28324.20194",
            True,
        ),  # retail: as the current channel
    ],
)
def test_a_build_is_judged_on_its_own_branch(title: str, version: str, is_affected: bool) -> None:
    assert affected(said(PAGE)["CVE-2031-2101"].statements, title, version) is is_affected


def test_each_day_has_its_flaws_and_its_builds() -> None:
    found = said(PAGE)

    assert set(found) == {"CVE-2031-2101", "CVE-2031-2102", "CVE-2031-2001"}
    assert found["CVE-2031-2001"].id == "office/2031-01-14/CVE-2031-2001"
    assert [one.versions.fixed for one in found["CVE-2031-2001"].statements] == [
        "16.0.28324.20194",
        "16.0.10416.20047",
    ]


def test_markdown_says_the_same_as_the_page() -> None:
    (one,) = said(MARKDOWN).values()

    assert [one.versions.fixed for one in one.statements] == ["16.0.28324.20238", "16.0.28429.20144"]


@pytest.mark.parametrize(
    ("title", "version"),
    [
        ("Microsoft Office Professional Plus 2016", "16.0.4266.1001"),  # by installer: another product
        ("Microsoft 365 Apps for enterprise - en-us", "15.0.5571.1000"),
        ("Office 16 Click-to-Run Extensibility Component", "16.0.28429.20144"),
        ("Microsoft Teams classic - en-us", "16.0.28429.20144"),
    ],
)
def test_what_is_not_office_by_click_to_run_is_not_named_so(title: str, version: str) -> None:
    found = microsoft_programs(
        Component("windows", "windows", title, version, vendor="Microsoft Corporation")
    )

    assert not [one for one, _ in found if "click-to-run" in one.name or "volume" in one.name]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>", "names no flaw"),
        (b"# Notes\n## January 14, 2031\n- CVE-2031-2001\n", "without a single build"),
        (PAGE.replace(b"2031</h2>", b"31</h2>"), "names no flaw"),
        (b"<html>\xff", "utf-8"),
    ],
)
def test_another_page_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(FeedFormatError, match=words):
        list(msrc.parse(document(content)))
