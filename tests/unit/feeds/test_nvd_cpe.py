"""The CPE dictionary: products out of names, and which documents are asked for when."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import CatalogueEntry, Product
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import nvd_cpe
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import sample

CONTENT = sample("nvd_cpe/products.json")
NOW = datetime(2026, 8, 25, tzinfo=UTC)
META = b"lastModifiedDate:2026-08-22T00:00:00+00:00\r\nsize:1\r\nsha256:AB\r\n"


def chunks(*contents: bytes) -> bytes:
    """Pack documents as the feed file does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"nvdcpe-2.0/nvdcpe-2.0-chunks/nvdcpe-2.0-chunk-{number:05d}.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def entries(content: bytes) -> dict[str, CatalogueEntry]:
    found = nvd_cpe.parse(document(content, nvd_cpe.FILE))
    return {one.product.name: one for one in found if isinstance(one, CatalogueEntry)}


def page(total: int, **changes: Any) -> bytes:
    return orjson.dumps(orjson.loads(CONTENT) | {"totalResults": total} | changes)


@pytest.fixture(scope="module")
def recorded() -> dict[str, CatalogueEntry]:
    return entries(CONTENT)


def test_the_names_of_a_product_are_one_entry(recorded: dict[str, CatalogueEntry]) -> None:
    assert recorded["example:viewer"].target_software == ("macos", "windows")


@pytest.mark.parametrize(
    ("product", "title"),
    [
        ("ruby-lang:openssl", "Ruby-lang OpenSSL for Ruby"),
        ("php:imagick", "PHP Imagick"),  # the update goes as well
        ("example:viewer", "Example Viewer"),
    ],
)
def test_a_title_loses_its_version(recorded: dict[str, CatalogueEntry], product: str, title: str) -> None:
    assert recorded[product].title == title


def test_a_product_all_of_whose_names_are_deprecated_points_to_its_replacement(
    recorded: dict[str, CatalogueEntry],
) -> None:
    assert (recorded["example:old_viewer"].live, recorded["example:old_viewer"].replaced_by) == (
        False,
        Product("cpe:a", "example:viewer"),
    )


def test_one_deprecated_version_deprecates_no_product(recorded: dict[str, CatalogueEntry]) -> None:
    assert recorded["example:viewer"].live
    assert recorded["example:viewer"].replaced_by is None


def test_hardware_is_no_software(recorded: dict[str, CatalogueEntry]) -> None:
    assert "example:router" not in recorded
    assert recorded["example:firmware"].product.ecosystem == "cpe:o"


def test_the_file_and_a_page_say_the_same(recorded: dict[str, CatalogueEntry]) -> None:
    assert entries(chunks(CONTENT, CONTENT)) == recorded


def test_a_strange_name_is_set_aside() -> None:
    strange = [{"cpe": {"cpeName": "cpe:2.3:a:*:thing:1:*:*:*:*:*:*:*", "deprecated": False}}]
    held = orjson.loads(CONTENT)["products"]

    found = list(nvd_cpe.parse(document(page(9, products=held + strange), nvd_cpe.API)))

    assert [one.id for one in found if isinstance(one, Quarantined)] == [strange[0]["cpe"]["cpeName"]]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"products": []}', CONTENT[:700], chunks(b"{}")])
def test_a_document_without_names_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        entries(content)


def test_the_first_fill_is_the_file_and_remembers_its_time() -> None:
    transport = DictTransport({nvd_cpe.META: META, nvd_cpe.FILE: chunks(CONTENT)})

    (found,) = nvd_cpe.fetch(transport, FeedState(), FetchOptions(now=NOW))

    assert found.url == nvd_cpe.FILE
    assert found.cursors["last_modified"] == "2026-08-22T00:00:00+00:00"


def test_later_runs_ask_for_what_changed_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvd_cpe, "PAGE", 10)
    asked: list[dict[str, str]] = []
    waits: list[None] = []

    class Api(DictTransport):
        def get(self, url: str, *args: Any, params: Any = None, **more: Any) -> Any:
            if url == nvd_cpe.API:
                asked.append(dict(params))
                return document(page(15), url)
            return super().get(url, *args, params=params, **more)

    state = FeedState({}, {"last_modified": "2026-08-22T00:00:00+00:00"})
    options = FetchOptions(now=NOW, pace=lambda: waits.append(None))

    found = list(nvd_cpe.fetch(Api({}), state, options))

    assert [one["startIndex"] for one in asked] == ["0", "10"]
    assert asked[0]["lastModStartDate"] == "2026-08-22T00:00:00.000Z"
    assert len(waits) == 2
    assert [one.cursors.get("last_modified") for one in found] == [None, NOW.isoformat()]


def test_nothing_new_is_a_normal_answer() -> None:
    class Api(DictTransport):
        def get(self, url: str, *args: Any, **more: Any) -> Any:  # noqa: ARG002
            return document(page(0, products=[]), url)

    state = FeedState({}, {"last_modified": "2026-08-22T00:00:00+00:00"})

    assert list(nvd_cpe.fetch(Api({}), state, FetchOptions(now=NOW))) == []


def test_after_a_long_absence_the_file_is_asked_for_again() -> None:
    transport = DictTransport({nvd_cpe.META: META, nvd_cpe.FILE: chunks(CONTENT)})
    state = FeedState({}, {"last_modified": (NOW - nvd_cpe.FILE_AFTER - timedelta(days=1)).isoformat()})

    assert [one.url for one in nvd_cpe.fetch(transport, state, FetchOptions(now=NOW))] == [nvd_cpe.FILE]
