"""CPE names: NISTIR 7695's own examples, real names, and everything Hypothesis can write."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.name import (
    ANY,
    ATTRIBUTES,
    NA,
    CpeName,
    escape,
    has_wildcard,
    parse,
    product_of,
    unescape,
    version_of,
)
from sentrikat.domain.errors import InvalidName

PUNCTUATION = string.punctuation


@st.composite
def attributes(draw: st.DrawFn) -> str:
    """Any value an attribute of a formatted string can have, in canonical form."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([ANY, NA]))
    text = draw(
        st.text(st.sampled_from(string.ascii_lowercase + string.digits + PUNCTUATION), min_size=1, max_size=8)
    )
    edge = st.sampled_from(["", "", "", "*", "?", "??"])
    return draw(edge) + escape(text) + draw(edge) if text != "-" else escape(text)


def names() -> st.SearchStrategy[CpeName]:
    return st.builds(CpeName, st.sampled_from("aoh*-"), *[attributes()] * 10)


@pytest.mark.parametrize(
    ("uri", "formatted"),
    [
        # NISTIR 7695, 6.1.3 and 6.2.3: binding and unbinding examples
        (
            "cpe:/a:microsoft:internet_explorer:8.0.6001:beta",
            "cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:*:*:*:*:*",
        ),
        (
            "cpe:/a:microsoft:internet_explorer:8.%02:sp%01",
            "cpe:2.3:a:microsoft:internet_explorer:8.*:sp?:*:*:*:*:*:*",
        ),
        (
            "cpe:/a:hp:insight_diagnostics:7.4.0.1570:-:~~online~win2003~x64~",
            "cpe:2.3:a:hp:insight_diagnostics:7.4.0.1570:-:*:*:online:win2003:x64:*",
        ),
        (
            "cpe:/a:hp:openview_network_manager:7.51::~~~linux~~",
            "cpe:2.3:a:hp:openview_network_manager:7.51:*:*:*:*:linux:*:*",
        ),
        (
            r"cpe:/a:foo%5cbar:big%24money_manager_2010:::~~special~ipod_touch~80gb~",
            r"cpe:2.3:a:foo\\bar:big\$money_manager_2010:*:*:*:*:special:ipod_touch:80gb:*",
        ),
        ("cpe:/a:foo%7ebar:big%7emoney_2010", r"cpe:2.3:a:foo\~bar:big\~money_2010:*:*:*:*:*:*:*:*"),
        ("cpe:/a", "cpe:2.3:a:*:*:*:*:*:*:*:*:*:*"),
        ("cpe:/o:linux:linux_kernel:-", "cpe:2.3:o:linux:linux_kernel:-:*:*:*:*:*:*:*"),
        ("cpe:/a:x:y:%2d", r"cpe:2.3:a:x:y:\-:*:*:*:*:*:*:*"),  # a hyphen, not "not applicable"
    ],
)
def test_both_forms_name_the_same_product(uri: str, formatted: str) -> None:
    assert parse(uri) == parse(formatted)
    assert parse(formatted).format() == formatted
    assert parse(formatted).to_uri() == uri


def test_an_unquoted_tilde_in_an_old_uri_is_a_tilde() -> None:
    assert parse("cpe:/a:foo~bar:big%7emoney_2010") == parse("cpe:/a:foo%7ebar:big%7emoney_2010")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            r"cpe:2.3:a:x\-y:z\.a:1\.0:*:*:*:*:*:*:*",
            "cpe:2.3:a:x-y:z.a:1.0:*:*:*:*:*:*:*",
        ),  # needless quoting
        ("cpe:2.3:a:Apache:HTTP_Server:2.4:*:*:*:*:*:*:*", "cpe:2.3:a:apache:http_server:2.4:*:*:*:*:*:*:*"),
        (" cpe:/a:a:b\n", "cpe:/a:a:b"),  # blanks around
    ],
)
def test_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert parse(one) == parse(other)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "cpe"),
        ("pkg:pypi/django", "cpe"),
        ("cpe:2.3:a:openssl:openssl:3.0", "cpe"),  # too few attributes
        ("cpe:2.3:a:b:c:d:e:f:g:h:i:j:k:l", "cpe"),  # too many
        ("cpe:2.3:x:b:c:*:*:*:*:*:*:*:*", "part"),
        ("cpe:2.3:a::c:*:*:*:*:*:*:*:*", "vendor"),  # empty is not "any" in 2.3
        ("cpe:2.3:a:b:c++:*:*:*:*:*:*:*:*", "product"),  # punctuation without a backslash
        ("cpe:2.3:a:b:c:1*0:*:*:*:*:*:*:*", "version"),  # a wildcard inside
        ("cpe:2.3:a:b:c:**:*:*:*:*:*:*:*", "version"),
        ("cpe:2.3:a:b:c:1.0:ü:*:*:*:*:*:*", "update"),
        ("cpe:2.3:a:b:c:1.0:*:*:*:*:*:*:x\\", "other"),  # a lone backslash at the end
        ("cpe:2.3:a:b:c d:1.0:*:*:*:*:*:*:*", "product"),
        ("cpe:/z:b", "part"),
        ("cpe:/a:b:c:12.%02.1234", "version"),  # NISTIR 7695: embedded special character
        ("cpe:/a:foo%5cbar:big%24money_2010%07", "product"),  # NISTIR 7695: no such percent code
        ("cpe:/a:b:c%c3%a9", "product"),
        ("cpe:/a:b:c%4", "product"),
        ("cpe:/a:b:c:1:2:~a~b", "edition"),  # packed into too few pieces
        ("cpe:/a:b:c:1:2:3:4:5", "cpe"),
        ("cpe:/a:%02", "vendor"),
    ],
)
def test_bad_grammar_names_the_field(text: str, field: str) -> None:
    with pytest.raises(InvalidName) as caught:
        parse(text)

    assert list(caught.value.fields) == [field]


