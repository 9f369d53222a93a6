"""What a parser does not know is counted, on every feed: the recorded samples hold nothing of that kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sentrikat.feeds.adapter import Document, Quarantined, noticing
from sentrikat.feeds.registry import FEEDS, feed
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import sample, tarred, wesng_archive, zipped


def in_active(content: bytes) -> bytes:
    return tarred({"master/active/CVE-2026-10001": content})


# Feed, its sample, a place in it, what a newer source writes there, and what is noticed.
NEWER: list[tuple[str, str, bytes, bytes, str, Callable[[bytes], bytes]]] = [
    ("almalinux", "almalinux/errata.full.json", b'"severity"', b'"new": 1, "severity"', "erratum.new", bytes),
    ("alpine", "alpine/main.json", b'"secfixes"', b'"new": 1, "secfixes"', "pkg.new", bytes),
    ("amazon", "amazon/updateinfo.xml", b"<severity>", b"<new>1</new><severity>", "update.new", bytes),
    ("debian", "debian/tracker.json", b'"releases"', b'"new": 1, "releases"', "entry.new", bytes),
    ("endoflife", "endoflife/ubuntu.json", b'"eol"', b'"new": 1, "eol"', "cycle.new", bytes),
    ("epss", "epss/epss_scores-2026-06-07.csv", b"percentile\n", b"percentile,new\n", "column new", bytes),
    ("euvd", "euvd/search.json", b'"aliases"', b'"new": 1, "aliases"', "item.new", bytes),
    ("exploitdb", "exploitdb/files_exploits.csv", b"source_url\n", b"source_url,new\n", "column new", bytes),
    ("kev", "kev/known_exploited_vulnerabilities_2026-05-30.json", b'"dateAdded"', b'"new": 1, "dateAdded"', "entry.new", bytes),
    ("metasploit", "metasploit/modules_metadata_base.json", b'"references"', b'"new": 1, "references"', "module.new", bytes),
    ("msrc", "msrc/2031-Jan.json", b'"Remediations"', b'"New": 1, "Remediations"', "Vulnerability.New", bytes),
    ("msrc", "msrc/2031-Jan.json", b'"Supercedence"', b'"New": 1, "Supercedence"', "Remediation.New", bytes),
    ("nvd", "nvd/nvdcve-2.0.json", b'"vulnStatus"', b'"new": 1, "vulnStatus"', "cve.new", bytes),
    ("nvd_cpe", "nvd_cpe/products.json", b'"cpeNameId"', b'"new": 1, "cpeNameId"', "cpe.new", bytes),
    ("osv", "osv/GHSA-4x2f-54wr-4hjg.json", b'"affected"', b'"new": 1, "affected"', "record.new", lambda one: zipped([one])),
    ("overrides", "overrides/CVE-2013-0249.json", b'"cve_id"', b'"new": 1, "cve_id"', "_annotation.new", bytes),
    ("redhat", "redhat/cve-2026-10001.json", b'"product_status"', b'"new": 1, "product_status"', "vulnerability.new", bytes),
    ("redhat_data", "redhat_data/CVE-2026-10001.json", b'"threat_severity"', b'"new": 1, "threat_severity"', "record.new", bytes),
    ("suse", "suse/cve-2026-10001.json", b'"product_status"', b'"new": 1, "product_status"', "vulnerability.new", bytes),
    ("ubuntu", "ubuntu/CVE-2026-10001", b"Priority:", b"New: 1\nPriority:", "header.New", in_active),
    ("vulnrichment", "cve5/CVE-2017-12374.json", b'"affected":', b'"new": 1, "affected":', "cna.new", bytes),
    ("wesng", "wesng/CVEs_20310110.csv", b'"Supersedes"', b'"New","Supersedes"', "column New", wesng_archive),
]  # fmt: skip


def test_every_feed_is_here() -> None:
    assert {one[0] for one in NEWER} == {one.name for one in FEEDS}


def noticed(name: str, found: Document) -> dict[str, int]:
    with noticing() as counted:
        records = list(feed(name).parse(found))
    assert any(not isinstance(one, Quarantined) for one in records)
    return dict(counted)


@pytest.mark.parametrize(
    ("name", "path", "place", "newer", "says", "pack"),
    NEWER,
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_field_that_is_new_at_the_source_is_counted(
    name: str, path: str, place: bytes, newer: bytes, says: str, pack: Callable[[bytes], bytes]
) -> None:
    known = sample(path)
    assert place in known
    url = f"https://feeds.example/{path}"

    assert noticed(name, document(pack(known), url)) == {}
    assert noticed(name, document(pack(known.replace(place, newer)), url))[says] > 0
