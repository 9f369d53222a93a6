"""One OSV record as an Advisory: what it is about, and which versions it names."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Product, Statement
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds.formats.osv_record import advisory, spans_of_events
from tests.unit.feeds.samples import sample


def recorded(name: str) -> Any:
    return orjson.loads(sample(f"osv/{name}.json"))


def record(**changes: Any) -> Any:
    affected = [
        {
            "package": {"ecosystem": "PyPI", "name": "django"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "4.2"}]}],
        }
    ]
    return {"id": "GHSA-aaaa-bbbb-cccc", "modified": "2025-01-01T00:00:00Z", "affected": affected} | changes


def statements(*affected: dict[str, Any], **changes: Any) -> tuple[Statement, ...]:
    return advisory(record(affected=list(affected), **changes), "osv").statements


@pytest.mark.parametrize(
    ("changes", "vulnerabilities", "aliases"),
    [
        # the same flaw under several names: the CVE is what it is about
        (
            {"aliases": ["CVE-2021-25287", "PYSEC-2021-137"]},
            ("CVE-2021-25287",),
            ("CVE-2021-25287", "PYSEC-2021-137"),
        ),
        # no CVE yet: about itself
        ({"aliases": ["PYSEC-2021-137"]}, ("GHSA-aaaa-bbbb-cccc",), ("PYSEC-2021-137",)),
        # related is another flaw, never an alias
        ({"related": ["CVE-2021-1111"]}, ("GHSA-aaaa-bbbb-cccc",), ()),
        ({"id": "CVE-2024-1111", "aliases": ["GHSA-a"]}, ("CVE-2024-1111",), ("GHSA-a",)),
        ({"id": "MAL-2021-1"}, ("MAL-2021-1",), ()),
        # a distribution's update repairs many flaws, and is no name of any
        (
            {"id": "RHSA-2024:1", "related": ["CVE-2024-1111", "CVE-2024-2222"]},
            ("CVE-2024-1111", "CVE-2024-2222"),
            (),
        ),
        ({"id": "ALSA-2024:1", "related": ["CVE-2024-1111"]}, ("CVE-2024-1111",), ()),
        ({"id": "DSA-5555-1", "upstream": ["CVE-2024-1111"]}, ("CVE-2024-1111",), ()),
        ({"id": "USN-5555-1", "upstream": ["CVE-2024-1111"]}, ("CVE-2024-1111",), ()),
        ({"id": "SUSE-SU-2024:1-1", "related": ["CVE-2024-1111"]}, ("CVE-2024-1111",), ()),
        ({"id": "openSUSE-SU-2024:1-1", "related": ["CVE-2024-1111"]}, ("CVE-2024-1111",), ()),
        (
            {"id": "CGA-2x2p-w23q-pxh8", "related": ["CGA-2x2p-w23q-pxh8", "CVE-2023-45289", "GHSA-a"]},
            ("CVE-2023-45289",),
            (),
        ),
        # an update for no flaw that has a number
        ({"id": "ALBA-2024:1"}, ("ALBA-2024:1",), ()),
        # one flaw as a distribution files it
        (
            {"id": "UBUNTU-CVE-2024-1111", "upstream": ["CVE-2024-1111"], "related": ["USN-1-1"]},
            ("CVE-2024-1111",),
            ("CVE-2024-1111",),
        ),
        ({"id": "DEBIAN-CVE-2024-1111"}, ("CVE-2024-1111",), ("CVE-2024-1111",)),
        ({"id": "ALPINE-CVE-2024-1111"}, ("CVE-2024-1111",), ("CVE-2024-1111",)),
    ],
)
def test_an_advisory_is_about_flaws_and_only_a_name_of_the_same_flaw_is_an_alias(
    changes: dict[str, Any], vulnerabilities: tuple[str, ...], aliases: tuple[str, ...]
) -> None:
    found = advisory(record(**changes), "osv")

    assert (found.vulnerabilities, found.aliases) == (vulnerabilities, aliases)


@pytest.mark.parametrize(
    ("events", "spans"),
    [
        ([{"introduced": "0"}, {"fixed": "2"}], [(None, "2", None)]),  # "0" is before every version
        ([{"introduced": "1"}, {"last_affected": "2"}], [("1", None, "2")]),
        ([{"introduced": "1"}], [("1", None, None)]),  # still affected
        (
            [{"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2"}, {"fixed": "2.5"}],
            [(None, "1.5", None), ("2", "2.5", None)],
        ),
        # in any order
        (
            [{"introduced": "2"}, {"introduced": "0"}, {"fixed": "2.5"}, {"fixed": "1.5"}],
            [(None, "1.5", None), ("2", "2.5", None)],
        ),
        ([{"fixed": "2"}, {"introduced": "0"}], [(None, "2", None)]),
        # affected again in the release that ended the first span
        (
            [{"introduced": "1"}, {"fixed": "2"}, {"introduced": "2"}, {"fixed": "3"}],
            [("1", "2", None), ("2", "3", None)],
        ),
        ([{"introduced": "1"}, {"introduced": "1.2"}, {"fixed": "2"}], [("1", "2", None)]),
        # a limit is an end; "*" is none
        ([{"introduced": "1"}, {"limit": "3"}], [("1", "3", None)]),
        ([{"introduced": "1"}, {"limit": "*"}], [("1", None, None)]),
        ([{"introduced": "1", "fixed": "2"}], [("1", "2", None)]),  # old records: both in one event
        ([{"fixed": "2"}], []),  # nothing was ever introduced
        ([], []),
    ],
)
def test_events_become_spans(
    events: list[dict[str, str]], spans: list[tuple[str | None, str | None, str | None]]
) -> None:
    found = [(one.introduced, one.fixed, one.last_affected) for one in spans_of_events(events, Scheme.PEP440)]

    assert found == spans


def test_explicit_versions_count_where_there_is_no_range() -> None:
    found = statements({"package": {"ecosystem": "PyPI", "name": "django"}, "versions": ["1.0", "1.1"]})

    assert [one.versions for one in found] == [
        VersionRange(Scheme.PEP440, "1.0", last_affected="1.0"),
        VersionRange(Scheme.PEP440, "1.1", last_affected="1.1"),
    ]


def test_explicit_versions_add_nothing_to_a_range() -> None:
    (found,) = advisory(recorded("GHSA-77gc-v2xv-rvvh"), "osv").statements

    assert found.product == Product("pypi", "pillow")
    assert found.versions == VersionRange(Scheme.PEP440, "2.4.0", fixed="8.2.0")


@pytest.mark.parametrize(
    "affected",
    [
        {"ranges": [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}]},  # no package
        {"package": {}, "ranges": []},
        {"package": {"ecosystem": "SwiftURL", "name": "x"}, "versions": ["1"]},  # no inventory can hold it
    ],
)
def test_what_says_nothing_of_installed_versions_makes_no_statement(affected: dict[str, Any]) -> None:
    assert statements(affected) == ()


@pytest.mark.parametrize(
    ("identifier", "related", "speaks"),
    [
        ("RHBA-2024:1", [], False),  # repairs bugs, and names no flaw
        ("RHBA-2024:1", ["CVE-2024-1111"], True),  # repairs a flaw all the same
        ("RLEA-2024:1", [], False),
        ("SUSE-RU-2024:1-1", [], False),
        ("RHSA-2024:1", [], True),  # of security, whatever it is called
        ("MAL-2024-1", [], True),
    ],
)
def test_an_update_that_repairs_no_flaw_says_nothing_of_flaws(
    identifier: str, related: list[str], speaks: bool
) -> None:
    assert bool(advisory(record(id=identifier, related=related), "osv").statements) is speaks


@pytest.mark.parametrize(
    "affected",
    [
        {},
        {"ranges": [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}]},
        {"ranges": [], "versions": []},
    ],
)
def test_a_package_without_versions_is_affected_in_versions_nobody_described(
    affected: dict[str, Any],
) -> None:
    (found,) = statements({"package": {"ecosystem": "npm", "name": "left-pad"}, **affected})

    assert found.versions.unbounded
    assert not found.described


@pytest.mark.parametrize(
    ("title", "fixed", "modules"),
    [
        ("Important: httpd:2.4/mod_http2 security update", "0:1.15.7-8.module+el8.9.0+1+ab", {"httpd:2.4"}),
        ("Moderate: 389-ds:1.4 security update", "0:1.4.3.16-16.module+el8.4.0+596+159889e5", {"389-ds:1.4"}),
        ("Important: nodejs:16 security update", "1:16.20.2-4.module+el9.3.0+19518+63aad52d", {"nodejs:16"}),
        ("Red Hat Security Advisory: nodejs:18 security update", "1-1.module+el8.8+1+ab", {"nodejs:18"}),
        (
            "Important: virt:rhel and virt-devel:rhel security update",
            "1-1.module_el8.6.0+2880+7d9e3703",
            {"virt:rhel", "virt-devel:rhel"},
        ),
        ("Moderate: container-tools:4.0 security, bug fix", "1-1.module+el8", {"container-tools:4.0"}),
        ("Moderate: cups security update", "1:2.4.10-18.el10_2", {None}),  # not a modular build
        ("Moderate: something else", "1-1.module+el8", {None}),  # modular, and nobody says which
    ],
)
def test_a_modular_build_belongs_to_the_modules_its_advisory_is_titled_with(
    title: str, fixed: str, modules: set[str | None]
) -> None:
    entry = {
        "package": {"ecosystem": "AlmaLinux:8", "name": "npm"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
    }

    assert {one.module for one in statements(entry, summary=title)} == modules


def test_the_epoch_of_an_rpm_version_is_kept() -> None:
    found = advisory(recorded("ALSA-2026_39302"), "osv")

    assert {one.versions.fixed for one in found.statements} == {"1:2.4.10-18.el10_2"}
    assert found.vulnerabilities == ("CVE-2026-34980",)


def test_a_package_that_many_repositories_carry_makes_one_statement() -> None:
    entries = [
        {
            "package": {"ecosystem": f"Red Hat:enterprise_linux:7::{variant}", "name": "openssl"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.0.2k-26.el7_9"}]}
            ],
        }
        for variant in ("server", "client", "workstation")
    ]

    assert len(statements(*entries)) == 1


def test_severity_is_a_score_where_there_is_a_vector_and_a_note_where_there_is_only_a_word() -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    scored = advisory(record(severity=[{"type": "CVSS_V3", "score": vector}]), "osv")
    worded = advisory(record(database_specific={"severity": "MODERATE"}), "osv")

    (score,) = scored.scores
    assert (score.version, score.score, score.severity, score.provider) == ("3.1", 9.8, "critical", "GitHub")
    assert worded.statements[0].note == "severity: moderate"


def test_the_year_one_is_no_date() -> None:
    found = advisory(recorded("GO-2022-0882"), "osv")

    assert (found.published, found.modified) == (None, None)


def test_a_withdrawn_record_says_so() -> None:
    assert advisory(recorded("GO-2022-0617"), "osv").withdrawn is not None


def test_a_repair_that_needs_a_subscription_is_noted() -> None:
    (found,) = statements(
        {
            "package": {"ecosystem": "Ubuntu:Pro:18.04:LTS", "name": "openssl"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.1.1-1ubuntu2.1~18.04.23+esm4"}],
                }
            ],
        }
    )

    assert (found.product, found.note) == (Product("ubuntu:18.04", "openssl"), "esm")


def test_a_module_of_every_service_pack_speaks_of_each() -> None:
    found = statements(
        {
            "package": {"ecosystem": "SUSE:Linux Enterprise Module for Containers 12", "name": "anvil"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2-3.1"}]}],
        }
    )

    assert [one.product.ecosystem for one in found] == ["sles:12"] + [
        f"sles:12.{pack}" for pack in range(1, 6)
    ]
