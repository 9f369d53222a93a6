"""Package URLs: canonical per type, distributions recognized, garbage refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.advisory import Product
from sentrikat.domain.errors import InvalidName
from sentrikat.domain.purl import Package, build, canonical_name, ecosystem_of, parse, product_of


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("pkg:pypi/Foo.Bar__baz@1", Product("pypi", "foo-bar-baz")),  # PEP 503
        ("pkg:npm/%40angular/core@17", Product("npm", "@angular/core")),
        (
            "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1",
            Product("maven", "org.apache.logging.log4j:log4j-core"),
        ),
        (
            "pkg:golang/github.com/Masterminds/sprig@v3.2.0#v3",
            Product("golang", "github.com/Masterminds/sprig"),
        ),
        ("pkg:golang/stdlib@1.22.1", Product("golang", "stdlib")),
        ("pkg:cargo/serde_json@1.0", Product("cargo", "serde_json")),
        ("pkg:nuget/Newtonsoft.Json@13", Product("nuget", "newtonsoft.json")),
        ("pkg:gem/rails@7", Product("gem", "rails")),
        ("pkg:composer/Laravel/Framework@11", Product("composer", "laravel/framework")),
        # distributions: the source package in the release's ecosystem
        (
            "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl",
            Product("debian:12", "openssl"),
        ),
        ("pkg:deb/debian/bash@5?distro=debian-12.4", Product("debian:12", "bash")),  # point release
        ("pkg:deb/debian/bash@5?distro=bookworm", Product("debian:12", "bash")),
        ("pkg:deb/ubuntu/bash@5?distro=ubuntu-jammy", Product("ubuntu:22.04", "bash")),
        ("pkg:deb/ubuntu/bash@5?distro=ubuntu-22.04", Product("ubuntu:22.04", "bash")),
        (
            "pkg:rpm/redhat/openssl-libs@3.0.7-25.el9?distro=rhel-9.3&upstream=openssl-3.0.7-25.el9.src.rpm",
            Product("rhel:9", "openssl"),
        ),
        ("pkg:rpm/redhat/bash@5?distro=redhat-9.3", Product("rhel:9", "bash")),
        ("pkg:rpm/almalinux/bash@5?distro=almalinux-9.3", Product("almalinux:9", "bash")),
        ("pkg:rpm/rocky/bash@5?distro=rocky-8", Product("rocky:8", "bash")),
        ("pkg:rpm/amzn/bash@5?distro=amzn-2023", Product("amzn:2023", "bash")),
        ("pkg:rpm/suse/bash@5?distro=sles-15.4", Product("sles:15.4", "bash")),
        ("pkg:rpm/opensuse/bash@5?distro=opensuse-leap-15.4", Product("opensuse-leap:15.4", "bash")),
        ("pkg:rpm/fedora/bash@5?distro=fedora-39", Product("fedora:39", "bash")),
        (
            "pkg:rpm/opensuse/bash@5?distro=opensuse-tumbleweed-20240101",
            Product("opensuse-tumbleweed", "bash"),
        ),
        (
            "pkg:apk/alpine/busybox-binsh@1.36?distro=alpine-3.18.4&upstream=busybox",
            Product("alpine:3.18", "busybox"),
        ),
        ("pkg:apk/wolfi/busybox@1.36?distro=wolfi-20230201", Product("wolfi", "busybox")),
        # nothing to look up
        ("pkg:deb/debian/bash@5", None),  # which release is not said
        ("pkg:generic/openssl@1.1", None),
        ("pkg:github/curl/curl@8", None),
    ],
)
def test_a_package_url_names_the_product_of_its_ecosystem(text: str, product: Product | None) -> None:
    assert product_of(parse(text)) == product


def test_a_debian_url_gives_everything_it_says() -> None:
    text = "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1"

    assert parse(text) == Package(
        type="deb",
        namespace="debian",
        name="libssl3",
        version="3.0.11-1~deb12u2",
        arch="amd64",
        distro="debian",
        distro_version="12",
        source_name="openssl",
        source_version="3.0.11-1",
    )


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("pkg:rpm/redhat/bind@9.16-1.el9?epoch=32", "32:9.16-1.el9"),
        ("pkg:rpm/redhat/bind@9.16-1.el9?epoch=0", "9.16-1.el9"),  # epoch 0 is no epoch
        ("pkg:deb/debian/samba@2%3A4.17.12?epoch=2", "2:4.17.12"),  # already there
        ("pkg:rpm/redhat/bind@9.16-1.el9?epoch=junk", "9.16-1.el9"),
        ("pkg:rpm/redhat/bind?epoch=1", None),
    ],
)
def test_the_epoch_stands_in_front_of_the_version(text: str, version: str | None) -> None:
    assert parse(text).version == version


@pytest.mark.parametrize(
    "text", ["", "openssl", "pkg:", "pkg:pypi", "pkg:pypi/", "http://x", "pkg:/name", "cpe:2.3:a:b:c:*"]
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse(text)


@given(st.text(max_size=40) | st.text("abc/@?#%=&:0.~-40", max_size=40).map("pkg:deb/".__add__))
def test_parsing_anything_gives_a_package_or_invalid_name(text: str) -> None:
    try:
        package = parse(text)
    except InvalidName:
        return
    product_of(package)
    assert package.name


@given(
    st.sampled_from(["deb", "rpm", "apk", "pypi", "npm", "cargo", "generic"]),
    st.text("abcxyz0189.+-", min_size=1).filter(lambda text: text.strip("+-.")),
    st.from_regex(r"([1-9]:)?[0-9][a-z0-9.~+]{0,6}-[0-9]", fullmatch=True),
    st.sampled_from([None, "amd64"]),
)
def test_what_is_built_is_read_again(kind: str, name: str, version: str, arch: str | None) -> None:
    release = {"distro": "debian", "distro_version": "12"} if kind in ("deb", "rpm", "apk") else {}
    package = Package(
        kind, "debian" if release else None, canonical_name(kind, name), version, arch, **release
    )

    assert parse(build(package)) == package


@given(st.sampled_from(["pypi", "npm", "golang", "nuget", "composer", "maven"]), st.text(max_size=12))
def test_canonical_names_stay_as_they_are(ecosystem: str, name: str) -> None:
    once = canonical_name(ecosystem, name)

    assert canonical_name(ecosystem, once) == once


def test_an_unsaid_release_has_no_ecosystem() -> None:
    assert ecosystem_of("debian", None) is None
    assert ecosystem_of("wolfi", None) == "wolfi"
