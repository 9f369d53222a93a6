"""The versions of CVE JSON 5 records: fields, words, and what is left when everything else is good."""

from __future__ import annotations

from typing import Any

import pytest

from sentrikat.domain.advisory import Status
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds.formats.cve5_versions import spans

BAD, GOOD = Status.AFFECTED, Status.UNAFFECTED


def span(introduced: str | None = None, fixed: str | None = None, last: str | None = None) -> VersionRange:
    return VersionRange(Scheme.GENERIC, introduced, fixed, last)


def read(*versions: dict[str, Any], default: str | None = None) -> list[tuple[Status, VersionRange]]:
    entry: dict[str, Any] = {"versions": list(versions)}
    if default:
        entry["defaultStatus"] = default
    found = spans(entry, Scheme.GENERIC)
    assert all(one.described for one in found)
    return [(one.status, one.versions) for one in found]


@pytest.mark.parametrize(
    ("version", "meant"),
    [
        ({"version": "2.4"}, span("2.4", last="2.4")),  # one version
        ({"version": "2.4", "lessThan": "2.4.54"}, span("2.4", "2.4.54")),
        ({"version": "2.4", "lessThanOrEqual": "2.4.54"}, span("2.4", last="2.4.54")),
        ({"version": "0", "lessThan": "2"}, span(None, "2")),  # "0" is before every version
        ({"version": "unspecified", "lessThan": "2"}, span(None, "2")),
        ({"version": "*", "lessThanOrEqual": "2"}, span(None, last="2")),
        ({"version": "2", "lessThan": "*"}, span("2")),  # still affected
        ({"version": "0", "lessThanOrEqual": "*"}, span()),
        ({"version": "2.4", "lessThanOrEqual": "2.4.*"}, span("2.4", "2.5")),  # a whole line of releases
        ({"version": "2.9", "lessThanOrEqual": "2.9.*"}, span("2.9", "2.10")),
        ({"version": "v2.4", "lessThan": "v2.5"}, span("2.4", "2.5")),
    ],
)
def test_the_fields_of_a_version_make_a_span(version: dict[str, str], meant: VersionRange) -> None:
    assert read({"status": "affected", **version}) == [(BAD, meant)]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (">= 23.6.0, < 23.6.2", VersionRange(Scheme.GENERIC, "23.6.0", "23.6.2")),  # GitHub writes so
        ("< 1.5.0", span(None, "1.5.0")),
        ("<24.13", span(None, "24.13")),
        ("<= 3.0.19", span(None, last="3.0.19")),
        ("affects <= 3.0.19", span(None, last="3.0.19")),
        ("All versions < V8.4", span(None, "8.4")),  # Siemens
        ("> 1.0, <= 2.0", VersionRange(Scheme.GENERIC, "1.0", None, "2.0", introduced_excluded=True)),
        ("= 1.2.3", span("1.2.3", last="1.2.3")),
        ("5.6.41 and prior", span(None, last="5.6.41")),  # Oracle
        ("7.2.26 and earlier", span(None, last="7.2.26")),
        ("ver.1.2.0.424 and earlier", span(None, last="1.2.0.424")),
        ("5.6.0 and below versions", span(None, last="5.6.0")),  # Fortinet
        ("prior to 2.3.1", span(None, "2.3.1")),
        ("before 2.3.1", span(None, "2.3.1")),
        ("versions before 2.3.1", span(None, "2.3.1")),
        ("8.5.0 to 8.5.6", span("8.5.0", last="8.5.6")),
        ("8.5.0 - 8.5.6", span("8.5.0", last="8.5.6")),
        ("8.5.0 through 8.5.6", span("8.5.0", last="8.5.6")),
        ("version 1.0.0", span("1.0.0", last="1.0.0")),
        ("3.2.x", span("3.2", "3.3")),
        ("*", span()),
        ("All versions", span()),
    ],
)
def test_words_with_one_meaning_are_read(words: str, meant: VersionRange) -> None:
    assert read({"status": "affected", "version": words}) == [(BAD, meant)]


@pytest.mark.parametrize(
    "words",
    [
        "n/a",
        "unspecified",
        "SD 835",  # a chip, not a version
        "Windows XP SP2",
        "5.0.0 -> 5.2.9, 5.3.0 -> 5.3.8",
        "Earlier, unsupported versions may also be affected.",
        'The first 5 digits of serial No. "26061" and prior',
        "< 2.0, < 3.0",  # two ends
        ">= 1.0, >= 2.0",
    ],
)
def test_other_words_stay_undescribed_and_are_never_guessed(words: str) -> None:
    (found,) = spans({"versions": [{"status": "affected", "version": words}]}, Scheme.GENERIC)

    assert not found.described
    assert found.versions.unbounded


def test_an_end_in_words_is_never_taken_for_no_end() -> None:
    """Microsoft writes "publication" for a repair that had no number yet."""
    version = {"status": "affected", "version": "10.0.0", "lessThan": "publication"}

    (found,) = spans({"versions": [version]}, Scheme.GENERIC)

    assert not found.described


def test_a_readable_span_is_worth_more_than_the_words_beside_it() -> None:
    found = read(
        {"status": "affected", "version": "see the advisory"}, {"status": "affected", "version": "1.0"}
    )

    assert found == [(BAD, span("1.0", last="1.0"))]


def test_changes_cut_a_span() -> None:
    version = {
        "status": "affected",
        "version": "9.0",
        "lessThan": "9.9",
        "changes": [{"at": "9.4", "status": "affected"}, {"at": "9.2.7", "status": "unaffected"}],
    }

    assert read(version) == [
        (BAD, span("9.0", "9.2.7")),
        (GOOD, span("9.2.7", "9.4")),
        (BAD, span("9.4", "9.9")),
    ]


def test_a_change_at_the_end_of_a_span_changes_nothing() -> None:
    version = {
        "status": "affected",
        "version": "0",
        "lessThan": "8.8.5-02",
        "changes": [{"at": "8.8.5-02", "status": "unaffected"}],
    }

    assert read(version) == [(BAD, span(None, "8.8.5-02"))]


def test_everything_is_affected_but_what_is_said_to_be_good() -> None:
    """The Linux kernel's way: affected since 2.6.19, repaired in each stable line."""
    found = read(
        {"status": "affected", "version": "2.6.19"},
        {"status": "unaffected", "version": "0", "lessThan": "2.6.19"},
        {"status": "unaffected", "version": "4.4.177", "lessThanOrEqual": "4.4.*"},
        {"status": "unaffected", "version": "3.16.66", "lessThanOrEqual": "3.16.*"},
        {"status": "unaffected", "version": "5.0", "lessThanOrEqual": "*"},
        default="affected",
    )

    assert found == [
        (BAD, span("2.6.19", "3.16.66")),
        (BAD, span("3.17", "4.4.177")),
        (BAD, span("4.5", "5.0")),
    ]


def test_commits_say_nothing_of_versions() -> None:
    version = {"status": "affected", "version": "1da177e4c3f4", "lessThan": "abc", "versionType": "git"}

    assert spans({"versions": [version], "defaultStatus": "unaffected"}, Scheme.GENERIC) == []


@pytest.mark.parametrize(
    ("default", "status", "described"),
    [("affected", BAD, True), ("unaffected", GOOD, True), ("unknown", BAD, False), (None, BAD, False)],
)
def test_without_versions_the_default_speaks(default: str | None, status: Status, described: bool) -> None:
    entry = {"defaultStatus": default} if default else {}

    (found,) = spans(entry, Scheme.GENERIC)

    assert (found.status, found.versions, found.described) == (status, span(), described)
