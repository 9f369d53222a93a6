"""Our orders against those of others, on real and made-up versions: no disagreement.

PROOF_PAIRS says how many answered pairs each comparison needs; docs/develop/versions.md has the figures of a run
with 100,000. LIBRPM, LIBALPM and MAVEN_ARTIFACT_JAR name libraries that are not installed in the usual place.

The scheme's own tool decides. Where a peer is only somebody's copy of the rule, the versions it is known to read
differently are left out, class by class, each with what the tool itself does.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import univers.versions

from sentrikat.domain.versions import Scheme, compare, key
from tests.unit.versions import peers
from tests.unit.versions.made_versions import pairs

WANTED = int(os.environ.get("PROOF_PAIRS", "4000"))


@dataclass(frozen=True)
class Comparison:
    """Versions of `drawn` that fit `reads`, ordered by our rules of `scheme` and by `peer`.

    `reads` keeps the versions that the peer reads as the scheme's own tool does, `differs` knows the pairs that
    even that tool has in no straight order.
    """

    name: str
    scheme: Scheme
    peer: peers.Peer
    differs: Callable[[str, str], bool] | None = None
    reads: Callable[[str], object] = bool
    drawn: Scheme | None = None
    drawn_from: Sequence[str] = ()
    drawn_times: int = 1  # how many pairs to draw for one that the peer can answer


# Maven runs in circles here (see maven.py): a word between dots or behind a dot with a hyphen behind it;
# a list left empty before a pre-release word; a word that begins the version, against one that begins with nulls.
_MAVEN_WORD_BETWEEN = re.compile(r"\.[^.0-9-]+(?:\.|-)")
_MAVEN_EMPTY_LIST = re.compile(
    r"(?:-|[a-z](?=0)|\d(?=ga|final|release)|\.(?=(?:ga|final|release)0))(?:-|\.|0+|ga|final|release)+"
    r"(?:[abm]\d|alpha|beta|milestone|rc|cr|snapshot)"
)
_MAVEN_WORD_FIRST = re.compile(r"[^0-9.-]")
_MAVEN_NULL_FIRST = re.compile(r"[0.-]*(?:[^0-9.-]|$)|[.-]|0+-")


def maven_runs_in_circles(left: str, right: str) -> bool:
    versions = left.lower(), right.lower()
    if any(_MAVEN_WORD_BETWEEN.search(v) or _MAVEN_EMPTY_LIST.search(v) for v in versions):
        return True
    return any(
        _MAVEN_WORD_FIRST.match(a) and _MAVEN_NULL_FIRST.match(b) for a, b in (versions, versions[::-1])
    )


def lacks_a_release(left: str, right: str) -> bool:
    """Where a release is missing on one side only, rpm and pacman ignore the other's: no total order."""
    return ("-" in left) != ("-" in right)


def has_one_hyphen(version: str) -> bool:
    """Hold where univers splits an RPM version where librpm does: it takes the first hyphen, librpm the last."""
    return version.find("-", 1) == version.rfind("-") and not version.startswith("-")


# Gentoo's order, which univers uses for Alpine, has `-r0` = none, `_p0` = `_p`, fractions without trailing zeros,
# and another rule for a second suffix.
_APK_AS_GENTOO = re.compile(
    r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*|0\d*[1-9]))*[a-z]?(?:_(?:alpha|beta|pre|rc|p)(?:[1-9]\d*)?)?(?:-r[1-9]\d*)?"
)

# Digits right behind letters (`a01`) are another piece to univers than to libalpm.
_PLAIN_PACMAN = re.compile(r"(?:\d+:)?\d+(?:[._+]\d+)*[A-Za-z]*-\d+(?:\.\d+)?")


def is_no_toolchain(version: str) -> bool:
    """Hold for all but `1.21rc2`, which is no semantic version: univers invents one."""
    return not re.search(r"\d(?:rc|beta)\d", version)


# PEP 440 without epochs, local labels, the implicit post release, and stages that have no number.
_PLAIN_PEP440 = re.compile(
    r"v?\d+(?:\.\d+)*(?:[-_.]?(?:a|b|rc|alpha|beta)\d+)?(?:\.post\d+)?(?:\.dev\d+)?", re.IGNORECASE
)


_COMPOSER = re.compile(r"v?([1-9]?\d(?:\.\d+){1,2})(?:-?(alpha|beta|RC|rc)[.-]?(\d+))?")


def _composer_as_semver(form: re.Match[str]) -> str:
    stage, count = form.group(2), form.group(3)
    return form.group(1) + (f"-{stage.lower()}.{count}" if stage else "")


