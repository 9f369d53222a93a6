"""What a source fixed beyond the version, against a component and its asset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.cpe.name import CpeName, parse
from sentrikat.domain.cpe.target import QUALIFIERS, target_holds, target_of


def component(**known: str) -> CpeName:
    return CpeName("a", "v", "p", "1.0", **known)


@pytest.mark.parametrize(
    ("target_sw", "own", "os_family", "expected"),
    [
        # operating systems, against the asset
        ("windows", "*", "windows", True),
        ("windows", "*", "linux", False),
        ("windows", "*", "other", None),  # the asset may be anything
        ("windows_10", "*", "windows", True),
        ("macos", "*", "macos", True),
        ("mac_os_x", "*", "macos", True),
        ("mac_os", "*", "windows", False),
        ("linux_kernel", "*", "linux", True),
        ("linux", "*", "macos", False),
        ("android", "*", "windows", False),
        ("iphone_os", "*", "macos", False),
        ("android", "*", "other", None),
        ("debian_linux", "*", "linux", None),  # which distribution is not looked at here
        ("debian_linux", "*", "windows", False),
        ("unix", "*", "windows", False),
        ("unix", "*", "linux", None),
        # operating systems, against what the component says of itself
        ("windows", "windows", "linux", True),  # Wine
        ("mac_os_x", "macos", "other", True),
        ("windows", "linux", "other", False),
        ("android", "android", "other", True),
        ("android", "android", "windows", True),
        ("windows", "wordpress", "windows", False),
        ("windows", "-", "windows", True),
        # programs that plugins live in
        ("wordpress", "*", "linux", None),
        ("wordpress", "wordpress", "linux", True),
        ("wordpress", "drupal", "linux", False),
        ("wordpress", "-", "linux", False),  # says that it is no plugin
        ("node.js", "node.js", "windows", True),
        ("visual_studio_code", "windows", "windows", False),
        # no particular platform
        ("-", "*", "windows", None),
        ("-", "-", "windows", True),
        ("-", "windows", "windows", False),
    ],
)
def test_a_platform_is_a_system_or_the_program_of_a_plugin(
    target_sw: str, own: str, os_family: str, expected: bool | None
) -> None:
    assert target_holds((("target_sw", target_sw),), component(target_sw=own), os_family) is expected


@pytest.mark.parametrize(
    ("attribute", "wanted", "own", "expected"),
    [
        ("sw_edition", "enterprise", "enterprise", True),
        ("sw_edition", "enterprise", "community", False),
        ("sw_edition", "enterprise", "*", None),
        ("sw_edition", "pro*", "professional", True),
        ("sw_edition", "-", "lts", False),
        ("update", "sp1", "*", None),
        ("update", "sp1", "sp2", False),
        ("language", "de", "de", True),
        ("target_hw", "x64", "amd64", True),  # two words for one thing
        ("target_hw", "x86", "x64", False),
        ("target_hw", "x64", "*", None),
    ],
)
def test_an_edition_excludes_only_another_edition(
    attribute: str, wanted: str, own: str, expected: bool | None
) -> None:
    assert target_holds(((attribute, wanted),), component(**{attribute: own}), "windows") is expected


def test_one_attribute_that_excludes_decides() -> None:
    target = (("sw_edition", "enterprise"), ("target_sw", "windows"))

    assert target_holds(target, None, "linux") is False
    assert target_holds(target, None, "windows") is None


def test_no_target_holds_for_everything() -> None:
    assert target_holds((), None, "other") is True


def test_the_target_of_a_name_leaves_out_any_and_keeps_not_applicable() -> None:
    name = parse("cpe:2.3:a:v:p:1.0:sp1:-:*:lts:windows:*:*")

    assert target_of(name) == (
        ("edition", "-"),
        ("sw_edition", "lts"),
        ("target_sw", "windows"),
        ("update", "sp1"),
    )
    assert ("update", "sp1") not in target_of(name, without_update=True)


VALUES = st.sampled_from(["*", "-", "windows", "linux", "android", "unix", "wordpress", "x64", "sp?", r"a\+"])


@given(
    st.dictionaries(st.sampled_from(QUALIFIERS), VALUES),
    st.none() | st.builds(CpeName, *[st.just("x")] * 4, *[VALUES] * 7),
    st.sampled_from(["windows", "macos", "linux", "other", "nonsense"]),
)
def test_every_combination_has_an_answer(fixed: dict[str, str], own: CpeName | None, os_family: str) -> None:
    assert target_holds(tuple(sorted(fixed.items())), own, os_family) in (True, False, None)
