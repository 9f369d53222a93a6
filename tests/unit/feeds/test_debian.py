"""Debian's tracker: a row of it as a statement about a source package of a release."""

from __future__ import annotations

from typing import Any

import pytest

from sentrikat.domain.advisory import Product, Remedy, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import debian
from sentrikat.feeds.adapter import Quarantined
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import advisories, as_document, sample

EVERYTHING = VersionRange(Scheme.DPKG)


def tracker(release: dict[str, Any], codename: str = "bookworm") -> Any:
    return {"openssl": {"CVE-2024-0727": {"description": "A flaw.", "releases": {codename: release}}}}


def test_the_recorded_tracker_is_read_whole() -> None:
    found = advisories(debian.parse, document(sample("debian/tracker.json"), debian.URL))

    assert len({one.id for one in found}) == len(found)
    assert {one.statements[0].product.ecosystem for one in found} <= {"debian:11", "debian:12", "debian:13"}


@pytest.mark.parametrize(
    ("release", "status", "versions", "remedy"),
    [
        # repaired
        (
            {"status": "resolved", "fixed_version": "3.0.13-1~deb12u1", "urgency": "not yet assigned"},
            Status.AFFECTED,
            VersionRange(Scheme.DPKG, fixed="3.0.13-1~deb12u1"),
            Remedy.FIXED,
        ),
        # "0" is the tracker's way to write "never had it"
        ({"status": "resolved", "fixed_version": "0"}, Status.UNAFFECTED, EVERYTHING, Remedy.NOT_AFFECTED),
        ({"status": "open", "urgency": "low"}, Status.AFFECTED, EVERYTHING, Remedy.OPEN),
        ({"status": "open", "urgency": "end-of-life"}, Status.AFFECTED, EVERYTHING, Remedy.END_OF_LIFE),
        ({"status": "open", "urgency": "unimportant"}, Status.AFFECTED, EVERYTHING, Remedy.DEFERRED),
        # no advisory of its own: with the next point release, or never
        ({"status": "open", "nodsa": "Minor issue"}, Status.AFFECTED, EVERYTHING, Remedy.DEFERRED),
        (
            {"status": "open", "nodsa": "Minor issue", "nodsa_reason": "postponed"},
            Status.AFFECTED,
            EVERYTHING,
            Remedy.DEFERRED,
        ),
        (
            {"status": "open", "nodsa": "Too intrusive to backport", "nodsa_reason": "ignored"},
            Status.AFFECTED,
            EVERYTHING,
            Remedy.WILL_NOT_FIX,
        ),
        ({"status": "undetermined"}, Status.INVESTIGATING, EVERYTHING, None),
    ],
)
def test_a_row_says_who_is_affected_and_what_is_done(
    release: dict[str, Any], status: Status, versions: VersionRange, remedy: Remedy | None
) -> None:
    (found,) = advisories(debian.parse, as_document(tracker(release)))

    (statement,) = found.statements
    assert (statement.status, statement.versions, statement.remedy) == (status, versions, remedy)


@pytest.mark.parametrize(
    ("codename", "ecosystem"),
    [
        ("buster", "debian:10"),
        ("bullseye", "debian:11"),
        ("bookworm", "debian:12"),
        ("trixie", "debian:13"),
        ("forky", "debian:14"),
        ("sid", "debian:sid"),
    ],
)
def test_code_names_become_release_numbers(codename: str, ecosystem: str) -> None:
    (found,) = advisories(debian.parse, as_document(tracker({"status": "open"}, codename)))

    assert found.statements[0].product == Product(ecosystem, "openssl")


def test_a_release_nobody_knows_is_passed_over() -> None:
    (found,) = advisories(debian.parse, as_document(tracker({"status": "open"}, "experimental")))

    assert found.statements == ()


def test_a_flaw_without_a_cve_keeps_its_temporary_id() -> None:
    content = {"cups": {"TEMP-0000000-ABCDEF": {"releases": {"trixie": {"status": "open"}}}}}

    (found,) = advisories(debian.parse, as_document(content))

    assert (found.id, found.vulnerabilities) == ("TEMP-0000000-ABCDEF/cups", ("TEMP-0000000-ABCDEF",))


def test_a_row_with_an_unknown_status_is_set_aside() -> None:
    content = tracker({"status": "open"}) | {
        "curl": {"CVE-2024-1111": {"releases": {"sid": {"status": "?"}}}}
    }

    _, aside = list(debian.parse(as_document(content)))

    assert isinstance(aside, Quarantined)
    assert aside.id == "CVE-2024-1111/curl"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", sample("debian/tracker.json")[:20_000]])
def test_a_cut_or_empty_tracker_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(debian.parse(document(content, debian.URL)))
