"""Ranges: the borders, and that SQL's byte bounds say the same as the rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.ranges import VersionRange, bounds, contains
from sentrikat.domain.versions import Scheme, key
from tests.unit.versions.made_versions import versions_of


@pytest.mark.parametrize(
    ("version", "inside"),
    [
        ("1.9", False),  # before it was introduced
        ("2.0", True),  # the introducing release is affected
        ("2.4", True),
        ("2.5", False),  # the fixed release is not
        ("3.0", False),
    ],
)
def test_introduced_is_inside_and_fixed_is_outside(version: str, inside: bool) -> None:
    affected = VersionRange(Scheme.SEMVER, introduced="2.0", fixed="2.5")

    assert contains(affected, version) is inside
    assert lies_within(affected, version) is inside


def test_the_last_affected_version_is_inside() -> None:
    affected = VersionRange(Scheme.GENERIC, last_affected="2.5")

    assert contains(affected, "2.5")
    assert contains(affected, "2.5.0")
    assert not contains(affected, "2.5.1")
    assert not lies_within(affected, "2.5.1")


def test_an_excluded_start_is_outside() -> None:
    affected = VersionRange(Scheme.GENERIC, introduced="2.0", introduced_excluded=True)

    assert not contains(affected, "2.0")
    assert not lies_within(affected, "2.0.0")
    assert contains(affected, "2.0.1")


def test_fixed_wins_over_last_affected() -> None:
    """A record may give both ends; the repaired release is the better evidence."""
    affected = VersionRange(Scheme.SEMVER, fixed="2.5", last_affected="2.6")

    assert not contains(affected, "2.6")
    assert not lies_within(affected, "2.6")


def test_a_single_version_is_its_own_range() -> None:
    affected = VersionRange(Scheme.PEP440, introduced="1.0", last_affected="1.0")

    assert contains(affected, "1.0.0")
    assert not contains(affected, "1.0.post1")
    assert not contains(affected, "1.0rc1")
    low, high = bounds(affected)
    assert (low, high) == (key(Scheme.PEP440, "1.0"), key(Scheme.PEP440, "1.0") + b"\x00")


def test_without_an_end_every_version_is_inside() -> None:
    affected = VersionRange(Scheme.DPKG)

    assert affected.unbounded
    assert contains(affected, "1:9.6p1-3")
    assert bounds(affected) == (b"", None)
    assert not VersionRange(Scheme.DPKG, fixed="1.0").unbounded


@pytest.mark.parametrize(
    ("scheme", "version", "fixed", "inside", "reason"),
    [
        (Scheme.DPKG, "1:9.6p1-3", "9.3", False, "openssh: an epoch is not a number in front"),
        (Scheme.DPKG, "2:4.17.12", "4.13", False, "samba"),
        (Scheme.DPKG, "3.0.2-0ubuntu1.2", "3.0.2-0ubuntu1.7", True, "openssl in Ubuntu 22.04"),
        (Scheme.SEMVER, "1.0.0-rc1", "1.0.0", True, "a candidate is older than its release"),
        (Scheme.RPM, "1.0~rc1", "1.0", True, "a tilde comes before the end"),
        (Scheme.APK, "1.2.3_rc1", "1.2.3", True, "so does _rc"),
        (Scheme.GENERIC, "1.0", "1.0.0", False, "the same version"),
    ],
)
def test_the_version_rows_of_the_hard_cases(
    scheme: Scheme, version: str, fixed: str, inside: bool, reason: str
) -> None:
    affected = VersionRange(scheme, fixed=fixed)

    assert contains(affected, version) is inside, reason
    assert lies_within(affected, version) is inside, reason


def test_an_upstream_range_holds_the_upstream_part_of_a_package() -> None:
    """With redis 5:7.0.5-1 against [7.0.0, 7.0.8): the generic rule leaves the epoch out."""
    affected = VersionRange(Scheme.GENERIC, introduced="7.0.0", fixed="7.0.8")

    assert contains(affected, "5:7.0.5-1")


@pytest.mark.parametrize(
    ("version", "inside"),
    [
        ("7.4.99", False),
        ("7.5.0-preview.1", True),
        ("7.5.0-rc.1", True),
        ("7.5-dev", True),  # the same version, written shorter
        ("7.5.0", True),
        ("7.5.0-p1", False),  # a patch came after it
        ("7.5.1-rc.1", False),  # the candidate of another version
    ],
)
def test_a_version_can_be_meant_with_its_pre_releases(version: str, inside: bool) -> None:
    affected = VersionRange(Scheme.GENERIC, introduced="7.5.0", last_affected="7.5.0", from_candidates=True)

    assert contains(affected, version) is inside
    assert lies_within(affected, version) is inside


@pytest.mark.parametrize("version", ["", "unknown", "*"])
def test_a_version_without_an_order_is_neither_inside_nor_outside(version: str) -> None:
    affected = VersionRange(Scheme.GENERIC, fixed="2.0")

    with pytest.raises(InvalidVersion):
        contains(affected, version)


def lies_within(affected: VersionRange, version: str) -> bool:
    """Say what PostgreSQL says: `key >= lo and (hi is null or key < hi)`."""
    low, high = bounds(affected)
    found = key(affected.scheme, version)
    return low <= found and (high is None or found < high)


@st.composite
def ranges_and_versions(draw: st.DrawFn) -> tuple[VersionRange, str]:
    scheme = draw(st.sampled_from(Scheme))
    versions = versions_of(scheme)
    affected = VersionRange(
        scheme,
        introduced=draw(st.none() | versions),
        fixed=draw(st.none() | versions),
        last_affected=draw(st.none() | versions),
        introduced_excluded=draw(st.booleans()),
        from_candidates=scheme is Scheme.GENERIC and draw(st.booleans()),
    )
    named = [bound for bound in (affected.introduced, affected.fixed, affected.last_affected) if bound]
    return affected, draw(versions | st.sampled_from(named) if named else versions)


@given(ranges_and_versions())
def test_byte_bounds_say_the_same_as_the_rule(drawn: tuple[VersionRange, str]) -> None:
    affected, version = drawn

    assert lies_within(affected, version) is contains(affected, version)
