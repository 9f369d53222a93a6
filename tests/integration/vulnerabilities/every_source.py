"""A small made-up source of every feed: what its first run finds, what is new at the second, what breaks it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from sentrikat.feeds import (
    almalinux,
    alpine,
    amazon,
    endoflife,
    msrc,
    nvd_cpe,
    osv,
    overrides,
    redhat,
    redhat_data,
    suse,
    ubuntu,
    vulnrichment,
    wesng,
)
from tests.integration.vulnerabilities.small_internet import NVD, everything, nvd, nvd_records
from tests.unit.feeds.samples import SAMPLES, sample, tarred, wesng_archive, zipped

OLD_KEV, NEW_KEV = (
    sample(f"kev/known_exploited_vulnerabilities_2026-{day}.json") for day in ("04-29", "05-30")
)
SCORES = sample("epss/epss_scores-2026-06-07.csv")
REPOMD = b'<repomd><data type="updateinfo"><location href="repodata/updateinfo.xml.gz"/></data></repomd>'


@dataclass(frozen=True)
class Source:
    """`first` is there at the first run; `place` then holds `fresh`, together with `also`.

    `drifted` is the fresh document with its fields renamed, `hollow` one that is well-formed and holds nothing.
    """

    first: dict[str, bytes]
    place: str
    fresh: bytes
    drifted: bytes
    hollow: bytes
    also: dict[str, bytes] = field(default_factory=dict)


def at(url: str) -> str:
    """Give where an address stands on the server: host and path."""
    return url.removeprefix("https://")


def _source(
    place: str,
    old: bytes,
    new: bytes,
    rename: tuple[bytes, bytes],
    hollow: bytes,
    pack: Callable[[bytes], bytes] = bytes,
    also: dict[str, bytes] | None = None,
    first: dict[str, bytes] | None = None,
) -> Source:
    assert rename[0] in new
    return Source(
        first if first is not None else {at(place): pack(old)},
        at(place),
        pack(new),
        pack(new.replace(*rename)),
        pack(hollow),
        also or {},
    )


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _all(folder: str) -> Iterable[bytes]:
    return [path.read_bytes() for path in sorted((SAMPLES / folder).glob("*.json"))]


def _archive(
    url: str, folder: str, rename: tuple[bytes, bytes], pack: Callable[[list[bytes]], bytes]
) -> Source:
    files = list(_all(folder))
    renamed = [one.replace(*rename) for one in files]
    assert renamed != files
    return Source({at(url): pack(files[:-1])}, at(url), pack(files), pack(renamed), pack([]))


def _repository(files: list[bytes]) -> bytes:
    return tarred(
        {f"main/data/{number}.json": content for number, content in enumerate(files)} | {"README": b"x"}
    )


def sources() -> dict[str, Source]:
    """Give the source of every feed, by the feed's name."""
    small = everything()
    places = {
        name: next(one for one in small if part in one)
        for name, part in {
            "kev": "cisa.gov",
            "euvd": "api/search",
            "epss": "epss_scores",
            "exploitdb": "exploitdb",
            "metasploit": "metasploit",
            "debian": "debian.org",
        }.items()
    }
    page = {**orjson.loads(sample("nvd_cpe/products.json")), "timestamp": "2026-06-01T00:00:00.000"}
    products = orjson.dumps(page, option=orjson.OPT_INDENT_2)
    branches, errata = sample("alpine/main.json"), sample("almalinux/errata.full.json")
    vex, day = sample("redhat/cve-2026-10001.json"), sample("redhat_data/CVE-2026-10001.json")
    sles = sample("suse/cve-2026-10001.json")
    listed_flaws = b'"cve-2026-10001.json","2026-03-01T09:00:00Z"\n'
    flaw = sample("ubuntu/CVE-2026-10001")
    month, listed = sample("msrc/2031-Jan.json"), {"ID": "2031-Jan"}
    ends = sample("endoflife/ubuntu.json")
    rows = sample("wesng/CVEs_20310110.csv")
    updates = sample("amazon/updateinfo.xml")
    core = f"{amazon.BASE}2/core/abc"
    changes = b'"2026/cve-2026-10001.json","2026-03-06T09:00:00+00:00"\n'
    changed = f"{redhat.BASE}2026/cve-2026-10003.json"
    one_flaw = {at(f"{redhat_data.BASE}cve.json"): b'[{"CVE": "CVE-2026-10001"}]'}
    other_day = f"{redhat_data.BASE}cve/CVE-2026-10001.json"

    def listing(at_time: str) -> dict[str, bytes]:
        return {at(msrc.LIST): orjson.dumps({"value": [{**listed, "CurrentReleaseDate": at_time}]})}

    def tracker(content: bytes) -> bytes:
        return tarred({"master/active/CVE-2026-10001": content} if content else {"README": b"x"})

    exploits, modules = small[places["exploitdb"]], small[places["metasploit"]]
    search, debian = small[places["euvd"]], small[places["debian"]]
    modified = nvd(*nvd_records(), made_at="2026-06-02T11:00:00.000")
    return {
        "kev": _source(places["kev"], OLD_KEV, NEW_KEV, (b'"cveID"', b'"cve_id"'), b"{}"),
        "euvd": _source(
            places["euvd"],
            search,
            search + b"\n",
            (b'"items"', b'"records"'),
            b'{"items": [], "total": 0}',
            first={one: content for one, content in small.items() if "euvd" in one},
        ),
        "epss": _source(
            places["epss"],
            SCORES,
            SCORES.replace(b"2026-06-07", b"2026-06-08"),
            (b"cve,epss,percentile", b"id,score,rank"),
            b"",
            packed,
        ),
        "exploitdb": _source(
            places["exploitdb"], exploits, exploits + b"\n", (b"codes", b"names"), exploits.split(b"\n")[0]
        ),
        "metasploit": _source(
            places["metasploit"], modules, modules + b"\n", (b'"references"', b'"refs"'), b"{}"
        ),
        "vulnrichment": _archive(vulnrichment.URL, "cve5", (b'"cveMetadata"', b'"metadata"'), _repository),
        "overrides": _archive(overrides.URL, "overrides", (b'"cve"', b'"record"'), _repository),
        "msrc": _source(
            msrc.MONTHS + "2031-Jan",
            month,
            month + b"\n",
            (b'"Vulnerability"', b'"Flaws"'),
            b"{}",
            first={at(msrc.MONTHS + "2031-Jan"): month} | listing("2031-02-11T08:00:00Z"),
            also=listing("2031-02-12T08:00:00Z"),
        ),
        "wesng": _source(
            wesng.URL, rows, rows + b"\n", (b"BulletinKB", b"Update"), rows.split(b"\n")[0], wesng_archive
        ),
        "nvd": Source(
            {one: content for one, content in small.items() if one.startswith(NVD)},
            f"{NVD}modified.json.gz",
            modified,
            packed(gzip.decompress(modified).replace(b'"cve"', b'"record"')),
            packed(b"{}"),
        ),
        "debian": _source(places["debian"], debian, debian + b"\n", (b'"releases"', b'"suites"'), b"{}"),
        "ubuntu": _source(ubuntu.URL, flaw, flaw + b"\n", (b"Candidate", b"Flaw"), b"", tracker),
        "redhat": _source(
            changed,
            vex,
            vex.replace(b"10001", b"10003"),
            (b'"product_tree"', b'"tree"'),
            b"{}",
            first={
                at(redhat.BASE + "archive_latest.txt"): b"none.tar.zst",
                at(redhat.BASE + "none.tar.zst"): tarred({"2026/cve-2026-10001.json": vex}),
                at(redhat.BASE + "changes.csv"): changes,
                at(redhat.BASE + "2026/cve-2026-10001.json"): vex,
                at(redhat.BASE + "deletions.csv"): b"",
            },
            also={
                at(redhat.BASE + "changes.csv"): changes
                + b'"2026/cve-2026-10003.json","2026-03-07T09:00:00+00:00"\n'
            },
        ),
        "suse": _source(
            f"{suse.BASE}cve-2026-10003.json",
            sles,
            sles.replace(b"10001", b"10003"),
            (b'"product_tree"', b'"tree"'),
            b"{}",
            first={
                at(suse.ARCHIVE): tarred({"csaf-vex/cve-2026-10001.json": sles}),
                at(suse.BASE + "changes.csv"): listed_flaws,
                at(suse.BASE + "cve-2026-10001.json"): sles,
            },
            also={
                at(suse.BASE + "changes.csv"): listed_flaws
                + b'"cve-2026-10003.json","2026-03-07T09:00:00Z"\n'
            },
        ),
        "alpine": _source(
            f"{alpine.BASE}v3.18/main.json",
            branches,
            branches + b"\n",
            (b'"packages"', b'"items"'),
            b"{}",
            first={at(url): branches for url in alpine._NEEDED},
        ),
        "almalinux": _source(
            f"{almalinux.BASE}9/errata.full.json",
            errata,
            errata + b"\n",
            (b'"data"', b'"errata"'),
            b'{"data": []}',
            first={at(f"{almalinux.BASE}{release}/errata.full.json"): errata for release in ("8", "9")},
        ),
        "amazon": _source(
            f"{core}/repodata/updateinfo.xml.gz",
            updates,
            updates + b"\n",
            (b"<id>", b"<name>"),
            b"<updates></updates>",
            packed,
            first={at(mirrors): f"{core}/\n".encode() for mirrors in amazon.CORES}
            | {
                at(f"{core}/repodata/repomd.xml"): REPOMD,
                at(f"{core}/repodata/updateinfo.xml.gz"): packed(updates),
                at(amazon.EXTRAS): b'{"topics": [{"n": "gone"}]}',
            },
        ),
        "osv": _archive(osv.archive_url("RubyGems"), "osv", (b'"affected"', b'"packages"'), zipped),
        "redhat_data": _source(
            other_day,
            day,
            day + b"\n",
            (b'"name"', b'"flaw"'),
            b"{}",
            first=one_flaw | {at(other_day): day},
        ),
        "nvd_cpe": _source(
            nvd_cpe.API,
            products,
            products,
            (b'"products"', b'"names"'),
            b"{}",
            first={
                at(nvd_cpe.META): b"lastModifiedDate:2026-06-01T00:00:00+00:00\r\n",
                at(nvd_cpe.FILE): tarred({"nvdcpe-2.0-chunks/nvdcpe-2.0-chunk-00001.json": products}),
            },
        ),
        "endoflife": _source(
            f"{endoflife.BASE}ubuntu.json",
            ends,
            ends + b"\n",
            (b'"eol"', b'"end"'),
            b"{}",
            first={at(endoflife.ALL): b'["ubuntu"]', at(f"{endoflife.BASE}ubuntu.json"): ends},
        ),
    }
