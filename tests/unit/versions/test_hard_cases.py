"""Pairs of versions that products of this kind got wrong, each with its reason."""

from __future__ import annotations

import pytest

from sentrikat.domain.errors import InvalidVersion
from sentrikat.domain.versions import Scheme, compare, key

ORDERED: dict[Scheme, list[tuple[str, str, str, str]]] = {
    Scheme.DPKG: [
        ("1:9.6p1-3", ">", "9.3", "the epoch outweighs everything; it is not a number in front"),
        ("1:9.6p1-3", "<", "1:10.0p1-1", "and within one epoch the numbers count"),
        ("5:7.0.5-1", "<", "5:7.0.8-1", "redis: upstream 7.0.5, not 5.7"),
        ("2:4.17.12", ">", "2:4.13", "samba: 17 is more than 13"),
        ("3.0.2-0ubuntu1.2", "<", "3.0.2-0ubuntu1.7", "only the revision repairs"),
        ("1.0~rc1", "<", "1.0", "a tilde comes before the end"),
        ("1.0~~", "<", "1.0~", "two come before one"),
        ("1.0~", "<", "1.0~a", "the end comes before letters"),
        ("1.0", "=", "1.0-0", "an absent revision equals 0"),
        ("2.", "=", "2.0", "a missing number is 0"),
        ("1.0", "<", "1.0a", "letters after the end"),
        ("1.0a", "<", "1.0+", "and before everything else"),
        ("1.0-1", "<", "1.0-1+deb12u1", "a security update of a stable release"),
        ("1.0-1~bpo12+1", "<", "1.0-1", "a backport gives way to the real one"),
        ("0:1.0", "=", "1.0", "an absent epoch is 0"),
        ("1.01", "=", "1.1", "leading zeros do not count"),
        ("1.0-2-1", ">", "1.0-1-9", "the last hyphen divides, the others belong to upstream"),
        ("1.2.3+dfsg-1", ">", "1.2.3-9", "repacked upstream is a longer version"),
        ("99999999999999999999", "<", "100000000000000000000", "numbers beyond 64 bits"),
    ],
    Scheme.RPM: [
        ("1.0~rc1", "<", "1.0", "a tilde comes before the end"),
        ("1.0^git1", ">", "1.0", "a caret after it"),
        ("1.0^git1", "<", "1.0.1", "and before any further segment"),
        ("1.0^", "<", "1.0a", "a caret is less than letters, too"),
        ("1.0~rc1^git1", ">", "1.0~rc1", "both together"),
        ("1.0a", "<", "1.0.1", "letters before digits"),
        ("1.0-1", ">", "1.0", "a missing release is the empty one"),
        ("1.0-1", "<", "1.0.1", "the version decides before the release"),
        ("0:115.5.0-1.el8_9", "=", "115.5.0-1.el8_9", "an absent epoch is 0"),
        ("(none):1.0-1", "=", "0:1.0-1", "as rpm -q prints an absent epoch"),
        ("1:1.0-1", ">", "9.9-9", "the epoch outweighs everything"),
        ("1.0-10.el9", ">", "1.0-9.el9", "10 is more than 9"),
        ("1.0-1.el9_2", "<", "1.0-1.el9_10", "in the release as well"),
        ("1.0_1", "=", "1.0.1", "separators only divide"),
        ("1.0-1.", "=", "1.0-1", "also at the end"),
        ("5.14.0-362.8.1.el9_3", "<", "5.14.0-362.13.1.el9_3", "kernels"),
        ("2.23.6-2.module+el8.9.0+1+a", "<", "2.23.6-10.module+el8.9.0+1+a", "module builds"),
    ],
    Scheme.APK: [
        ("1.2.3_rc1", "<", "1.2.3", "release candidates come before"),
        ("1.2.3_alpha", "<", "1.2.3_beta", "in this order"),
        ("1.2.3_pre2", "<", "1.2.3_rc1", "pre before rc"),
        ("1.2.3_p1", ">", "1.2.3", "patches come after"),
        ("1.2.3_git20240101", "<", "1.2.3_p1", "and after snapshots"),
        ("1.2.3-r1", ">", "1.2.3-r0", "the revision decides last"),
        ("1.2.3-r10", ">", "1.2.3-r9", "by value"),
        ("1.2.3", "<", "1.2.3-r0", "no revision is less than the first"),
        ("1.01", "<", "1.1", "a leading zero makes a fraction"),
        ("1.010", "<", "1.02", "read like decimals"),
        ("1.2.3a", ">", "1.2.3", "a letter comes after"),
        ("1.2.3a", "<", "1.2.3.0", "and before another number"),
        ("1.1.1w-r1", ">", "1.1.1v-r9", "openssl"),
        ("1.9.5p2-r0", ">", "1.9.5p1-r9", "sudo, as Alpine released it"),
        ("1.0_rc1_p1", ">", "1.0_rc1", "suffixes add up"),
    ],
    Scheme.PACMAN: [
        ("1.0rc1-1", "<", "1.0-1", "a letter right after a number comes before the end"),
        ("1.0.rc1-1", ">", "1.0-1", "behind a separator it comes after"),
        ("1:1.0-1", ">", "9.9-1", "the epoch outweighs everything"),
        ("1.0-2", ">", "1.0-1", "pkgrel decides last"),
        ("1.0-1.1", ">", "1.0-1", "pkgrel may have a part behind the dot"),
        ("1.0", "<", "1.0-1", "a bound without pkgrel is where its releases begin"),
        ("r123.abc-1", "<", "r124.abc-1", "counted commits"),
        ("1.0..1", ">", "1.0.1", "a longer separator is more"),
        ("6.10.arch1-1", "<", "6.10.2.arch1-1", "letters before digits"),
    ],
    Scheme.SEMVER: [
        ("1.0.0-rc1", "<", "1.0.0", "a candidate is older than the release"),
        ("1.0.0-rc.2", "<", "1.0.0-rc.10", "numbers by value"),
        ("1.0.0-rc10", "<", "1.0.0-rc2", "but words by letter"),
        ("1.0.0-1", "<", "1.0.0-alpha", "numbers before words"),
        ("1.0.0-alpha", "<", "1.0.0-alpha.1", "fewer identifiers first"),
        ("1.0.0-Beta", "<", "1.0.0-alpha", "capitals before small letters"),
        ("1.0.0+a", "=", "1.0.0+b", "build metadata does not count"),
        ("v1.2.3", "=", "1.2.3", "npm reads a leading v"),
        ("1.2.3beta", "<", "1.2.3", "npm reads a missing hyphen"),
        ("1", "=", "1.0.0", "OSV writes partial versions"),
        ("1.2", "<", "1.2.1", "with 0 for what is missing"),
        ("1.0.0-0", "<", "1.0.0-1", "the lowest pre-release, as OSV bounds use it"),
    ],
    Scheme.PEP440: [
        ("1.0", "=", "1.0.0", "trailing zeros do not count"),
        ("1.0.dev1", "<", "1.0a1", "development comes before alpha"),
        ("1.0a1.dev1", "<", "1.0a1", "also of a pre-release"),
        ("1.0a9", "<", "1.0b1", "alpha, beta"),
        ("1.0b9", "<", "1.0rc1", "and candidates"),
        ("1.0c1", "=", "1.0rc1", "c is rc"),
        ("1.0-preview2", "=", "1.0rc2", "and so is preview"),
        ("1.0.post1.dev1", "<", "1.0.post1", "development of a post release"),
        ("1.0.post1.dev1", ">", "1.0", "is after the release"),
        ("1.0-1", "=", "1.0.post1", "the short form"),
        ("1.0+local", ">", "1.0", "a local label comes last"),
        ("1.0+abc", "<", "1.0+5", "its words before its numbers"),
        ("1.0+ubuntu.1", "=", "1.0+UBUNTU_1", "spelling does not count"),
        ("1!0.1", ">", "2024.1", "the epoch outweighs everything"),
        ("1.0rc1.post1", ">", "1.0rc1", "a post release of a candidate"),
        ("V1.0-ALPHA", "=", "1.0a0", "case and an absent number"),
    ],
    Scheme.MAVEN: [
        ("1.0.0-rc1", "<", "1.0.0", "a candidate is older than the release"),
        ("1.0-SNAPSHOT", "<", "1.0", "and so is a snapshot"),
        ("1.0-rc1", "<", "1.0-SNAPSHOT", "which comes after candidates"),
        ("1.0", "=", "1.0.0", "trailing zeros do not count"),
        ("1.0.Final", "=", "1.0", "nor do words for a release"),
        ("1.0.RELEASE", "=", "1.0-ga", "of which there are three"),
        ("1.0-cr1", "=", "1.0-rc1", "cr is rc"),
        ("1.0a1", "=", "1.0-alpha-1", "the short form"),
        ("1.0-sp1", ">", "1.0", "a service pack comes after"),
        ("1.0-foo", ">", "1.0-sp9", "and other words after that"),
        ("1.0-1", ">", "1.0-foo", "numbers behind a hyphen after words"),
        ("1.0.1", ">", "1.0-1", "numbers behind a dot last"),
        ("2.9.10.8", ">", "2.9.10", "jackson"),
        ("31.1-jre", ">", "31.1-android", "guava: words by letter"),
        ("1.0.0.M1", "<", "1.0.0.RC1", "milestones before candidates"),
        ("1.0.M1", "<", "1.0", "and before the release"),
        ("4.1.0.Final-redhat-1", ">", "4.1.0.Final", "a vendor's build of a release"),
        ("4.1.0.Final-redhat-1", ">", "4.1.0.CR1", "is not older than its candidates"),
        ("2.0.1-1", "<", "2.0.1.1", "a hyphen is less than a dot"),
        ("1.0-alpha-10", ">", "1.0-alpha-9", "numbers by value"),
    ],
    Scheme.NUGET: [
        ("1.0", "=", "1.0.0.0", "four numbers, missing ones 0"),
        ("1.0.0.1", ">", "1.0.0", "the fourth counts"),
        ("1.0.0-Beta", "=", "1.0.0-beta", "case does not count"),
        ("1.0.0-beta.2", "<", "1.0.0-beta.11", "numbers by value"),
        ("1.0.0-rc1", "<", "1.0.0", "a candidate is older than the release"),
        ("1.0.0+abc", "=", "1.0.0", "metadata does not count"),
        ("1.01", "=", "1.1", "nor do leading zeros"),
    ],
    Scheme.RUBYGEMS: [
        ("1.0.0.rc1", "<", "1.0.0", "a letter marks a pre-release"),
        ("1.0.a", "=", "1.0.0.a", "zeros before it do not count"),
        ("1.0", "=", "1", "nor do those at the end"),
        ("1.0.0-java", "<", "1.0.0", "a hyphen is .pre., as the gem command reads it"),
        ("1.0.b10", ">", "1.0.b9", "the number glued to a word counts by value"),
        ("1.0.A", "<", "1.0.a", "case counts"),
        ("1.a.0.b", "<", "1.a", "a word behind zeros is still below the end"),
        ("1.a.0.1", ">", "1.a", "and a number above it"),
        ("5.2.4.3", "<", "5.2.4.10", "rails"),
    ],
    Scheme.GO: [
        ("v1.2.3", "=", "1.2.3", "OSV leaves the v out"),
        ("v2.0.0+incompatible", "=", "v2.0.0", "a mark, not a version"),
        ("v0.0.0-20200131131040-063a3fb69896", "<", "v0.0.0-20210101000000-000000000000", "by time"),
        ("v1.2.4-0.20200131131040-063a3fb69896", "<", "v1.2.4", "a commit before 1.2.4"),
        ("v1.2.4-0.20200131131040-063a3fb69896", ">", "v1.2.3", "is after 1.2.3"),
        ("go1.21rc2", "=", "1.21.0-rc.2", "the toolchain's name and the database's"),
        ("go1.21rc2", "<", "go1.21.0", "a candidate is older than the release"),
        ("1.9", "<", "1.10", "by value"),
        ("v1", "=", "v1.0.0", "short forms"),
        ("1.21.0-0", "<", "go1.21rc1", "the lowest pre-release, as the database's bounds use it"),
    ],
    Scheme.COMPOSER: [
        ("1.0.0-RC1", "<", "1.0.0", "a candidate is older than the release"),
        ("1.0-dev", "<", "1.0-alpha", "development first"),
        ("1.0-alpha", "<", "1.0-alpha1", "then alpha, counted or not"),
        ("1.0a2", "=", "1.0.0-alpha2", "short forms"),
        ("1.0-b1", "<", "1.0-RC1", "beta before candidates"),
        ("1.0-pl1", "=", "1.0-patch1", "patches have three names"),
        ("1.0-p1", ">", "1.0", "and come after"),
        ("1.0", "=", "1.0.0.0", "four numbers"),
        ("v1.0@beta", "=", "1.0", "a stability flag is not part of the version"),
        ("1.0.x-dev", ">", "1.0.99", "a branch is ahead of its releases"),
        ("1.0.x-dev", "<", "1.1.0", "and behind the next"),
        ("20100102", "<", "20100103", "dates"),
        ("1.0.0+build", "=", "1.0.0", "metadata does not count"),
    ],
    Scheme.WINDOWS: [
        ("10.0.19045.4043", "<", "10.0.19045.4046", "the revision decides"),
        ("10.0.19045", "=", "10.0.19045.0", "a missing one is 0"),
        ("10.0.9200.1", "<", "10.0.10240.0", "by value"),
        ("6.1.7601.24544", "<", "10.0.10240.16384", "Windows 7 is older than 10"),
    ],
    Scheme.GENERIC: [
        ("1.0", "=", "1.0.0", "trailing zeros do not count"),
        ("1.0.0-rc1", "<", "1.0.0", "a candidate is older than the release"),
        ("2.4.0-rc1", "<", "2.4.0", "HashiCorp Vault"),
        ("1.0.2-beta1", "<", "1.0.2", "OpenSSL"),
        ("1.0.2", "<", "1.0.2a", "OpenSSL's letters come after"),
        ("1.0.2k", "<", "1.0.2u", "by letter"),
        ("1.0.2z", "<", "1.0.2za", "and past z"),
        ("1.0.2k-dev", "<", "1.0.2k", "development of a letter release"),
        ("1.0.2k-dev", ">", "1.0.2j", "is after the one before"),
        ("1.0.1a-3", ">", "1.0.1", "a package's revision does not make `a` an alpha"),
        ("3.0.20 a", "=", "3.0.20a", "Samba, NVD's version and update field"),
        ("1.3.3 a", ">", "1.3.3", "ProFTPD, likewise"),
        ("8.0 update1a", ">", "8.0 update1", "VMware vCenter"),
        ("2.3.0a2", "<", "2.3.0", "Zope: glued with a number behind, an alpha"),
        ("9.8.1 b1", "<", "9.8.1", "BIND: behind a gap as well"),
        ("2.2.0 b6", "<", "2.2.0", "Checkmk"),
        ("4.1-esv r5b1", "<", "4.1-esv r5", "ISC DHCP: a beta of a revision"),
        ("9.0.0 M2", "<", "9.0.0", "Tomcat milestones"),
        ("9.0.0 M2", "<", "9.0.0 M10", "by value"),
        ("15.9(3)M3", ">", "15.9(3)", "an M train of Cisco IOS is no milestone"),
        ("12.1(22)EA1", ">", "12.1(22)", "nor is EA early access"),
        ("12.2(33)SCJ2a", ">", "12.2(33)SCJ2", "and trains have letters"),
        ("6.0(2)A6(3a)", ">", "6.0(2)", "Cisco NX-OS: an A train is no alpha"),
        ("v4r2m0", "<", "v4r3m0", "IBM i"),
        ("7.2p1", ">", "7.2", "OpenSSH portable"),
        ("7.2p1", "=", "7.2 patch 1", "one spelling for patches"),
        ("9.6p1", ">", "9.3", "by value before patches"),
        ("1:9.6p1-3", ">", "9.3", "an epoch is not a number in front"),
        ("1.8.0_202", "<", "1.8.0_211", "Java 8"),
        ("1.8.0_202", "=", "1.8.0 update202", "as NVD names it"),
        ("1.8.0_202-b08", "=", "1.8.0_202", "as Java names its own build"),
        ("1.8.0 update471_b50", ">", "1.8.0 update471", "a later build of an update is no beta"),
        ("8u91", "<", "8u202", "OpenJDK"),
        ("8u202", "=", "8 update_202", "as NVD names it"),
        ("RELEASE.2024-01-01T00-00-00Z", ">", "RELEASE.2023-12-31T23-59-59Z", "MinIO"),
        ("RELEASE.2023-02-17T17-52-43Z", "=", "2023-02-17t17-52-43z", "as NVD names it"),
        ("5.1.0.Final", "=", "5.1", "a word for a release does not count"),
        ("v1.2.3", "=", "1.2.3", "nor does one in front"),
        ("10.0 Service Pack 1", "=", "10.0 sp1", "one spelling for service packs"),
        ("7.0 fix_pack_61", ">", "7.0 fix_pack_9", "Liferay"),
        ("2.0 release candidate 2", "=", "2.0-rc2", "one spelling for candidates"),
        ("2.6.0-test9", "<", "2.6.0", "Linux before 2.6"),
        ("2.0.0 preview2", "<", "2.0.0 rc1", "Ruby"),
        ("10.0.19045.4043", "<", "10.0.19045.4046", "builds"),
        ("20240101", ">", "20231231", "dates"),
        ("1.10", ">", "1.9", "by value, not as a decimal"),
        ("1.0 2", "=", "1.0.2", "what divides does not matter"),
    ],
}  # fmt: skip

