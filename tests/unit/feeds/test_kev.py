"""CISA's catalogue: entries, counts, and catalogues that must not be taken."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from sentrikat.domain.errors import Conflict, FeedFormatError
from sentrikat.feeds import kev
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport
from tests.unit.feeds.samples import as_document, enrichments, sample

MAY = sample("kev/known_exploited_vulnerabilities_2026-05-30.json")
APRIL = sample("kev/known_exploited_vulnerabilities_2026-04-29.json")


def catalogue(**changes: Any) -> Any:
    return orjson.loads(MAY) | changes


def test_every_entry_becomes_an_enrichment_with_the_dates_as_published() -> None:
    found = {one.vulnerability: one.exploitation for one in enrichments(kev.parse, as_document(catalogue()))}

    assert len(found) == catalogue()["count"]
    log4j = found["CVE-2021-44228"]
    assert log4j is not None
    assert (log4j.since, log4j.due) == (date(2021, 12, 10), date(2021, 12, 24))
    assert log4j.ransomware
    assert (log4j.vendor, log4j.product) == ("Apache", "Log4j2")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"forensicTriage": "Yes"}, True),  # since BOD 26-04
        ({"forensicTriage": "No"}, False),
        ({}, None),  # every entry before June 2026
        ({"forensicTriage": "Maybe"}, None),  # a word the directive does not know says nothing
    ],
)
def test_forensic_triage_is_optional(written: dict[str, str], meant: bool | None) -> None:
    entry = catalogue()["vulnerabilities"][0] | written

    (found,) = enrichments(kev.parse, as_document(catalogue(count=1, vulnerabilities=[entry])))

    assert found.exploitation is not None
    assert found.exploitation.forensic_triage is meant


def test_an_entry_without_a_due_date_has_none() -> None:
    entry = {key: value for key, value in catalogue()["vulnerabilities"][0].items() if key != "dueDate"}

    (found,) = enrichments(kev.parse, as_document(catalogue(count=1, vulnerabilities=[entry])))

    assert found.exploitation is not None
    assert found.exploitation.due is None


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 1607},  # a caching mirror: today's count, yesterday's entries
        {"vulnerabilities": []},  # an empty catalogue would clear every mark
        {"vulnerabilities": [], "count": 0},
        {"vulnerabilities": {"CVE-2021-44228": {}}},  # another shape
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused_whole(changes: dict[str, Any]) -> None:
    with pytest.raises(FeedFormatError, match="was not imported"):
        list(kev.parse(as_document(catalogue(**changes))))


def test_one_malformed_entry_is_set_aside_and_the_others_are_kept() -> None:
    broken = catalogue()
    broken["vulnerabilities"][2]["dateAdded"] = "yesterday"

    records = list(kev.parse(as_document(broken)))

    (aside,) = [one for one in records if isinstance(one, Quarantined)]
    assert aside.id == broken["vulnerabilities"][2]["cveID"]
    assert len(records) == broken["count"]


def test_a_renamed_field_in_every_entry_is_a_changed_format_and_not_an_empty_catalogue() -> None:
    drifted = catalogue()
    for entry in drifted["vulnerabilities"]:
        entry["cve"] = entry.pop("cveID")

    with pytest.raises(FeedFormatError, match="cveID is missing"):
        list(kev.parse(as_document(drifted)))


def test_an_unchanged_catalogue_yields_no_document() -> None:
    transport = DictTransport({kev.URL: MAY})
    first = list(kev.fetch(transport, FeedState(), FetchOptions()))
    state = FeedState.from_json(orjson.loads(orjson.dumps(FeedState().after(first).as_json())))

    assert list(kev.fetch(transport, state, FetchOptions())) == []


def test_a_catalogue_older_than_the_one_held_is_refused() -> None:
    state = FeedState().after(kev.fetch(DictTransport({kev.URL: MAY}), FeedState(), FetchOptions()))

    with pytest.raises(Conflict, match="already holds"):
        list(kev.fetch(DictTransport({kev.URL: APRIL}), state, FetchOptions()))
