"""Whatever a source sends, a parser sets records aside or refuses the document; it never crashes.

Real samples are mutated: keys dropped, values of other types put in, bytes turned, tails cut.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentrikat.domain.advisory import Advisory, BuiltFrom, CatalogueEntry, Enrichment, ReleaseCycles, SameFlaw
from sentrikat.domain.errors import FeedFormatError
from sentrikat.domain.ranges import VersionRange
from sentrikat.feeds import registry
from sentrikat.feeds.adapter import Document, Feed, FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.file import url_for
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import SAMPLES, sample, tarred, wesng_archive, zipped

OSV = [path.read_bytes() for path in sorted((SAMPLES / "osv").glob("*.json"))]
CVE5 = [path.read_bytes() for path in sorted((SAMPLES / "cve5").glob("*.json"))]
OVERRIDES = [path.read_bytes() for path in sorted((SAMPLES / "overrides").glob("*.json"))]

JSON = {
    "kev": [sample("kev/known_exploited_vulnerabilities_2026-05-30.json")],
    "nvd": [sample("nvd/nvdcve-2.0.json")],
    "nvd_cpe": [sample("nvd_cpe/products.json")],
    "debian": [sample("debian/tracker.json")],
    "alpine": [sample("alpine/main.json")],
    "almalinux": [sample("almalinux/errata.full.json")],
    "endoflife": [sample("endoflife/ubuntu.json"), sample("endoflife/jquery.json")],
    "osv": OSV,
    "vulnrichment": CVE5,
    "overrides": OVERRIDES,
    "msrc": [sample("msrc/2031-Jan.json"), sample("msrc/msrc_cve-2031-0001.json")],
    "euvd": [sample("euvd/search.json")],
    "metasploit": [sample("metasploit/modules_metadata_base.json")],
    "redhat": [sample("redhat/cve-2026-10001.json")],
    "suse": [sample("suse/cve-2026-10001.json")],
    "redhat_data": [sample("redhat_data/CVE-2026-10001.json")],
}
BYTES = {
    "kev": JSON["kev"][0],
    "nvd": gzip.compress(JSON["nvd"][0]),
    "nvd_cpe": JSON["nvd_cpe"][0],
    "debian": JSON["debian"][0],
    "alpine": JSON["alpine"][0],
    "almalinux": JSON["almalinux"][0],
    "amazon": sample("amazon/updateinfo.xml"),
    "endoflife": sample("endoflife/ubuntu.json"),
    "osv": zipped(OSV),
    "epss": sample("epss/epss_scores-2026-06-07.csv"),
    "vulnrichment": zipped(CVE5),
    "overrides": zipped(OVERRIDES),
    "msrc": sample("msrc/2031-Jan.xml"),
    "wesng": wesng_archive(sample("wesng/CVEs_20310110.csv")),
    "euvd": JSON["euvd"][0],
    "metasploit": gzip.compress(JSON["metasploit"][0]),
    "exploitdb": sample("exploitdb/files_exploits.csv"),
    "redhat": tarred({"2026/cve-2026-10001.json": JSON["redhat"][0]}),
    "suse": tarred({"csaf-vex/cve-2026-10001.json": JSON["suse"][0]}),
    "redhat_data": tarred({"cve/CVE-2026-10001.json": JSON["redhat_data"][0]}),
    "ubuntu": tarred({"master/active/CVE-2026-10001": sample("ubuntu/CVE-2026-10001")}),
}

STRANGE: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x" * 5_000,
    "\x00",
    "0001-01-01",
    "99999-99-99T99:99:99Z",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "cpe:2.3:a:*:*:*:*:*:*:*:*:*:*",
    ">= 1, < ",
    "CVE-2024-1",
]


def parsed(feed: Feed, found: Document) -> None:
    """Run the parser to its end, as an import would."""
    try:
        for record in feed.parse(found):
            assert isinstance(
                record,
                Advisory | Enrichment | CatalogueEntry | SameFlaw | ReleaseCycles | BuiltFrom | Quarantined,
            )
            if isinstance(record, Advisory):
                assert isinstance(record.id, str)
                assert record.vulnerabilities or not record.statements
                for statement in record.statements:
                    assert isinstance(statement.product.name, str)
                    assert isinstance(statement.versions, VersionRange)
    except FeedFormatError:
        return


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the path of every value inside `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inside for place in places(one, (*path, key)))]


def mutated(value: Any, chance: random.Random, times: int) -> Any:
    """Give a copy of `value` in which some places are dropped, doubled or of another type."""
    result = copy.deepcopy(value)
    for _ in range(times):
        path = chance.choice(places(result))
        if not path:
            return copy.deepcopy(chance.choice(STRANGE))
        parent = result
        for key in path[:-1]:
            parent = parent[key]
        kind = chance.randrange(4)
        if kind == 0:
            del parent[path[-1]]
        elif kind == 1 and isinstance(parent, list):
            parent.append(parent[path[-1]])
        else:
            # A copy: what is put in may itself be mutated next, and must not leak into later examples.
            parent[path[-1]] = copy.deepcopy(chance.choice(STRANGE))
    return result


@pytest.mark.parametrize("name", sorted(JSON))
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 12))
def test_a_document_of_another_shape_is_set_aside_or_refused(name: str, seed: int, times: int) -> None:
    chance = random.Random(seed)
    feed = registry.feed(name)
    whole = mutated(orjson.loads(chance.choice(JSON[name])), chance, times)

    content = json.dumps(whole).encode()  # orjson writes no numbers beyond 64 bits
    parsed(feed, document(content, url_for(feed, SAMPLES)))


@pytest.mark.parametrize("name", sorted(BYTES))
@settings(max_examples=60)
@given(data=st.data())
def test_bytes_turned_or_cut_are_set_aside_or_refused(name: str, data: st.DataObject) -> None:
    content = bytearray(BYTES[name])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.none(), st.integers(0, len(content))))

    parsed(registry.feed(name), document(bytes(content[:end])))


@pytest.mark.parametrize("name", sorted(BYTES))
@settings(max_examples=40)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(name: str, content: bytes) -> None:
    parsed(registry.feed(name), document(content))


@pytest.mark.parametrize("name", sorted(BYTES))
@settings(max_examples=30)
@given(data=st.data())
def test_fetching_a_broken_document_gives_it_or_refuses_it(name: str, data: st.DataObject) -> None:
    """Some adapters look into a document before they hand it on."""
    feed = registry.feed(name)
    content = BYTES[name][: data.draw(st.integers(0, len(BYTES[name])))]
    transport = DictTransport({url_for(feed, SAMPLES / "nvdcve-2.0-2026.json.gz"): content}, live=False)

    with contextlib.suppress(FeedFormatError):
        list(feed.fetch(transport, FeedState(), FetchOptions()))


@pytest.mark.parametrize(
    "nested", [b"[" * 100_000, b'{"vulnerabilities":' * 50_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000]
)
@pytest.mark.parametrize("name", sorted(BYTES))
def test_deep_nesting_is_refused(name: str, nested: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(registry.feed(name).parse(document(nested)))