@given(names())
def test_every_name_survives_both_forms(name: CpeName) -> None:
    assert parse(name.format()) == name
    assert parse(name.to_uri()) == name


@given(st.text(max_size=60) | st.text("cpe:/2.3aoh*-?\\~%01:", max_size=40).map("cpe:".__add__))
def test_parsing_anything_gives_a_name_or_invalid_name(text: str) -> None:
    try:
        name = parse(text)
    except InvalidName:
        return
    assert parse(name.format()) == name


@given(st.text(string.ascii_letters + string.digits + PUNCTUATION, min_size=1))
def test_escaping_is_undone_by_unescaping_and_yields_a_plain_value(plain: str) -> None:
    value = escape(plain)

    assert unescape(value) == plain.lower()
    assert not has_wildcard(value)
    assert parse(f"cpe:2.3:a:{value}:p:*:*:*:*:*:*:*:*").vendor == value


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("Visual Studio", "visual_studio"),
        ("notepad++", r"notepad\+\+"),
        ("*", r"\*"),
        ("-", r"\-"),
        ("node.js", "node.js"),
        ("a\\b:c", r"a\\b\:c"),
    ],
)
def test_text_is_quoted_as_nvd_does(plain: str, value: str) -> None:
    assert escape(plain) == value


@pytest.mark.parametrize("plain", ["", "  ", "müller", "a\x00b"])
def test_text_that_cpe_cannot_write_is_refused(plain: str) -> None:
    with pytest.raises(InvalidName):
        escape(plain)


def test_the_product_is_part_vendor_and_product() -> None:
    name = parse(r"cpe:2.3:a:notepad-plus-plus:notepad\+\+:8.5:*:*:*:*:*:*:*")

    assert product_of(name) == Product("cpe:a", r"notepad-plus-plus:notepad\+\+")


@pytest.mark.parametrize(
    ("version", "update", "plain"),
    [
        ("7.0", "*", "7.0"),
        ("7.0", "-", "7.0"),
        ("7.0", "update1", "7.0-update1"),
        (r"1.0\+build", r"rc\~1", "1.0+build-rc~1"),
        ("*", "sp1", None),  # no version named
        ("-", "*", None),
        ("1.*", "*", None),  # a pattern is no version
        ("1.0", "sp*", "1.0"),
    ],
)
def test_a_version_carries_its_update(version: str, update: str, plain: str | None) -> None:
    assert version_of(CpeName("a", "v", "p", version, update)) == plain


def test_the_attributes_are_in_the_order_of_the_specification() -> None:
    assert parse("cpe:2.3:a:b:c:d:e:f:g:h:i:j:k") == CpeName(*"abcdefghijk")
    assert len(ATTRIBUTES) == 11


@pytest.mark.parametrize(
    ("written", "product"),
    [
        ("cpe:2.3:a:mozilla:firefox:*:*:*:*:esr:*:*:*", "mozilla:firefox_esr"),
        ("cpe:2.3:a:mozilla:firefox_esr:*:*:*:*:*:*:*:*", "mozilla:firefox_esr"),
        ("cpe:2.3:a:mozilla:firefox:*:*:*:*:-:*:*:*", "mozilla:firefox"),
        ("cpe:2.3:a:mozilla:firefox:*:*:*:*:*:*:*:*", "mozilla:firefox"),
        # until 2025 Thunderbird had no other line: what is said of it is said of the extended one
        ("cpe:2.3:a:mozilla:thunderbird:*:*:*:*:esr:*:*:*", "mozilla:thunderbird"),
    ],
)
def test_an_edition_with_versions_of_its_own_is_a_product(written: str, product: str) -> None:
    assert product_of(parse(written)) == Product("cpe:a", product)
