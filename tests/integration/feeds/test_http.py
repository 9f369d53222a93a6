"""The HTTP transport against the upstreams' mirror: unchanged, broken off, refused, stale, drifted."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sentrikat.domain.advisory import Advisory, Enrichment
from sentrikat.domain.errors import Conflict, FeedFormatError, Unavailable
from sentrikat.feeds import epss, kev, nvd, osv
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.http import HttpTransport
from tests.integration.feeds.conftest import NOW, Mirror

KEV = "/www.cisa.gov/"
EPSS = "/epss.empiricalsecurity.com/"
OPTIONS = FetchOptions(now=NOW)


def test_the_catalogue_is_fetched_once_and_then_only_asked_after(
    mirror: Mirror, transport: HttpTransport
) -> None:
    first = list(kev.fetch(transport, FeedState(), OPTIONS))
    again = list(kev.fetch(transport, FeedState().after(first), OPTIONS))

    assert len(list(kev.parse(first[0]))) == 1_607
    assert again == []
    assert [one["status"] for one in mirror.requests(KEV)] == [200, 304]


def test_many_questions_with_nothing_new_go_over_one_connection(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, int]] = []
    connect = socket.create_connection

    def counted(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
        opened.append(address)
        return connect(address, *rest, **options)

    monkeypatch.setattr(socket, "create_connection", counted)
    with (
        httpx2.Client(timeout=60) as client,
        HttpTransport(client, lambda: NOW, base=mirror.url, folder=tmp_path) as transport,
    ):
        held = transport.get(kev.URL)
        assert held is not None
        assert [transport.get(kev.URL, held.validators) for _ in range(5)] == [None] * 5

    assert len(opened) == 1


def test_from_one_month_to_the_next_the_catalogue_gains_entries(
    mirror: Mirror, transport: HttpTransport
) -> None:
    mirror.control(kev_date="2026-04-29")
    april = list(kev.fetch(transport, FeedState(), OPTIONS))
    mirror.control(kev_date="2026-05-30")
    may = list(kev.fetch(transport, FeedState().after(april), OPTIONS))

    named = [
        {one.vulnerability for one in kev.parse(found[0]) if isinstance(one, Enrichment)}
        for found in (april, may)
    ]
    assert len(named[1] - named[0]) == 22


def test_a_mirror_that_goes_back_in_time_is_refused(mirror: Mirror, transport: HttpTransport) -> None:
    held = FeedState().after(kev.fetch(transport, FeedState(), OPTIONS))
    mirror.control(kev_date="2026-04-29")

    with pytest.raises(Conflict, match="already holds"):
        list(kev.fetch(transport, held, OPTIONS))


def test_the_document_is_known_by_the_address_of_its_source(transport: HttpTransport) -> None:
    (found,) = kev.fetch(transport, FeedState(), OPTIONS)

    assert (found.url, found.fetched_at) == (kev.URL, NOW)
    assert found.size == len(found.read())


def test_a_server_that_is_busy_is_asked_again_when_it_says(mirror: Mirror, transport: HttpTransport) -> None:
    mirror.control(prefix=KEV, status=503, retry_after=1, times=1)
    started = datetime.now(UTC)

    assert transport.get(kev.URL) is not None
    assert (datetime.now(UTC) - started).total_seconds() >= 1
    assert [one["status"] for one in mirror.requests(KEV)] == [503, 200]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_stays_broken_ends_the_run_after_a_few_attempts(
    mirror: Mirror, transport: HttpTransport, status: int
) -> None:
    mirror.control(prefix=KEV, status=status, retry_after=0)

    with pytest.raises(Unavailable, match=str(status)) as refusal:
        transport.get(kev.URL)

    assert len(mirror.requests(KEV)) == 4
    assert refusal.value.hint


def test_a_server_that_asks_for_hours_is_left_to_the_next_run(
    mirror: Mirror, transport: HttpTransport
) -> None:
    mirror.control(prefix=KEV, status=429, retry_after=7_200)

    with pytest.raises(Unavailable):
        transport.get(kev.URL)

    assert len(mirror.requests(KEV)) == 1


@pytest.mark.parametrize(("status", "code"), [(404, "feed_missing"), (401, "feed_unreachable")])
def test_a_definite_no_is_not_asked_again(
    mirror: Mirror, transport: HttpTransport, status: int, code: str
) -> None:
    mirror.control(prefix=KEV, status=status)

    with pytest.raises(Unavailable) as refusal:
        transport.get(kev.URL)

    assert refusal.value.code == code
    assert len(mirror.requests(KEV)) == 1


def test_a_download_that_breaks_off_is_continued_where_it_stopped(
    mirror: Mirror, transport: HttpTransport
) -> None:
    mirror.control(prefix=EPSS, truncate=1_000_000)

    (found,) = epss.fetch(transport, FeedState(), OPTIONS)

    ranges = [one["range"] for one in mirror.requests(EPSS)]
    assert ranges == [None, "bytes=1000000-", "bytes=2000000-"]
    assert sum(isinstance(one, Enrichment) for one in epss.parse(found)) == 338_421


def test_a_download_that_never_ends_well_is_given_up(mirror: Mirror, transport: HttpTransport) -> None:
    mirror.control(prefix=KEV, truncate=1_000)

    with pytest.raises(Unavailable):
        transport.get(kev.URL)


def test_a_cut_that_looks_whole_is_found_by_the_parser(mirror: Mirror, transport: HttpTransport) -> None:
    mirror.control(prefix=EPSS, truncate=1_000_000, truncate_clean=True)

    (found,) = epss.fetch(transport, FeedState(), OPTIONS)

    with pytest.raises(FeedFormatError):
        list(epss.parse(found))


def test_a_catalogue_whose_fields_were_renamed_is_refused(mirror: Mirror, transport: HttpTransport) -> None:
    mirror.control(prefix=KEV, drift={"vulnerabilities": "items"})
    (found,) = kev.fetch(transport, FeedState(), OPTIONS)

    with pytest.raises(FeedFormatError, match="vulnerabilities"):
        list(kev.parse(found))


def test_entries_that_vanish_behind_the_catalogues_back_are_noticed(
    mirror: Mirror, transport: HttpTransport
) -> None:
    mirror.control(prefix=KEV, drop_ids=["CVE-2021-44228"])
    (found,) = kev.fetch(transport, FeedState(), OPTIONS)

    try:
        names = {one.vulnerability for one in kev.parse(found) if isinstance(one, Enrichment)}
    except FeedFormatError:
        return  # the count told
    assert "CVE-2021-44228" not in names  # the mirror corrected the count: withdrawn, as far as one can tell


def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(mirror: Mirror, tmp_path: Path) -> None:
    mirror.control(prefix=KEV, latency_ms=400)
    with (
        httpx2.Client(timeout=0.1) as hasty,
        HttpTransport(
            hasty, lambda: NOW, mirror.url, tmp_path, attempts=2, first_wait_seconds=0.01
        ) as transport,
        pytest.raises(Unavailable),
    ):
        transport.get(kev.URL)


def test_a_download_larger_than_allowed_is_stopped(mirror: Mirror, tmp_path: Path) -> None:
    with (
        httpx2.Client() as client,
        HttpTransport(client, lambda: NOW, mirror.url, tmp_path, largest=100_000) as transport,
        pytest.raises(Unavailable, match=r"100,000"),
    ):
        transport.get(kev.URL)  # 170 kB packed, 1.4 MB unpacked


def test_downloads_are_deleted_with_the_transport(mirror: Mirror, tmp_path: Path) -> None:
    with httpx2.Client() as client, HttpTransport(client, lambda: NOW, mirror.url, tmp_path) as transport:
        transport.get(kev.URL)
        assert list(tmp_path.iterdir())

    assert list(tmp_path.iterdir()) == []


def test_an_archive_of_osv_is_read_whole(transport: HttpTransport) -> None:
    options = FetchOptions(now=NOW, ecosystems=("Rocky Linux", "crates.io"))
    state = FeedState()
    fetched = list(osv.fetch(transport, state, options))

    found = [record for document in fetched for record in osv.parse(document)]

    assert len(found) == 1_491 + 1_614
    assert not [one for one in found if isinstance(one, Quarantined)]
    assert list(osv.fetch(transport, state.after(fetched), options)) == []


def test_nvd_gives_what_changed_in_a_window(mirror: Mirror, transport: HttpTransport) -> None:
    mirror.control(nvd_rate_limit=True)
    now = datetime(2026, 3, 10, tzinfo=UTC)
    state = FeedState(cursors={"last_modified": "2026-02-25T00:00:00+00:00"})
    asked = []

    pages = list(nvd.fetch(transport, state, FetchOptions(now=now, pace=lambda: asked.append(1))))

    found = [record for page in pages for record in nvd.parse(page)]
    assert len(found) > 100
    assert all(isinstance(one, Advisory) and one.modified and one.modified.year == 2026 for one in found)
    assert len(asked) == len(pages) == len(mirror.requests("/services.nvd.nist.gov/"))
    assert state.after(pages).cursors["last_modified"] == now.isoformat()


def test_the_key_of_nvd_is_sent_to_nvd(mirror: Mirror, tmp_path: Path) -> None:
    sent: list[httpx2.Headers] = []
    now = datetime(2026, 3, 10, tzinfo=UTC)
    state = FeedState(cursors={"last_modified": "2026-03-01T00:00:00+00:00"})
    with (
        httpx2.Client(timeout=60, event_hooks={"request": [lambda one: sent.append(one.headers)]}) as client,
        HttpTransport(client, lambda: NOW, mirror.url, tmp_path) as transport,
    ):
        list(nvd.fetch(transport, state, FetchOptions(now=now, nvd_api_key="key")))
        list(kev.fetch(transport, FeedState(), FetchOptions(now=now, nvd_api_key="key")))

    assert ["apikey" in headers for headers in sent] == [True] * (len(sent) - 1) + [False]