COMPARISONS = [
    Comparison("PyPA's packaging", Scheme.PEP440, peers.packaging),
    Comparison("libapt-pkg", Scheme.DPKG, peers.apt),
    Comparison(
        "univers, Debian", Scheme.DPKG, peers.univers_peer(univers.versions.DebianVersion), drawn_times=2
    ),
    Comparison("librpm", Scheme.RPM, peers.librpm),
    Comparison(
        "univers, RPM",
        Scheme.RPM,
        peers.univers_peer(univers.versions.RpmVersion),
        reads=has_one_hyphen,
        drawn_times=2,
    ),
    Comparison(
        "univers, Alpine",
        Scheme.APK,
        peers.univers_peer(univers.versions.AlpineLinuxVersion),
        reads=_APK_AS_GENTOO.fullmatch,
        drawn_times=2,
    ),
    Comparison("libalpm", Scheme.PACMAN, peers.libalpm, lacks_a_release, drawn_times=3),
    Comparison(
        "univers, Arch Linux",
        Scheme.PACMAN,
        peers.univers_peer(univers.versions.ArchLinuxVersion),
        reads=_PLAIN_PACMAN.fullmatch,
    ),
    Comparison("node-semver, loose", Scheme.SEMVER, peers.node_semver, drawn_times=3),
    Comparison(
        "univers, semver", Scheme.SEMVER, peers.univers_peer(univers.versions.SemverVersion), drawn_times=2
    ),
    Comparison("Maven", Scheme.MAVEN, peers.maven, maven_runs_in_circles, drawn_times=2),
    Comparison(
        "univers, NuGet", Scheme.NUGET, peers.univers_peer(univers.versions.NugetVersion), drawn_times=2
    ),
    Comparison("univers, RubyGems", Scheme.RUBYGEMS, peers.univers_peer(univers.versions.RubygemsVersion)),
    Comparison("golang.org/x/mod/semver", Scheme.GO, peers.go_modules, drawn_times=2),
    Comparison(
        "univers, Go",
        Scheme.GO,
        peers.univers_peer(univers.versions.GolangVersion),
        reads=is_no_toolchain,
        drawn_times=2,
    ),
    # No PHP here, and univers reads Composer's versions as semantic ones: that holds for this part of them.
    Comparison(
        "univers, Composer",
        Scheme.COMPOSER,
        peers.univers_peer(
            univers.versions.SemverVersion,
            lambda version: _COMPOSER.sub(_composer_as_semver, version),
        ),
        reads=_COMPOSER.fullmatch,
        drawn_times=2,
    ),
    Comparison(
        "PyPA's packaging, release numbers",
        Scheme.WINDOWS,
        peers.packaging,
    ),
    # Nobody else has our rule for the rest; but where a version follows a stricter rule, it must agree with it.
    Comparison(
        "PyPA's packaging, plain forms",
        Scheme.GENERIC,
        peers.packaging,
        reads=_PLAIN_PEP440.fullmatch,
        drawn=Scheme.PEP440,
    ),
    Comparison(
        "univers, semver, plain forms",
        Scheme.GENERIC,
        peers.univers_peer(univers.versions.SemverVersion),
        reads=re.compile(r"\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?").fullmatch,
        drawn=Scheme.SEMVER,
        drawn_times=2,
    ),
    Comparison(
        "univers, OpenSSL before 3",
        Scheme.GENERIC,
        peers.univers_peer(univers.versions.LegacyOpensslVersion),
        drawn_from=[
            f"{release}{letter}"
            for release in ("0.9.7", "0.9.8", "1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.1.1")
            for letter in ("", *"abcdefghijklmnopqrstuvwxyz", "za", "zb", "zh")
        ],
    ),
]


def answered(comparison: Comparison) -> list[tuple[str, str, int]]:
    """Give WANTED pairs with the peer's answers, those left out that it cannot or may not answer."""
    count = WANTED * comparison.drawn_times
    if comparison.drawn_from:
        dice = random.Random(comparison.name)
        drawn = [
            (dice.choice(comparison.drawn_from), dice.choice(comparison.drawn_from)) for _ in range(count)
        ]
    else:
        drawn = pairs(comparison.drawn or comparison.scheme, count, comparison.reads)
    asked = [pair for pair in drawn if not (comparison.differs and comparison.differs(*pair))]
    answers = zip(asked, comparison.peer(asked), strict=True)
    return [(*pair, answer) for pair, answer in answers if answer is not None][:WANTED]


@pytest.mark.parametrize(
    "comparison", COMPARISONS, ids=lambda comparison: f"{comparison.scheme}, {comparison.name}"
)
def test_our_order_is_the_peers(comparison: Comparison) -> None:
    found = answered(comparison)

    def ours(left: str, right: str) -> tuple[int, int]:
        a, b = key(comparison.scheme, left), key(comparison.scheme, right)
        return compare(comparison.scheme, left, right), (a > b) - (a < b)

    disagreements = [row for row in found if ours(row[0], row[1]) != (row[2], row[2])]

    assert not disagreements[:5]
    assert len(found) == WANTED


def test_our_order_is_the_one_of_the_dpkg_program() -> None:
    """A process a question, so a few hundred; libapt-pkg answers the many."""
    asked = pairs(Scheme.DPKG, 300)

    for (left, right), answer in zip(asked, peers.dpkg(asked), strict=True):
        assert answer in (compare(Scheme.DPKG, left, right), None), (left, right)


def test_vercmp_runs_in_circles_where_we_refuse() -> None:
    """The reason for refusing pacman versions that end in a separator: 1.1 < 1..a < 1. < 1.1."""
    assert peers.libalpm([("1.1", "1..a"), ("1..a", "1."), ("1.", "1.1")]) == [-1, -1, -1]


def test_maven_runs_in_circles_where_we_stay_straight() -> None:
    for circle in (("1", "1.sp.1", "1-alpha"), ("1", "1-sp", "1-0-alpha"), ("0", "foo1", "0-alpha")):
        first, second, third = circle
        assert peers.maven([(first, second), (second, third), (third, first)]) == [-1, -1, -1]
        assert third == min(circle, key=lambda version: key(Scheme.MAVEN, version))
