"""Which releases are judged by later ones: those their distribution no longer speaks of, and no other."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.claim import LATER_METHODS, PARENT_DISTANCE
from sentrikat.domain.matching.ended_releases import later_releases
from sentrikat.domain.matching.identity import declared_identities
from sentrikat.domain.matching.wording import fixed_words


@pytest.mark.parametrize(
    ("release", "begin", "end"),
    [
        ("debian:10", "debian:11", "debian:14"),
        ("debian:7", "debian:8", "debian:14"),
        ("alpine:3.20", "alpine:3.21", "alpine:edge"),
        ("alpine:3.2", "alpine:3.3", "alpine:edge"),
    ],
)
def test_an_ended_release_is_followed_by_all_after_it(release: str, begin: str, end: str) -> None:
    later = later_releases(release)

    assert (later[0], later[-1]) == (begin, end)
    assert release not in later


@pytest.mark.parametrize(
    "release",
    [
        "debian:11",  # still judged: what the tracker does not name has no flaw
        "debian:12",
        "debian:sid",
        "debian",
        "alpine:3.21",
        "alpine:edge",
        "alpine:2.7",  # another line
        "alpine:3",
        "ubuntu:14.04",  # its tracker judges ended releases
        "rhel:6",
        "",
    ],
)
def test_a_release_that_is_judged_or_not_known_has_none(release: str) -> None:
    assert later_releases(release) == ()


def of(release: str, name: str, source: str) -> dict[Product, str]:
    component = Component("deb", release, name, "1.0-1", source_name=source, source_version="1.0-1")
    return {one.product: one.method for one in declared_identities(component, "linux")}


def test_a_package_of_an_ended_release_is_also_the_same_package_of_each_later_one() -> None:
    found = of("debian:10", "libanvil2", "anvil")

    assert found[Product("debian:10", "anvil")] == "release_source"
    assert found[Product("debian:11", "libanvil2")] == "later_package"
    assert found[Product("debian:13", "anvil")] == "later_source"
    assert of("debian:12", "libanvil2", "anvil").keys() == {
        Product("debian:12", "libanvil2"),
        Product("debian:12", "anvil"),
    }


def test_what_is_said_of_later_releases_is_heard_after_everything_said_of_the_own_one() -> None:
    component = Component("deb", "debian:10", "anvil", "1.0-1")

    for one in declared_identities(component, "linux"):
        assert one.distance == (PARENT_DISTANCE if one.method in LATER_METHODS else 0)


@pytest.mark.parametrize("source", ["linux", "linux-5.10"])
def test_a_kernel_is_judged_by_its_own_release_alone(source: str) -> None:
    assert all(product.ecosystem == "debian:10" for product in of("debian:10", "linux-image-amd64", source))


def test_a_source_that_took_another_name_is_looked_for_under_it() -> None:
    found = of("debian:7", "libc6", "eglibc")

    assert found[Product("debian:11", "glibc")] == "later_source"
    assert Product("debian:7", "glibc") not in found


@pytest.mark.parametrize(
    ("ecosystem", "release", "words"),
    [
        ("debian:11", "debian:10", "1.5 of debian:11"),
        ("debian:10", "debian:10", "1.5"),
        ("rhel:9", "rocky:9", "1.5"),
        ("debian:11", None, "1.5"),
    ],
)
def test_a_repair_that_only_a_later_release_has_is_named_with_it(
    ecosystem: str, release: str | None, words: str
) -> None:
    assert fixed_words(ecosystem, "1.5", None, release) == words