CASES = [(scheme, *row) for scheme, rows in ORDERED.items() for row in rows]


@pytest.mark.parametrize(
    ("scheme", "left", "relation", "right", "reason"),
    CASES,
    ids=[f"{c[0]}: {c[1]} {c[2]} {c[3]}" for c in CASES],
)
def test_the_order_is_the_one_of_the_scheme(
    scheme: Scheme, left: str, relation: str, right: str, reason: str
) -> None:
    expected = {"<": -1, "=": 0, ">": 1}[relation]
    a, b = key(scheme, left), key(scheme, right)

    assert compare(scheme, left, right) == expected, reason
    assert compare(scheme, right, left) == -expected, reason
    assert (a > b) - (a < b) == expected, reason


REFUSED = [
    (Scheme.DPKG, "<end-of-life>", "a word of the Debian tracker, not a version"),
    (Scheme.DPKG, "1.0-", "the revision is empty"),
    (Scheme.DPKG, ":1.0", "the epoch is empty"),
    (Scheme.DPKG, "a:1.0", "the epoch is not a number"),
    (Scheme.DPKG, "1 0", "a blank inside"),
    (Scheme.DPKG, "unknown", "no digit"),
    (Scheme.RPM, "a:1.0-1", "the epoch is not a number"),
    (Scheme.RPM, "-1", "no version"),
    (Scheme.RPM, "~", "neither letter nor digit"),
    (Scheme.APK, "1.0.0-rc1", "not a suffix of apk"),
    (Scheme.APK, "1.0.r2", "a revision without its hyphen"),
    (Scheme.APK, "v1.0", "no leading v in apk"),
    (Scheme.PACMAN, "1.0.-1", "vercmp runs in circles behind a separator"),
    (Scheme.PACMAN, "1.", "likewise"),
    (Scheme.SEMVER, "1.2.3.4", "four numbers"),
    (Scheme.SEMVER, "1.x", "a range, not a version"),
    (Scheme.SEMVER, "1.0.0-", "an empty pre-release"),
    (Scheme.SEMVER, "1.0.0-a..b", "an empty identifier"),
    (Scheme.SEMVER, "latest", "a tag"),
    (Scheme.PEP440, "0.9-doduo", "a legacy version"),
    (Scheme.PEP440, "2013-01-21T20:33:09+0100", "a legacy version"),
    (Scheme.PEP440, "trunk", "a branch"),
    (Scheme.MAVEN, "unspecified", "what Gradle writes when nobody said"),
    (Scheme.MAVEN, "${project.version1}", "an unresolved property"),
    (Scheme.NUGET, "1.2.3.4.5", "five numbers"),
    (Scheme.NUGET, "v1.0", "no leading v in NuGet"),
    (Scheme.RUBYGEMS, "1.0_x", "an underscore"),
    (Scheme.RUBYGEMS, "a.1", "no number in front"),
    (Scheme.GO, "(devel)", "what Go writes for a local build"),
    (Scheme.GO, "v01.0.0", "a leading zero"),
    (Scheme.COMPOSER, "dev-main", "a branch has no order"),
    (Scheme.COMPOSER, "1.2.3.4.5", "five numbers"),
    (Scheme.COMPOSER, "1.5.7c", "Composer cannot normalize it"),
    (Scheme.WINDOWS, "10.0.19045.4043-x", "not a build"),
    (Scheme.WINDOWS, "22H2", "a name, not a build"),
    (Scheme.GENERIC, "unknown", "no digit"),
    (Scheme.GENERIC, "*", "a wildcard"),
    (Scheme.GENERIC, "-", "not applicable"),
    (Scheme.GENERIC, "n/a", "nobody said"),
]


@pytest.mark.parametrize(("scheme", "version", "reason"), REFUSED)
def test_what_the_scheme_cannot_order_is_refused(scheme: Scheme, version: str, reason: str) -> None:
    with pytest.raises(InvalidVersion) as refusal:
        key(scheme, version)

    assert version in refusal.value.message, reason
    assert refusal.value.code == "invalid_version"
    for left, right in ((version, "1.0"), ("1.0", version)):
        with pytest.raises(InvalidVersion):
            compare(scheme, left, right)


def test_every_scheme_has_hard_cases() -> None:
    assert set(ORDERED) == set(Scheme) == {scheme for scheme, _, _ in REFUSED}


def test_blanks_around_a_version_do_not_count() -> None:
    for scheme in Scheme:
        assert key(scheme, " 1.0.1\n") == key(scheme, "1.0.1")
