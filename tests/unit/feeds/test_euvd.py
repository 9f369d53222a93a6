"""ENISA's list: whose word it is, which names are one flaw, and pages that must not be taken."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, Enrichment, Record, SameFlaw
from sentrikat.domain.errors import FeedFormatError, Unavailable
from sentrikat.feeds import euvd
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import as_document, sample

SEARCH = sample("euvd/search.json")
MAPPING = sample("euvd/cve-euvd-mapping.csv")


def listing(**changes: Any) -> Any:
    return orjson.loads(SEARCH) | changes


def page(number: int) -> str:
    question = {"exploited": "true", "fromScore": 0, "toScore": 10, "page": number, "size": euvd.PAGE}
    return f"{euvd.SEARCH}?{urlencode(question)}"


def records(value: Any) -> list[Record]:
    found = list(euvd.parse(as_document(value)))
    assert not [one for one in found if isinstance(one, Quarantined)]
    return [one for one in found if not isinstance(one, Quarantined)]


def exploited(value: Any) -> dict[str, date]:
    return {
        one.vulnerability: one.exploitation.since
        for one in records(value)
        if isinstance(one, Enrichment) and one.exploitation is not None
    }


def test_each_exploited_flaw_is_enisas_word_under_its_cve_or_its_own_name() -> None:
    assert exploited(listing()) == {
        "CVE-2024-99001": date(2025, 10, 8),
        "CVE-2024-99002": date(2024, 2, 1),
        "EUVD-2025-0003": date(2025, 3, 3),  # no CVE names it
        "CVE-2024-99003": date(2025, 3, 3),
        "CVE-2024-99004": date(2025, 3, 3),
    }
    assert {one.source for one in records(listing())} == {"euvd"}


def test_names_are_one_flaw_only_where_one_cve_is_named() -> None:
    names = [(one.name, one.alias) for one in records(listing()) if isinstance(one, SameFlaw)]

    assert names == [
        ("CVE-2024-99001", "EUVD-2025-0001"),
        ("CVE-2024-99001", "GHSA-aaaa-bbbb-cccc"),
        ("CVE-2024-99002", "EUVD-2025-0002"),
        ("CVE-2024-99005", "EUVD-2025-0005"),  # not exploited, and a name all the same
    ]


def test_a_record_without_a_cve_says_what_it_is_about_and_claims_no_versions() -> None:
    (advisory,) = [one for one in records(listing()) if isinstance(one, Advisory)]

    assert advisory.vulnerabilities == ("EUVD-2025-0003",)
    (statement,) = advisory.statements
    assert (statement.product.ecosystem, statement.product.name) == ("cve5", "example:gateway")
    assert not statement.described
    assert statement.note == "5.1 <5.1.5"
    assert len(advisory.references) == 2


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("Oct 8, 2025, 12:00:00 AM", date(2025, 10, 8)),
        ("Dec 31, 2025, 11:59:59 PM", date(2025, 12, 31)),  # UTC, whatever our own zone
        ("Jan 1, 2026, 12:30:00\u202fPM", date(2026, 1, 1)),  # newer Java writes a narrow space
        ("Oct 8, 2025", date(2025, 10, 8)),
        ("2025-10-08T00:00:00Z", date(2025, 10, 8)),
    ],
)
def test_times_are_read_in_the_form_the_server_writes(written: str, day: date) -> None:
    item = listing()["items"][0] | {"exploitedSince": written}

    assert exploited({"items": [item], "total": 1}) == {"CVE-2024-99001": day}


@pytest.mark.parametrize("written", ["Okt 8, 2025, 12:00:00 AM", "yesterday", "Feb 30, 2025, 1:00:00 AM"])
def test_a_time_that_is_none_sets_its_record_aside(written: str) -> None:
    items = listing()["items"]
    items[0]["exploitedSince"] = written

    found = list(euvd.parse(as_document({"items": items, "total": len(items)})))

    assert [one.id for one in found if isinstance(one, Quarantined)] == ["EUVD-2025-0001"]


def test_a_bare_list_is_read_as_the_latest_ones_are_published() -> None:
    assert exploited(listing()["items"]) == exploited(listing())


def test_the_mapping_gives_names_and_nothing_else() -> None:
    assert list(euvd.parse(document(MAPPING))) == [
        SameFlaw("euvd", "CVE-2024-99001", "EUVD-2025-0001"),
        SameFlaw("euvd", "CVE-2024-99002", "EUVD-2025-0002"),
        SameFlaw("euvd", "CVE-2020-0009", "EUVD-2020-0009"),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"euvd_id,cve_id\n", b"<html>busy</html>", b"euvd_id;cve_id\na;b\n", b"[]"]
)
def test_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(euvd.parse(document(content)))


def test_every_page_is_read_and_the_mapping_after_them() -> None:
    items = listing()["items"]
    transport = DictTransport(
        {
            page(0): orjson.dumps({"items": items[:3], "total": 5}),
            page(1): orjson.dumps({"items": items[3:], "total": 5}),
            euvd.MAPPING: MAPPING,
        }
    )

    found = list(euvd.fetch(transport, FeedState(), FetchOptions()))

    assert [one.url for one in found] == [page(0), page(1), euvd.MAPPING]
    again = list(euvd.fetch(transport, FeedState().after(found), FetchOptions()))
    assert [one.url for one in again] == [page(0), page(1)], "an unchanged mapping is not fetched again"


@pytest.mark.parametrize(
    ("files", "cut"),
    [
        ({page(0): SEARCH, euvd.MAPPING: MAPPING}, False),  # a bundle: every page of one run
        ({page(0): orjson.dumps(listing(total=6))}, True),  # one page of several
        (
            {euvd.BASE + "exploitedvulnerabilities": orjson.dumps(listing()["items"])},
            True,
        ),  # the latest eight
        ({euvd.MAPPING: MAPPING}, True),  # names alone say nothing of what is exploited
    ],
)
def test_what_a_file_does_not_mention_was_not_taken_back(files: dict[str, bytes], cut: bool) -> None:
    found = list(euvd.fetch(DictTransport(files, live=False), FeedState(), FetchOptions()))

    assert [one.cut for one in found] == [cut] * len(files)


def test_a_mirror_without_the_mapping_still_gives_the_list() -> None:
    transport = DictTransport({page(0): SEARCH})

    assert [one.url for one in euvd.fetch(transport, FeedState(), FetchOptions())] == [page(0)]


@pytest.mark.parametrize(
    "answers",
    [
        [{"items": [], "total": 0}],  # an empty list would clear every mark
        [{"items": [{"id": "EUVD-1-1"}], "total": 2}, {"items": [], "total": 2}],  # a short one clears some
        [
            {"items": [{"id": "EUVD-1-1"}], "total": 2},
            {"items": [{"id": "EUVD-1-1"}], "total": 2},
        ],  # pages that slip
        [{"items": [{"id": "EUVD-1-1"}], "total": "2"}],
        [{"items": {"id": "EUVD-1-1"}, "total": 1}],
    ],
)
def test_pages_that_do_not_add_up_are_refused(answers: list[Any]) -> None:
    transport = DictTransport({page(number): orjson.dumps(one) for number, one in enumerate(answers)})

    with pytest.raises(FeedFormatError, match="was not imported"):
        list(euvd.fetch(transport, FeedState(), FetchOptions()))


def test_a_server_that_is_away_is_unavailable_and_not_an_empty_list() -> None:
    with pytest.raises(Unavailable):
        list(euvd.fetch(DictTransport({}), FeedState(), FetchOptions()))
