"""OSV's archives: read entry by entry, one bad record does not spoil the rest."""

from __future__ import annotations

import orjson
import pytest

from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import osv
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import SAMPLES, advisories, sample, zipped

RECORDS = [path.read_bytes() for path in sorted((SAMPLES / "osv").glob("*.json"))]
ARCHIVE = zipped(RECORDS)


def test_every_recorded_record_is_read() -> None:
    found = advisories(osv.parse, document(ARCHIVE, osv.archive_url("PyPI")))

    assert len(found) == len(RECORDS)
    assert all(one.source == "osv" for one in found)


def test_a_single_record_is_read_like_an_archive_of_one() -> None:
    content = sample("osv/GHSA-jfh8-c2jp-5v3q.json")

    (found,) = advisories(osv.parse, document(content, osv.BUCKET + "Maven/GHSA-jfh8-c2jp-5v3q.json"))

    assert found.vulnerabilities == ("CVE-2021-44228",)


@pytest.mark.parametrize("broken", [b"", b"[]", b"{", b'{"id": 5}', b'{"id": "X", "affected": {}}', b"\xff"])
def test_a_malformed_record_is_set_aside_by_its_file_name(broken: bytes) -> None:
    records = list(osv.parse(document(zipped([*RECORDS, broken]), osv.archive_url("PyPI"))))

    (aside,) = [one for one in records if isinstance(one, Quarantined)]
    assert aside.id == str(len(RECORDS))


@pytest.mark.parametrize("content", [b"", ARCHIVE[: len(ARCHIVE) // 2], zipped([]), b"<html>"])
def test_a_cut_or_empty_archive_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(osv.parse(document(content, osv.archive_url("PyPI"))))


def test_only_the_archives_that_changed_are_fetched() -> None:
    urls = [osv.archive_url("PyPI"), osv.archive_url("Rocky Linux")]
    transport = DictTransport(dict.fromkeys(urls, ARCHIVE))
    options = FetchOptions(ecosystems=("PyPI", "Rocky Linux"))
    state = FeedState().after(list(osv.fetch(transport, FeedState(), options))[:1])

    (changed,) = osv.fetch(transport, state, options)

    assert changed.url.endswith("/Rocky%20Linux/all.zip")


def test_a_bundle_gives_the_archives_it_holds_and_no_others_are_asked_for() -> None:
    transport = DictTransport({osv.archive_url("Go"): ARCHIVE}, live=False)

    assert [one.url for one in osv.fetch(transport, FeedState(), FetchOptions())] == [osv.archive_url("Go")]
    assert transport.asked == [osv.archive_url("Go")]


def test_an_erratum_that_ships_headers_says_nothing_of_them() -> None:
    """RHEL 7's kernel-headers come from two kernels: the repaired 4.14 made every 3.10 look broken."""
    span = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0:4.14.0-115.el7a"}]}]
    record = {
        "id": "RHSA-2026:1",
        "modified": "2026-01-01T00:00:00Z",
        "related": ["CVE-2026-1001"],
        "affected": [
            {"package": {"ecosystem": "Red Hat:enterprise_linux:7", "name": name}, "ranges": span}
            for name in ("kernel-alt", "kernel-headers", "bpftool")
        ],
    }

    (found,) = advisories(osv.parse, document(zipped([orjson.dumps(record)]), osv.archive_url("Red Hat")))

    assert [one.product.name for one in found.statements] == ["kernel-alt", "bpftool"]
