"""The table of feeds, and what every adapter owes it."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sentrikat.domain.errors import Conflict, FeedFormatError, NotFound
from sentrikat.feeds import kev, registry
from sentrikat.feeds.adapter import (
    Document,
    Feed,
    FeedState,
    FetchOptions,
    Quarantined,
    Validators,
    attempt,
    mostly_good,
    reading,
)
from sentrikat.feeds.held import refuse_older
from sentrikat.feeds.transports.file import FileTransport, url_for
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import SAMPLES
from tests.unit.feeds.test_parsers_never_crash import BYTES

NOW = datetime(2026, 6, 10, tzinfo=UTC)
FEEDS = Path(registry.__file__).parent


def test_a_feed_is_known_by_its_name() -> None:
    assert registry.feed("kev").title.startswith("CISA")
    with pytest.raises(NotFound):
        registry.feed("nonsense")


@pytest.mark.parametrize("feed", registry.FEEDS, ids=lambda feed: feed.name)
def test_every_feed_says_where_it_comes_from_and_under_which_terms(feed: Feed) -> None:
    assert feed.license
    assert feed.terms
    assert feed.title
    assert feed.pace.total_seconds() > 0
    assert all(urlsplit(source).scheme == "https" for source in feed.sources)


@pytest.mark.parametrize("feed", registry.FEEDS, ids=lambda feed: feed.name)
def test_no_feed_imports_another(feed: Feed) -> None:
    tree = ast.parse((FEEDS / f"{feed.name}.py").read_text())
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }

    assert not imported & {one.name for one in registry.FEEDS}


@pytest.mark.parametrize("feed", registry.FEEDS, ids=lambda feed: feed.name)
def test_a_bundle_without_a_feed_is_no_news_of_it(feed: Feed) -> None:
    assert list(feed.fetch(DictTransport({}, live=False), FeedState(), FetchOptions(now=NOW))) == []


def test_a_file_stands_for_the_first_source_of_its_feed() -> None:
    path = SAMPLES / "kev" / "known_exploited_vulnerabilities_2026-05-30.json"
    feed = registry.feed("kev")
    transport = FileTransport(path, url_for(feed, path), NOW)

    (found,) = feed.fetch(transport, FeedState(), FetchOptions(now=NOW))

    assert (found.url, found.fetched_at, found.size) == (kev.URL, NOW, path.stat().st_size)
    assert list(feed.parse(found))


@pytest.mark.parametrize(
    ("name", "path"), [("nvd", "nvd/nvdcve-2.0.json"), ("osv", "osv/GHSA-jfh8-c2jp-5v3q.json")]
)
def test_a_file_of_a_feed_with_many_documents_is_read_too(name: str, path: str) -> None:
    feed = registry.feed(name)
    transport = FileTransport(SAMPLES / path, url_for(feed, SAMPLES / path), NOW)

    documents = list(feed.fetch(transport, FeedState(), FetchOptions(now=NOW)))

    assert len(documents) == 1
    assert list(feed.parse(documents[0]))


@pytest.mark.parametrize("feed", registry.FEEDS, ids=lambda feed: feed.name)
def test_one_document_of_any_feed_is_read_from_a_file_of_any_name(feed: Feed, tmp_path: Path) -> None:
    """`sentrikat feeds import FILE --feed NAME`, for whoever has only the one file."""
    path = tmp_path / "carried-over.bin"
    path.write_bytes(BYTES[feed.name])
    transport = FileTransport(path, url_for(feed, path), NOW)

    documents = list(feed.fetch(transport, FeedState(), FetchOptions(now=NOW)))

    assert any(not isinstance(record, Quarantined) for one in documents for record in feed.parse(one))


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "missing.json"

    with pytest.raises(NotFound, match=r"missing\.json was not imported"):
        FileTransport(path, kev.URL, NOW).get(kev.URL)


def test_the_state_survives_storage() -> None:
    state = FeedState({kev.URL: Validators('"a"', None)}, {"released": "2026-05-29"})

    assert FeedState.from_json(state.as_json()) == state
    assert FeedState.from_json(None) == FeedState()


def test_trouble_with_a_document_names_it_and_the_place() -> None:
    found = document(b"{}", "https://feeds.example/list.json")

    with (
        pytest.raises(
            FeedFormatError, match=r"list\.json was not imported: the field 'entries' is missing"
        ) as one,
        reading(found),
    ):
        found.json()["entries"]

    assert one.value.hint is not None
    assert "https://feeds.example/list.json" in one.value.hint


def test_trouble_that_is_no_fault_of_the_document_passes_through() -> None:
    """A full disk must not read like a broken feed."""
    with pytest.raises(OSError, match="No space"), reading(document(b"")):
        raise OSError(28, "No space left on device")


def test_a_record_that_cannot_even_be_named_is_set_aside() -> None:
    nothing: dict[str, str] = {}

    found = attempt(None, lambda: nothing["id"], lambda: int("x"))

    assert found == Quarantined(None, "invalid literal for int() with base 10: 'x'", "null")


def test_a_minority_of_bad_records_passes_and_a_majority_refuses() -> None:
    bad, good = Quarantined("x", "why", ""), next(kev.parse(_catalogue()))

    assert len(list(mostly_good(_catalogue(), [good, bad]))) == 2
    with pytest.raises(FeedFormatError, match="2 of 3 records"):
        list(mostly_good(_catalogue(), [good, bad, bad]))


def _catalogue() -> Document:
    return document((SAMPLES / "kev" / "known_exploited_vulnerabilities_2026-05-30.json").read_bytes())


def test_the_same_age_is_not_older() -> None:
    state = FeedState(cursors={"released": "2026-05-29"})

    refuse_older(_catalogue(), state, released="2026-05-29")
    with pytest.raises(Conflict):
        refuse_older(_catalogue(), state, released="2026-05-28")
