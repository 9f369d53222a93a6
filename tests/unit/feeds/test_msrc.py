"""Microsoft's months: what repairs what, in which of its three forms a document comes, and what it must not say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, Product, Remedy, Statement, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import msrc
from sentrikat.feeds.adapter import Document, FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample

MONTH = sample("msrc/2031-Jan.json")
WINDOWS_10 = Product("msrc", "windows 10 version 22h2 for x64-based systems")
SERVER_CORE = Product("msrc", "windows server 2012 r2 (server core installation)")


def month(content: bytes = MONTH) -> dict[str, Advisory]:
    return {one.id: one for one in advisories(msrc.parse, document(content, msrc.MONTHS + "2031-Jan"))}


def said(found: dict[str, Advisory], flaw: str, product: Product) -> Statement:
    (statement,) = [one for one in found[f"2031-Jan/{flaw}"].statements if one.product == product]
    return statement


def updates_without(statement: Statement) -> set[str]:
    """The updates none of which may be there for the statement to hold."""
    assert statement.condition is not None
    (group,) = statement.condition.groups
    assert group.negate
    return {term.product.name for term in group.terms}


def test_a_repair_names_its_build_and_its_update() -> None:
    statement = said(month(), "CVE-2031-0001", WINDOWS_10)

    assert (statement.status, statement.remedy) == (Status.AFFECTED, Remedy.FIXED)
    assert statement.versions.fixed == "10.0.19045.3930"
    assert updates_without(statement) == {"kb5034122"}  # and not the known issue's number
    assert statement.note == "KB5034122"


def test_a_security_only_update_and_a_monthly_rollup_repair_alike() -> None:
    statement = said(month(), "CVE-2031-0001", SERVER_CORE)

    assert updates_without(statement) == {"kb5034171", "kb5034119"}
    assert statement.versions.fixed == "6.3.9600.21760"  # the lower of the two builds


def test_a_build_of_another_release_is_no_bound() -> None:
    """A boot list is filed under every release with the build of one of them."""
    statement = said(month(), "CVE-2031-0002", WINDOWS_10)

    assert statement.versions.fixed is None
    assert statement.described
    assert updates_without(statement) == {"kb5012170"}


def test_an_application_has_its_own_version_and_no_update() -> None:
    statement = said(month(), "CVE-2031-0003", Product("msrc", "microsoft edge (chromium-based)"))

    assert statement.versions.fixed == "120.0.2210.121"
    assert statement.condition is None


def test_an_address_instead_of_a_build_leaves_the_versions_open() -> None:
    statement = said(month(), "CVE-2031-0005", Product("msrc", "microsoft office 2019 for 64-bit editions"))

    assert not statement.described
    assert statement.versions.fixed is None


def test_a_package_of_microsofts_linux_is_a_package() -> None:
    statement = said(month(), "CVE-2031-0004", Product("mariner:2.0", "kernel"))

    assert statement.versions.fixed == "5.15.153.1-1"


def test_what_is_not_affected_is_said() -> None:
    statement = said(month(), "CVE-2031-0001", Product("msrc", "microsoft office 2019 for 64-bit editions"))

    assert statement.status is Status.UNAFFECTED


def test_an_advisory_about_no_flaw_only_brings_its_updates() -> None:
    found = month()

    assert "2031-Jan/ADV310001" not in found
    assert "KB5034999" in {one.name for one in found["2031-Jan"].updates}


def test_the_updates_of_a_month_know_what_they_supersede_and_repair() -> None:
    update = {(one.name, one.product): one for one in month()["2031-Jan"].updates}

    rollup = update["KB5034171", SERVER_CORE]
    assert rollup.kind == "Monthly Rollup"
    assert rollup.supersedes == ("KB3124280", "KB5033420")  # the bulletin between them is none
    assert rollup.vulnerabilities == ("CVE-2031-0001",)
    assert rollup.fixed_build == "6.3.9600.21765"
    assert str(rollup.released) == "2031-01-08"
    assert update["KB5012170", WINDOWS_10].fixed_build is None


def test_a_flaw_has_its_words_and_dates() -> None:
    flaw = month()["2031-Jan/CVE-2031-0001"]

    assert flaw.description == "Windows Kernel Elevation of Privilege & more."
    assert flaw.published is not None
    assert flaw.modified is not None
    assert flaw.published.isoformat() == "2031-01-08T08:00:00+00:00"
    assert flaw.modified.isoformat() == "2031-02-11T08:00:00+00:00"
    assert [one.score for one in flaw.scores] == [7.8]
    assert flaw.weaknesses == ("CWE-416",)


def test_json_and_xml_say_the_same() -> None:
    assert month(sample("msrc/2031-Jan.xml")) == month()


def test_csaf_says_the_same_of_one_flaw() -> None:
    (flaw, updates) = advisories(msrc.parse, document(sample("msrc/msrc_cve-2031-0001.json")))

    assert flaw.statements == (said(month(), "CVE-2031-0001", WINDOWS_10),)
    assert [(one.name, one.product) for one in updates.updates] == [("KB5034122", WINDOWS_10)]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE cvrfdoc [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><cvrfdoc>&c;</cvrfdoc>"""
