"""Which component a package is an instance of, where the answer is not its own name."""

from __future__ import annotations

import pytest

from sentrikat.domain.inventory import OperatingSystem, Software, component_of, no_source


@pytest.mark.parametrize(
    ("system", "package", "expected"),
    [
        (  # the signed image of Debian's kernel: advisories name linux and its version
            "debian:12",
            Software(
                "deb", "linux-image-6.1.0-10-amd64", "6.1.38-1", None, None, "linux-signed-amd64", "6.1.38+1"
            ),
            ("linux", "6.1.38-1"),
        ),
        (
            "ubuntu:22.04",
            Software("deb", "linux-image-5.15.0-91-generic", "5.15.0-91.101", None, None, "linux-signed"),
            ("linux", "5.15.0-91.101"),
        ),
        (
            "ubuntu:22.04",
            Software("deb", "linux-image-5.15.0-1051-aws", "5.15.0-1051.56", None, None, "linux-signed-aws"),
            ("linux-aws", "5.15.0-1051.56"),
        ),
        (
            "debian:12",
            Software("deb", "libssl3", "3.0.11-1+b1", None, None, "openssl"),
            ("openssl", "3.0.11-1"),  # a rebuild is no part of the source's version
        ),
        (
            "debian:12",
            Software("deb", "libgcc-s1", "12.2.0-14", None, None, "gcc-12", "12.2.0-14"),
            ("gcc-12", "12.2.0-14"),
        ),
    ],
)
def test_a_package_is_filed_under_what_advisories_name(
    system: str, package: Software, expected: tuple[str, str]
) -> None:
    name, version = system.split(":")

    component = component_of(package, OperatingSystem("linux", name, version), no_source)

    assert component.namespace == system
    assert (component.name, component.version) == expected


@pytest.mark.parametrize(
    ("binary", "component"),
    [
        ("linux-image-6.1.0-18-amd64", "linux"),  # the kernel itself
        ("linux-libc-dev", "linux-libc-dev"),  # headers for libc: every container with a compiler has them
        ("linux-headers-6.1.0-18-amd64", "linux-headers-6.1.0-18-amd64"),
        ("linux-doc-6.1", "linux-doc-6.1"),
        ("linux-perf", "linux"),  # a program out of the kernel's tree stays with it
    ],
)
def test_what_is_built_from_the_kernel_but_holds_none_of_it_is_not_the_kernel(
    binary: str, component: str
) -> None:
    package = Software(
        type="deb", name=binary, version="6.1.76-1", source_name="linux", source_version="6.1.76-1"
    )

    made = component_of(package, OperatingSystem("linux", "debian", "12"), no_source)

    assert made.name == component


@pytest.mark.parametrize(
    ("binary", "source"),
    [
        ("kernel-core", "kernel"),
        ("kernel-headers", None),  # in every image with a compiler, and without a kernel
        ("kernel-doc", None),
        ("kernel-rt-doc", None),
        ("bpftool", "kernel"),
    ],
)
def test_an_rpm_that_holds_nothing_of_the_kernel_is_not_judged_by_its_source(
    binary: str, source: str | None
) -> None:
    package = Software(type="rpm", name=binary, version="5.14.0-1.el9", source_name="kernel")

    made = component_of(package, OperatingSystem("linux", "rhel", "9.4"), no_source)

    assert (made.name, made.source_name) == (binary, source)
