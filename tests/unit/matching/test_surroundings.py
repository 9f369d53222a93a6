"""What software lives in: a system, or another program."""

from __future__ import annotations

import pytest

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.surroundings import extends, fits, host_of


@pytest.mark.parametrize(
    ("component", "host"),
    [
        (Component("windows", "windows", "Zoom"), ""),
        (Component("macos", "macos", "Node.js"), ""),
        (Component("application", "macos", "ms-python.python"), "visual_studio_code"),
        (Component("application", "macos", "GitHub.vscode-codeql"), "visual_studio_code"),
        (Component("application", "linux", "Node.js"), None),  # a dot is no publisher
        (Component("application", "linux", "draw.io"), None),
        (Component("application", "linux", "OpenSSL"), None),
        (Component("application", "linux", "1.2"), None),
        (Component("application", "linux", "x", purl="pkg:jenkins-plugin/git@5.0"), "jenkins"),
        (Component("application", "linux", "x", purl="pkg:generic/git@5.0"), None),
    ],
)
def test_the_program_that_is_extended_is_told(component: Component, host: str | None) -> None:
    assert host_of(component) == host


@pytest.mark.parametrize(
    ("targets", "hosts"),
    [
        (("wordpress",), {"wordpress"}),
        (("chrome", "firefox"), {"chrome", "firefox"}),
        (("chrome", "*"), set()),  # some names are for anything: it also stands alone
        (("windows", "wordpress"), set()),
        (("visual_studio",), {"visual_studio_code"}),  # NVD writes it both ways
        ((), set()),
    ],
)
def test_a_product_may_exist_for_other_programs_only(targets: tuple[str, ...], hosts: set[str]) -> None:
    assert extends(targets) == hosts


@pytest.mark.parametrize(
    ("host", "targets", "possible"),
    [
        ("", ("chrome",), False),  # a program is no extension
        ("", ("windows",), True),
        ("", ("*", "chrome"), True),
        ("jenkins", ("jenkins",), True),
        ("jenkins", ("wordpress",), False),
        ("jenkins", ("*",), True),
        (None, ("chrome",), True),  # it cannot be told what it is
    ],
)
def test_programs_and_extensions_are_kept_apart(
    host: str | None, targets: tuple[str, ...], possible: bool
) -> None:
    assert fits(host, targets) is possible
