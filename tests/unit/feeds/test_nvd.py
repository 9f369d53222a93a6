"""NVD: records, counts, and which documents are asked for when."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, Product
from sentrikat.domain.errors import FeedFormatError, Unavailable
from sentrikat.feeds import nvd
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample

CONTENT = sample("nvd/nvdcve-2.0.json")
NOW = datetime(2026, 3, 15, tzinfo=UTC)


def feed(**changes: Any) -> Any:
    return orjson.loads(CONTENT) | changes


def of(record: dict[str, Any]) -> Any:
    return feed(vulnerabilities=[{"cve": record}], resultsPerPage=1, totalResults=1)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Advisory]:
    return {one.id: one for one in advisories(nvd.parse, document(gzip.compress(CONTENT), nvd.MODIFIED))}


def test_every_recorded_record_is_read(recorded: dict[str, Advisory]) -> None:
    assert len(recorded) == feed()["totalResults"]
    assert all(one.vulnerabilities == (one.id,) for one in recorded.values())


def test_a_range_keeps_its_ends(recorded: dict[str, Advisory]) -> None:
    found = [one for one in recorded["CVE-2020-13956"].statements if one.product.name == "apache:httpclient"]

    assert [one.product for one in found] == [Product("cpe:a", "apache:httpclient")] * 2
    assert [(one.versions.introduced, one.versions.fixed) for one in found] == [
        (None, "4.5.13"),
        ("5.0.0", "5.0.3"),
    ]


def test_what_a_flaw_needs_beside_the_product_is_a_condition_and_no_victim(
    recorded: dict[str, Advisory],
) -> None:
    conditional = [one for record in recorded.values() for one in record.statements if one.condition]

    assert conditional
    assert all(group.terms for one in conditional if one.condition for group in one.condition.groups)


def test_every_assessor_keeps_the_own_score(recorded: dict[str, Advisory]) -> None:
    scores = recorded["CVE-2020-13956"].scores

    assert [(one.version, one.score, one.provider, one.primary) for one in scores] == [
        ("3.1", 5.3, "NVD", True),
        ("2.0", 5.0, "NVD", True),
    ]


def test_a_rejected_record_says_so_and_states_nothing(recorded: dict[str, Advisory]) -> None:
    rejected = [one for one in recorded.values() if one.rejected]

    assert rejected
    assert all(one.statements == () for one in rejected)


def test_only_real_weaknesses_are_named(recorded: dict[str, Advisory]) -> None:
    assert recorded["CVE-2020-13956"].weaknesses == ()  # NVD-CWE-noinfo


@pytest.mark.parametrize(
    "content",
    [
        feed(vulnerabilities=feed()["vulnerabilities"][:-1]),  # cut, and whole JSON again
        {key: value for key, value in feed().items() if key != "vulnerabilities"},
        {"items" if key == "vulnerabilities" else key: value for key, value in feed().items()},
        {key: value for key, value in feed().items() if key != "resultsPerPage"},
        [],
        "text",
    ],
)
def test_a_document_that_holds_less_than_it_announces_is_refused(content: Any) -> None:
    with pytest.raises(FeedFormatError):
        list(nvd.parse(as_document(content)))


def test_a_cut_stream_is_refused() -> None:
    with pytest.raises(FeedFormatError):
        list(nvd.parse(document(gzip.compress(CONTENT)[:-100])))


def test_a_record_with_an_impossible_name_is_set_aside() -> None:
    content = feed()
    broken = {
        "id": "CVE-2026-0001",
        "configurations": [{"nodes": [{"cpeMatch": [{"criteria": "cpe:2.3:x"}]}]}],
    }
    content["vulnerabilities"][0] = {"cve": broken}

    aside = [one for one in nvd.parse(as_document(content)) if isinstance(one, Quarantined)]

    assert [one.id for one in aside] == ["CVE-2026-0001"]


def yearly(*years: int) -> dict[str, bytes]:
    return {
        f"{nvd.FILES}nvdcve-2.0-{year}.json.gz": orjson.dumps(
            feed(timestamp=f"{year + 1}-01-01T00:00:00.000")
        )
        for year in years
    }


def test_the_first_fill_asks_for_every_year_and_remembers_the_oldest_file() -> None:
    transport = DictTransport(yearly(*range(nvd.FIRST_YEAR, NOW.year + 1)))

    state = FeedState().after(nvd.fetch(transport, FeedState(), FetchOptions(now=NOW)))

    assert len(transport.asked) == NOW.year - nvd.FIRST_YEAR + 1
    assert state.cursors["last_modified"] == "2003-01-01T00:00:00+00:00"


def test_on_new_years_day_there_is_no_file_of_the_year_yet() -> None:
    transport = DictTransport(yearly(*range(nvd.FIRST_YEAR, 2027)))
    options = FetchOptions(now=datetime(2027, 1, 1, tzinfo=UTC))

    state = FeedState().after(nvd.fetch(transport, FeedState(), options))

    assert state.cursors["last_modified"] == "2003-01-01T00:00:00+00:00"


def test_a_missing_file_of_an_earlier_year_ends_the_run() -> None:
    transport = DictTransport(yearly(*range(nvd.FIRST_YEAR, 2020)))

    with pytest.raises(Unavailable):
        list(nvd.fetch(transport, FeedState(), FetchOptions(now=NOW)))


def test_after_a_day_the_modified_file_is_asked_for() -> None:
    state = FeedState(cursors={"last_modified": (NOW - timedelta(days=1)).isoformat()})
    transport = DictTransport({nvd.MODIFIED: CONTENT})

    (found,) = nvd.fetch(transport, state, FetchOptions(now=NOW))

    assert transport.asked == [nvd.MODIFIED]
    assert found.cursors["last_modified"] == "2026-03-14T00:00:00+00:00"


def test_the_cursor_never_moves_back() -> None:
    state = FeedState(cursors={"last_modified": "2026-03-14T12:00:00+00:00"})

    (found,) = nvd.fetch(DictTransport({nvd.MODIFIED: CONTENT}), state, FetchOptions(now=NOW))

    assert found.cursors["last_modified"] == "2026-03-14T12:00:00+00:00"


class Api(DictTransport):
    """Answers any question with a page out of `total` records."""

    total = 4_500

    def get(self, url: str, *_: Any, params: Any = None, headers: Any = None) -> Any:
        index = int(params["startIndex"])
        page = feed(totalResults=self.total, startIndex=index, resultsPerPage=19)
        found = as_document(page, f"{url}?{index}")
        self.asked.append(f"{params['lastModStartDate'][:10]} {params['lastModEndDate'][:10]} {index}")
        self.headers.append(headers or {})
        return found


def test_after_a_long_absence_the_api_is_asked_in_windows_and_pages_at_the_callers_pace() -> None:
    transport, waits = Api({}), []
    state = FeedState(cursors={"last_modified": (NOW - timedelta(days=200)).isoformat()})
    options = FetchOptions(now=NOW, pace=lambda: waits.append(1), nvd_api_key="secret")

    after = state.after(nvd.fetch(transport, state, options))

    assert transport.asked == [
        "2025-08-27 2025-12-24 0",
        "2025-08-27 2025-12-24 2000",
        "2025-08-27 2025-12-24 4000",
        "2025-12-24 2026-03-15 0",
        "2025-12-24 2026-03-15 2000",
        "2025-12-24 2026-03-15 4000",
    ]
    assert len(waits) == 6
    assert all(headers == {"apiKey": "secret"} for headers in transport.headers)
    assert after.cursors["last_modified"] == NOW.isoformat()


def test_a_run_that_stops_in_a_window_keeps_the_cursor_before_it() -> None:
    state = FeedState(cursors={"last_modified": (NOW - timedelta(days=60)).isoformat()})
    pages = nvd.fetch(Api({}), state, FetchOptions(now=NOW))

    after = state.after([next(pages), next(pages)])

    assert after.cursors == state.cursors


def test_from_a_bundle_comes_all_it_holds() -> None:
    held = yearly(2002, 2026)
    transport = DictTransport(held, live=False)

    assert [one.url for one in nvd.fetch(transport, FeedState(), FetchOptions(now=NOW))] == list(held)