ABROAD = b'<!DOCTYPE cvrfdoc SYSTEM "file:///etc/passwd"><cvrfdoc/>'


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(MONTH)
    change(value)
    return orjson.dumps(value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB, "document type"),
        (ABROAD, "document type"),
        (b"<a>" * 60 + b"</a>" * 60, "nested"),
        (b"<html><body>Service Unavailable</body></html>", "names no flaw that a build"),
        (MONTH[: len(MONTH) // 2], "unexpected"),
        (sample("msrc/2031-Jan.xml")[:4_000], "not well-formed"),
        (b"[]", "not an object"),
        (changed(lambda value: value.pop("Vulnerability")), "Vulnerability"),
        (changed(lambda value: value.update(Vulnerability=[])), "no vulnerability"),
        (changed(lambda value: value["ProductTree"].update(FullProductName=[])), "product tree is empty"),
    ],
)
def test_a_document_that_is_no_month_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(FeedFormatError, match=reason):
        list(msrc.parse(document(content)))


@pytest.mark.parametrize("part", ["Remediations", "ProductStatuses"])
def test_a_part_that_is_called_otherwise_is_no_empty_one(part: str) -> None:
    content = MONTH.replace(f'"{part}"'.encode(), b'"Other"')

    with pytest.raises(FeedFormatError, match=part):
        list(msrc.parse(document(content)))


def test_one_malformed_record_is_set_aside() -> None:
    content = changed(lambda value: value["Vulnerability"][1].update(Remediations="none"))

    records = list(msrc.parse(document(content)))

    (bad,) = [one for one in records if isinstance(one, Quarantined)]
    assert bad.id == "2031-Jan/CVE-2031-0002"
    assert len(records) == 6


LIST = {
    "value": [
        {
            "ID": "2030-Dec",
            "CurrentReleaseDate": "2030-12-20T08:00:00Z",
            "CvrfUrl": "https://elsewhere.example/",
        },
        {"ID": "2031-Jan", "CurrentReleaseDate": "2031-02-11T08:00:00Z"},
        {"ID": "../../x", "CurrentReleaseDate": "2031-02-11T08:00:00Z"},  # no month, and no address either
    ]
}


def fetched(state: FeedState, listed: object = LIST) -> list[Document]:
    transport = DictTransport(
        {
            msrc.LIST: orjson.dumps(listed),
            msrc.MONTHS + "2030-Dec": MONTH,
            msrc.MONTHS + "2031-Jan": MONTH,
        }
    )
    return list(msrc.fetch(Online(transport), state, FetchOptions()))


class Online:
    """A transport that asks servers: it cannot list what there is."""

    def __init__(self, documents: DictTransport) -> None:
        self._documents = documents

    def get(self, url: str, *given: Any, **more: Any) -> Document | None:
        return self._documents.get(url, *given, **more)

    def listing(self, _prefix: str) -> None:
        return None


def test_only_months_that_moved_are_fetched() -> None:
    first = fetched(FeedState())
    state = FeedState().after(first)

    assert [one.url for one in first] == [msrc.MONTHS + "2030-Dec", msrc.MONTHS + "2031-Jan"]
    assert fetched(state) == []
    moved = {
        "value": [{**LIST["value"][0], "CurrentReleaseDate": "2031-03-01T08:00:00Z"}, *LIST["value"][1:]]
    }
    assert [one.url for one in fetched(state, moved)] == [msrc.MONTHS + "2030-Dec"]


def test_a_list_without_months_is_refused() -> None:
    with pytest.raises(FeedFormatError, match="lists no month"):
        fetched(FeedState(), {"value": []})


def test_a_record_of_an_unknown_kind_is_set_aside() -> None:
    content = as_document(
        {**json.loads(MONTH), "Vulnerability": [{"CVE": "MS16-001"}, *json.loads(MONTH)["Vulnerability"]]}
    )

    assert [one.id for one in msrc.parse(content) if isinstance(one, Quarantined)] == ["2031-Jan/MS16-001"]
