"""The shipped snapshot: small, whole, of data that may be shipped, and enough to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sentrikat.domain.advisory import Advisory
from sentrikat.feeds import registry
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.snapshot import FEEDS, PATH
from sentrikat.feeds.transports.bundle import BundleTransport

OPTIONS = FetchOptions(now=datetime(2026, 12, 1, tzinfo=UTC))
# Whose terms allow it: no EPSS, SUSE, Ubuntu, Alpine or Wolfi.
SHIPPED = {
    "PyPI", "npm", "Maven", "NuGet", "Packagist", "RubyGems", "crates.io", "Go", "AlmaLinux", "Rocky%20Linux",
    "Red%20Hat",
}  # fmt: skip


@pytest.fixture(scope="module")
def snapshot() -> Iterator[BundleReader]:
    with BundleReader(PATH) as reader:
        yield reader


def test_it_is_small_enough_to_carry() -> None:
    assert PATH.stat().st_size < 25_000_000


def test_it_holds_only_what_may_be_shipped(snapshot: BundleReader) -> None:
    documents = snapshot.manifest.documents

    assert {one.feed for one in documents} == FEEDS
    assert {one.url.split("/")[-2] for one in documents if one.feed == "osv"} == SHIPPED


def test_it_says_whose_data_it_is(snapshot: BundleReader) -> None:
    attributed = {one.feed: one.terms for one in snapshot.manifest.attributions}

    assert set(attributed) == {one.feed for one in snapshot.manifest.documents}
    assert "not endorsed or certified by the NVD" in attributed["nvd"]


def test_every_cut_document_says_what_it_leaves_out_and_leaves_no_trace(snapshot: BundleReader) -> None:
    for one in snapshot.manifest.documents:
        assert one.cut == (one.feed not in {"kev", "endoflife"})
        assert bool(one.note) == one.cut
        assert not one.validators


@pytest.mark.parametrize("name", ["kev", "debian", "redhat_data", "nvd_cpe", "endoflife"])
def test_a_run_from_it_reads_every_record(snapshot: BundleReader, name: str) -> None:
    """The larger feeds are left to the benchmark of the first start."""
    feed = registry.feed(name)
    documents = feed.fetch(BundleTransport(snapshot, name), FeedState(), OPTIONS)

    records = [record for document in documents for record in feed.parse(document)]

    assert len(records) > {"endoflife": 200}.get(name, 1_000)
    # Three names of the dictionary name no product.
    assert sum(isinstance(one, Quarantined) for one in records) == (3 if name == "nvd_cpe" else 0)


def test_its_nvd_records_carry_scores_and_products(snapshot: BundleReader) -> None:
    feed = registry.feed("nvd")
    (newest, *_) = [one for one in snapshot.manifest.documents if one.url.endswith("2026.json.gz")]

    records = list(feed.parse(snapshot.document(newest)))

    assert all(isinstance(one, Advisory) for one in records)
    assert sum(bool(one.statements and one.scores) for one in records if isinstance(one, Advisory)) > 100
