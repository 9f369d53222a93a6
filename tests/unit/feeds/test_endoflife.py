"""endoflife.date: what its days and booleans mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Product, ReleaseCycles
from sentrikat.domain.errors import FeedFormatError
from sentrikat.domain.lifecycle import Cycle, Ending
from sentrikat.domain.matching.release_cycles import SYSTEM_PRODUCTS
from sentrikat.feeds import endoflife
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.formats.endoflife_products import PRODUCTS
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import SAMPLES, as_document, sample

OPTIONS = FetchOptions(now=datetime(2026, 11, 1, tzinfo=UTC))


def cycles(product: str, content: bytes | None = None) -> dict[str, Cycle]:
    found = document(content or sample(f"endoflife/{product}.json"), f"{endoflife.BASE}{product}.json")
    (record,) = endoflife.parse(found)
    assert isinstance(record, ReleaseCycles)
    assert record.product == product
    return {one.name: one for one in record.cycles}


def cycle(**fields: Any) -> Cycle:
    (found,) = cycles("ubuntu", orjson.dumps([{"cycle": "1", "eol": False, **fields}])).values()
    return found


def test_a_release_has_days_of_three_kinds_of_support() -> None:
    assert cycles("ubuntu")["18.04"] == Cycle(
        product="ubuntu",
        name="18.04",
        security=Ending(date(2023, 5, 31)),
        support=Ending(date(2023, 5, 31)),
        extended=Ending(date(2028, 4, 1)),
        released=date(2018, 4, 26),
        latest="18.04.6",
        label=cycles("ubuntu")["18.04"].label,
    )


@pytest.mark.parametrize(
    ("field", "value", "attribute", "ending"),
    [
        ("eol", "2027-04-01", "security", Ending(date(2027, 4, 1))),
        ("eol", True, "security", Ending(over=True)),  # it is over
        ("eol", False, "security", Ending(over=False)),  # no end was announced
        ("eol", None, "security", None),  # the source does not say
        # the other two say whether there still is such support
        ("support", True, "support", Ending(over=False)),
        ("support", False, "support", Ending(over=True)),
        ("extendedSupport", "2032-04-09", "extended", Ending(date(2032, 4, 9))),
        ("extendedSupport", True, "extended", Ending(over=False)),
        ("extendedSupport", False, "extended", None),  # there is none
    ],
)
def test_an_end_is_a_day_or_true_or_false(
    field: str, value: object, attribute: str, ending: Ending | None
) -> None:
    assert getattr(cycle(**{field: value}), attribute) == ending


def test_a_number_may_be_written_as_one() -> None:
    assert cycles("ubuntu", b'[{"cycle": 7, "eol": true}]')["7"].name == "7"


def test_the_products_whose_versions_tell_the_release_come_along() -> None:
    (record,) = endoflife.parse(document(sample("endoflife/nodejs.json"), f"{endoflife.BASE}nodejs.json"))

    assert isinstance(record, ReleaseCycles)
    assert record.products == (Product("cpe:a", "nodejs:node.js"),)


def test_no_product_is_told_to_be_two() -> None:
    names = [product for products in PRODUCTS.values() for product in products]

    assert len(names) == len(set(names))
    assert not set(PRODUCTS) & set(SYSTEM_PRODUCTS)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"eol": True}, "cycle"),
        ({"cycle": "1", "end": True}, "eol"),  # a renamed field must not make every end unknown
        ({"cycle": "1", "eol": "soon"}, "eol is neither a day nor true or false"),
        ({"cycle": "1", "eol": "2026-13-45"}, "month"),
        ({"cycle": "1", "eol": 20260101}, "eol"),
        ({"cycle": "1", "eol": True, "support": []}, "support"),
        ("1", "release is not an object"),
    ],
)
def test_a_release_of_another_shape_is_set_aside_and_the_others_are_read(entry: object, says: str) -> None:
    whole = as_document([{"cycle": "2", "eol": True}, entry], f"{endoflife.BASE}ubuntu.json")
    aside, record = endoflife.parse(whole)

    assert isinstance(aside, Quarantined)
    assert says in aside.reason
    assert isinstance(record, ReleaseCycles)
    assert [one.name for one in record.cycles] == ["2"]


@pytest.mark.parametrize(
    ("url", "content"),
    [
        ("ubuntu.json", b"[]"),
        ("ubuntu.json", b""),
        ("ubuntu.json", b"{}"),
        ("ubuntu.json", b'{"message": "rate limited"}'),
        ("ubuntu.json", b"<html>"),
        ("all.json", b'["ubuntu"]'),  # the list of products is none
        ("", b'[{"cycle": "1"}]'),
    ],
)
def test_what_lists_no_releases_of_a_product_is_refused(url: str, content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(endoflife.parse(document(content, endoflife.BASE + url)))


# -- fetching ----------------------------------------------------------------------------


def server() -> DictTransport:
    held = {
        f"{endoflife.BASE}{path.name}": path.read_bytes() for path in (SAMPLES / "endoflife").glob("*.json")
    }
    names = ["ubuntu", "debian", "nodejs", "kindle", "a-product-that-was-renamed"]
    return DictTransport({**held, endoflife.ALL: orjson.dumps(names), f"{endoflife.BASE}kindle.json": b"[]"})


def test_only_products_something_installed_can_be_told_to_be_are_fetched() -> None:
    transport = server()
    documents = list(endoflife.fetch(transport, FeedState(), OPTIONS))

    assert [one.name for one in documents] == ["debian.json", "ubuntu.json", "nodejs.json"]
    assert f"{endoflife.BASE}kindle.json" not in transport.asked


def test_a_product_that_did_not_change_is_not_given_again() -> None:
    transport = server()
    state = FeedState().after(list(endoflife.fetch(transport, FeedState(), OPTIONS)))
    assert list(endoflife.fetch(transport, state, OPTIONS)) == []

    transport.documents[f"{endoflife.BASE}ubuntu.json"] += b"\n"
    assert [one.name for one in endoflife.fetch(transport, state, OPTIONS)] == ["ubuntu.json"]


@pytest.mark.parametrize("listed", [b"[]", b"{}", b"", b'["kindle"]', b"<html>"])
def test_a_list_without_operating_systems_is_refused(listed: bytes) -> None:
    transport = server()
    transport.documents[endoflife.ALL] = listed

    with pytest.raises(FeedFormatError):
        list(endoflife.fetch(transport, FeedState(), OPTIONS))
