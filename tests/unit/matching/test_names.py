"""Words against words: what may be the software a flaw names, and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.matching.names import flaw_names, may_be, software_name


def means(
    vendor: str, product: str, title: str, made_by: str | None = None, bundle: str | None = None
) -> bool:
    software = software_name(title, made_by, bundle)
    return any(may_be(one, software) for one in flaw_names(vendor, product))


@pytest.mark.parametrize(
    ("vendor", "product", "title", "made_by"),
    [
        ("Fortinet", "FortiClient EMS", "FortiClient EMS 7.2.1", "Fortinet Inc."),
        ("Fortinet", "FortiClient EMS", "Fortinet FortiClient EMS", None),  # the title itself names the maker
        ("Ivanti", "Endpoint Manager Mobile (EPMM)", "Ivanti EPMM", None),  # by its short form
        (
            "Dassault Systèmes",
            "DELMIA Apriso",
            "DELMIA Apriso 2023",
            "Dassault Systemes",
        ),  # without its accent
        ("Citrix", "NetScaler ADC and Gateway", "Citrix NetScaler ADC", None),  # one of two products
        ("N-able", "N-Central", "N-able N-central", None),
        ("Grafana Labs", "Grafana", "Grafana", "Grafana Labs"),  # named like its maker
        ("fortinet", "forticlient ems", "FortiClient EMS", "Fortinet"),
        ("Trend Micro", "Apex One", "Trend Micro Apex One Security Agent", "Trend Micro Inc."),
    ],
)
def test_the_maker_and_every_telling_word_are_evidence(
    vendor: str, product: str, title: str, made_by: str | None
) -> None:
    assert means(vendor, product, title, made_by)


@pytest.mark.parametrize(
    ("vendor", "product", "title", "made_by"),
    [
        ("Fortinet", "FortiClient EMS", "FortiClient EMS", None),  # nobody says who made it
        ("Fortinet", "FortiClient EMS", "FortiClient", "Fortinet"),  # another product of the maker
        ("Apple", "Multiple Products", "iTunes", "Apple Inc."),  # names nothing
        ("n/a", "n/a", "n/a", "n/a"),
        ("Microsoft", "Windows", "Microsoft Windows Desktop Runtime", "Microsoft"),  # a word of everything
        ("Example", "Server", "Example Mail Server", "Example"),
        (
            "Grafana Labs",
            "Grafana",
            "Grafana Loki",
            "Grafana Labs",
        ),  # named like its maker, and more than that
        ("Software Inc.", "Frobnicator", "Frobnicator", "Other Software Inc."),  # a legal form is no maker
        ("TeleMessage", "TM SGNL", "Signal", "Signal Messenger"),
    ],
)
def test_without_either_there_is_none(vendor: str, product: str, title: str, made_by: str | None) -> None:
    assert not means(vendor, product, title, made_by)


def test_a_bundle_id_names_the_maker() -> None:
    assert means("Proxyman", "Frobnicator", "Frobnicator", bundle="com.proxyman.Frobnicator")


@given(vendor=st.text(max_size=60), product=st.text(max_size=120), title=st.text(max_size=120))
def test_names_of_any_letters_are_read(vendor: str, product: str, title: str) -> None:
    software = software_name(title, vendor, title)
    for one in flaw_names(vendor, product):
        assert one.key in one.words
        assert not one.words or may_be(one, software) in {True, False}
