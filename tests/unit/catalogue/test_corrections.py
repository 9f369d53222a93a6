"""Reviewed corrections: their form, their reasons, and that none hides another."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sentrikat.catalogue.corrections import Correction, correction_of, corrections
from sentrikat.catalogue.packages import product_of_package
from sentrikat.domain.cpe.name import parse
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.makers import MAKERS
from sentrikat.inventory.products import product_named


def program(
    name: str, vendor: str | None = None, bundle: str | None = None, kind: str = "windows"
) -> Component:
    return Component(kind, kind, name, "1.0", vendor=vendor, bundle_id=bundle)


@pytest.mark.parametrize("one", corrections(), ids=lambda one: str(one.pattern))
def test_a_correction_has_a_pattern_a_reason_and_a_source(one: Correction) -> None:
    given = [one.pattern.title, one.pattern.vendor, one.pattern.bundle_id]

    assert any(given)
    assert all(not value or value.strip("* ") for value in given), "a pattern that fits everything"
    assert len(one.reason) > 15
    assert one.reason.endswith(".")
    assert one.source.startswith("https://")


@pytest.mark.parametrize("one", corrections(), ids=lambda one: str(one.pattern))
def test_the_products_of_a_correction_are_cpe_names(one: Correction) -> None:
    for written in one.products:
        product = product_named(written)
        vendor, _, name = product.name.partition(":")
        parsed = parse(f"cpe:2.3:{product.ecosystem[-1]}:{vendor}:{name}:1:*:*:*:*:*:*:*")
        assert f"{parsed.vendor}:{parsed.product}" == product.name
    assert len(set(one.products)) == len(one.products)


def test_no_pattern_is_written_twice() -> None:
    assert max(Counter(one.pattern for one in corrections()).values()) == 1


def test_an_empty_publisher_is_one_that_is_not_reported() -> None:
    unnamed = correction_of(program("VirtualBox"))

    assert unnamed is not None
    assert unnamed.products[0] == "oracle:vm_virtualbox"
    assert correction_of(program("VirtualBox", "Somebody Else")) is None


def test_a_more_general_correction_stands_after_the_special_one() -> None:
    found = correction_of(program("Oracle VM VirtualBox Guest Additions 6.1.16", "Oracle Corporation"))

    assert found is not None
    assert found.products == ()


@pytest.mark.parametrize(
    ("component", "product"),
    [
        (program("Docker.app", bundle="com.docker.docker", kind="macos"), "docker:docker_desktop"),
        (
            program("VirtualBox.app", bundle="org.virtualbox.app.VirtualBox", kind="macos"),
            "oracle:vm_virtualbox",
        ),
        (program("Oracle VM VirtualBox 6.1.38", "Oracle Corporation"), "oracle:vm_virtualbox"),
        (program("Adobe Acrobat DC (64-bit)", "Adobe"), "adobe:acrobat_dc"),
        (program("Java 8 Update 351", "Oracle Corporation"), "oracle:jre"),
        (
            program("Microsoft Visual C++ 2015-2022 Redistributable (x64) - 14.34.31938"),
            "microsoft:visual_c\\+\\+",
        ),
    ],
    ids=lambda one: one.name if isinstance(one, Component) else "",
)
def test_what_titles_alone_mislead_about_is_corrected(component: Component, product: str) -> None:
    found = correction_of(component)

    assert found is not None
    assert found.products[0] == product


@pytest.mark.parametrize(
    "component",
    [
        program("Docker Desktop Helper"),  # a pattern without stars is the whole title
        program("VirtualBox", "Somebody Else"),
        Component("deb", "debian:12", "zoom", "1.0"),  # packages are never corrected by title
        program(""),
    ],
    ids=lambda one: f"{one.kind} {one.name}",
)
def test_what_only_resembles_a_pattern_is_left_alone(component: Component) -> None:
    assert correction_of(component) is None


def test_makers_are_written_as_letters() -> None:
    assert all(re.fullmatch(r"[a-z0-9+#]+", word) for pair in MAKERS.items() for word in pair)


@pytest.mark.parametrize(
    ("kind", "name", "product"),
    [
        ("pypi", "attrs", "attrs_project:attrs"),
        ("pypi", "decorator", "python:decorator"),
        ("pypi", "mako", "sqlalchemy:mako"),
        ("maven", "org.apache.logging.log4j:log4j", "apache:log4j"),
        ("wordpress-plugin", "1-click-migration", "1clickmigration:1_click_migration"),
        ("jenkins-plugin", "anchorchain", "jenkins:anchorchain"),
        ("pypi", "no-such-package-anywhere", None),
    ],
)
def test_packages_know_their_product(kind: str, name: str, product: str | None) -> None:
    assert product_of_package(kind, name) == product
