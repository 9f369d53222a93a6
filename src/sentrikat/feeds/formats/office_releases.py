"""Office by Click to Run: which build of which channel repairs what. The MSRC's records give an address in its place.

Source  https://aka.ms/OfficeSecurityReleases, which leads to
        https://learn.microsoft.com/officeupdates/microsoft365-apps-security-updates; the page saved as HTML, or its Markdown
Schema  by observation. A day ("January 14, 2025"), then a line for every channel, "Current Channel: Version 2412 (Build
        18324.20194)", then the flaws repaired that day, by program

All channels share one row of builds: a branch (18324) for each version, which gets repairs of its own (20194) for as long
as a channel is on it. So a build is repaired if its branch was named with a lower number than its own, or if its branch is
later than every one named. A branch between two that were named gets no repairs any more.

Only Office 2019 by volume license has another row: its branch itself moves with every repair.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from sentrikat.domain.advisory import Advisory, Product, Remedy, Statement, Status
from sentrikat.domain.matching.microsoft_programs import CLICK_TO_RUN, OFFICE_2019_VOLUME
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import Document
from sentrikat.feeds.formats.microsoft import ECOSYSTEM
from sentrikat.feeds.unpacking import unpacked

_LARGEST = 32 << 20  # the page has some 2 MB
_BEGINNINGS = (b"<!doctype html", b"<html", b"---", b"#")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAY = re.compile(rf"({'|'.join(_MONTHS)}) (\d{{1,2}}), (20\d\d)")
_BUILD = re.compile(r"([^:]{3,100}): Version \d{4} \(Build (\d{4,5})\.(\d{4,6})\)")
_UNSEEN = re.compile(r"<(script|style)\b", re.IGNORECASE)
_LINE_TAG = re.compile(r"</?(?:p|div|li|ul|ol|br|h\d|tr|td|section|main)\b[^<>]{0,1000}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,1000}>")
_CVE = re.compile(r"CVE-\d{4}-\d{4,19}")


@dataclass(slots=True)
class _Release:
    """What was released on a day."""

    day: date
    branches: dict[int, int] = field(default_factory=dict)  # branch -> the number that repairs
    volume_2019: tuple[int, int] | None = None
    flaws: dict[str, None] = field(default_factory=dict)


def is_page(document: Document) -> bool:
    """Say whether a document is a page, as HTML or Markdown, rather than data."""
    with unpacked(document) as plain:
        start = plain.peek(512)[:512]  # type: ignore[attr-defined]
    return bool(start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_BEGINNINGS))


def advisories(document: Document, source: str) -> Iterator[Advisory]:
    """Yield one Advisory for every flaw of every day; ValueError for a page without any."""
    with unpacked(document, _LARGEST) as plain:
        page = plain.read().decode("utf-8-sig")
    count = 0
    for release in _releases(page):
        statements = tuple(_statements(release))
        if release.flaws and not statements:
            raise ValueError(f"it names flaws of {release.day:%d %B %Y} without a single build")
        for flaw in release.flaws:
            count += 1
            yield Advisory(
                source=source,
                id=f"office/{release.day}/{flaw}",
                vulnerabilities=(flaw,),
                statements=fields.unique(statements),
                references=("https://aka.ms/OfficeSecurityReleases",),
            )
    if not count:
        raise ValueError("it names no flaw that a build of Office repairs")


def _releases(page: str) -> Iterator[_Release]:
    release: _Release | None = None
    text = _TAG.sub("", _LINE_TAG.sub("\n", _seen(page)))
    for raw in html.unescape(text).splitlines():
        line = " ".join(raw.strip("#*- \t").split())
        if match := _DAY.fullmatch(line):
            if release is not None:
                yield release
            release = _Release(date(int(match[3]), _MONTHS.index(match[1]) + 1, int(match[2])))
        elif release is not None:
            for build in _BUILD.finditer(line):
                _take(release, build[1].strip("* "), int(build[2]), int(build[3]))
            release.flaws.update(dict.fromkeys(_CVE.findall(line)))
    if release is not None:
        yield release


def _seen(page: str) -> str:
    """Leave out scripts and styles; one that does not end takes the rest with it."""
    parts: list[str] = []
    place = 0
    while match := _UNSEEN.search(page, place):
        parts.append(page[place : match.start()])
        end = page.find(f"</{match[1]}", match.end())
        if end < 0:
            return "\n".join(parts)
        place = end
    return "\n".join([*parts, page[place:]])


def _take(release: _Release, channel: str, branch: int, number: int) -> None:
    if channel.lower().startswith("office 2019 volume"):
        release.volume_2019 = (branch, number)
    else:
        # Two channels on one branch get the same build; if not, the first that has the repair is the bound.
        release.branches[branch] = min(number, release.branches.get(branch, number))


def _statements(release: _Release) -> Iterator[Statement]:
    first: str | None = None
    for branch, number in sorted(release.branches.items()):
        yield _statement(CLICK_TO_RUN, VersionRange(Scheme.WINDOWS, first, f"16.0.{branch}.{number}"))
        first = f"16.0.{branch + 1}.0"
    if release.volume_2019 is not None:
        branch, number = release.volume_2019
        yield _statement(OFFICE_2019_VOLUME, VersionRange(Scheme.WINDOWS, fixed=f"16.0.{branch}.{number}"))


def _statement(title: str, versions: VersionRange) -> Statement:
    return Statement(
        Product(ECOSYSTEM, title), Status.AFFECTED, versions, described=True, remedy=Remedy.FIXED
    )
