"""EPSS files, in the forms FIRST published over the years."""

from __future__ import annotations

import gzip
from datetime import date

import pytest

from sentrikat.domain.errors import Conflict, FeedFormatError
from sentrikat.feeds import epss
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import enrichments, sample

SCORES = sample("epss/epss_scores-2026-06-07.csv")


@pytest.mark.parametrize("content", [SCORES, gzip.compress(SCORES)], ids=["plain", "gzip"])
def test_each_row_becomes_a_likelihood_with_its_model(content: bytes) -> None:
    found = {
        one.vulnerability: one.likelihood for one in enrichments(epss.parse, document(content, epss.URL))
    }

    log4j = found["CVE-2021-44228"]
    assert log4j is not None
    assert (log4j.probability, log4j.percentile) == (0.945, 1.0)
    assert (log4j.model_version, log4j.scored_on) == ("v2025.03.14", date(2026, 6, 7))


@pytest.mark.parametrize(
    ("head", "model", "day"),
    [
        ("#model_version:v2025.03.14,score_date:2025-06-01T00:00:00+0000\n", "v2025.03.14", date(2025, 6, 1)),
        ("#model_version:v2025.03.14,score_date:2026-02-25T12:55:00Z\n", "v2025.03.14", date(2026, 2, 25)),
        ("#source:a copy that lost the line\n", "unknown", date(2026, 3, 1)),  # the day is in the name
        ("", "unknown", date(2026, 3, 1)),  # 2021: no such line at all
    ],
)
def test_the_first_line_has_many_forms(head: str, model: str, day: date) -> None:
    content = head.encode() + b"cve,epss,percentile\nCVE-2021-44228,0.9,0.99\n"
    url = "https://epss.empiricalsecurity.com/epss_scores-2026-03-01.csv.gz"

    (found,) = enrichments(epss.parse, document(content, url))

    assert found.likelihood is not None
    assert (found.likelihood.model_version, found.likelihood.scored_on) == (model, day)


def test_columns_are_found_by_name() -> None:
    content = b"percentile,cve,epss\n0.5,CVE-2021-44228,0.25\n"

    (found,) = enrichments(epss.parse, document(content, epss.URL))

    assert found.likelihood is not None
    assert (found.likelihood.probability, found.likelihood.percentile) == (0.25, 0.5)


@pytest.mark.parametrize(
    "row",
    [
        b"CVE-2021-1,0.5,0.5",  # four digits at least
        b"CVE-2021-44229,1.5,0.5",  # no probability
        b"CVE-2021-44229,nan,0.5",
        b"CVE-2021-44229,0.5",  # cut
    ],
)
def test_a_malformed_row_is_set_aside(row: bytes) -> None:
    records = list(epss.parse(document(SCORES + row + b"\n", epss.URL)))

    assert [isinstance(one, Quarantined) for one in records] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"cve,epss,percentile\n",  # a head without rows would clear every score
        b"cve;epss\nCVE-2021-44228;0.5\n",
        gzip.compress(SCORES)[:-10],  # cut on the way
        b"\xff\xfe\x00garbage\n",
    ],
)
def test_a_broken_file_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(epss.parse(document(content, epss.URL)))


def test_scores_of_an_earlier_day_are_refused() -> None:
    state = FeedState(cursors={"scored_on": "2026-06-08"})

    with pytest.raises(Conflict):
        list(epss.fetch(DictTransport({epss.URL: SCORES}), state, FetchOptions()))
