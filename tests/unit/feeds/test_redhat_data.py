"""Red Hat's Security Data API: errata and states of packages, and a walk through the years."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from sentrikat.domain.advisory import Remedy, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import redhat_data
from sentrikat.feeds.adapter import Document, FeedState, FetchOptions
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample, tarred

SAMPLE = sample("redhat_data/CVE-2026-10001.json")


def test_a_document_says_the_same_as_vex() -> None:
    (found,) = advisories(redhat_data.parse, document(SAMPLE))

    assert {
        (one.product.ecosystem, one.product.name, one.module): (one.remedy, one.versions.fixed)
        for one in reversed(found.statements)  # of several spans the first
    } == {
        ("rhel:9", "anvil", ""): (Remedy.FIXED, "1:2.4-5.el9_4"),
        ("rhel-eus:9.2", "anvil", ""): (Remedy.FIXED, "1:2.2-9.el9_2.3"),
        # the module's build is named, and not the package's: what is said of its stream comes from elsewhere
        ("rhel:8", "anvil", "anvil:1.8"): (Remedy.DEFERRED, None),
        ("rhel:8", "anvil", ""): (Remedy.NOT_AFFECTED, None),
        ("rhel:8", "compat-anvil", ""): (Remedy.OPEN, None),
        ("rhel:7", "anvil", ""): (Remedy.WILL_NOT_FIX, None),
        ("rhel:6", "anvil", ""): (Remedy.END_OF_LIFE, None),
        ("rhel:10", "anvil", ""): (None, None),
    }
    assert found.title == "anvil: a made-up flaw"
    assert found.scores[0].provider == "Red Hat"


def test_a_state_left_over_beside_an_erratum_does_not_count() -> None:
    value = orjson.loads(SAMPLE)
    value["package_state"] = [
        {"cpe": "cpe:/o:redhat:enterprise_linux:9", "package_name": "anvil", "fix_state": "Affected"}
    ]
    (found,) = advisories(redhat_data.parse, as_document(value))

    assert {one.remedy for one in found.statements if one.product.ecosystem == "rhel:9"} == {Remedy.FIXED}


def test_an_unknown_state_is_refused() -> None:
    value = orjson.loads(SAMPLE)
    value["package_state"][0]["fix_state"] = "Perhaps"

    with pytest.raises(FeedFormatError, match="Perhaps"):
        list(redhat_data.parse(as_document(value)))


def test_an_archive_of_documents_is_read() -> None:
    (found,) = advisories(redhat_data.parse, document(tarred({"cve/CVE-2026-10001.json": SAMPLE})))

    assert found.statements[-1].status is Status.INVESTIGATING


def listing(after: str, before: str, *names: str) -> dict[str, bytes]:
    params = {"after": after, "before": before, "per_page": "1000", "page": "1"}
    return {
        f"{redhat_data.BASE}cve.json?{urlencode(params)}": orjson.dumps([{"CVE": name} for name in names])
    }


def test_the_documents_are_walked_by_date_and_the_last_weeks_asked_again() -> None:
    body = {f"{redhat_data.BASE}cve/CVE-2026-{n}.json": SAMPLE for n in (10001, 10002)}
    transport = DictTransport(
        body
        | listing("2026-01-31", "2026-04-02", "CVE-2026-10001")
        | listing("2026-04-01", "2026-06-01", "CVE-2026-10002")
    )
    state = FeedState(cursors={"published": "2026-02-01"})
    options = FetchOptions(now=datetime(2026, 5, 20, tzinfo=UTC))

    documents: list[Document] = list(redhat_data.fetch(transport, state, options))

    assert [one.name for one in documents] == ["CVE-2026-10001.json", "CVE-2026-10002.json"]
    assert state.after(documents).cursors["published"] == "2026-04-29"


def test_a_run_is_bounded_by_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redhat_data, "MOST_DOCUMENTS", 1)
    transport = DictTransport(
        {f"{redhat_data.BASE}cve/CVE-2026-10001.json": SAMPLE}
        | listing("2026-01-31", "2026-04-02", "CVE-2026-10001")
    )
    state = FeedState(cursors={"published": "2026-02-01"})

    documents = list(redhat_data.fetch(transport, state, FetchOptions(now=datetime(2026, 12, 1, tzinfo=UTC))))

    assert len(documents) == 1
    assert state.after(documents).cursors["published"] == "2026-04-02"


def test_a_caught_up_feed_asks_once_a_day() -> None:
    transport = DictTransport({})
    state = FeedState(cursors={"published": "2026-05-01", "asked": "2026-05-20"})
    options = FetchOptions(now=datetime(2026, 5, 20, 18, tzinfo=UTC))

    assert list(redhat_data.fetch(transport, state, options)) == []
    assert transport.asked == []


@pytest.mark.parametrize("content", [b"[]", b"{}", b"", b"nonsense"])
def test_other_documents_are_refused(content: Any) -> None:
    with pytest.raises(FeedFormatError):
        list(redhat_data.parse(document(content)))
