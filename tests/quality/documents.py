"""One document per feed, in the form of its source, with what the evaluation can be touched by."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.sax.saxutils import escape, quoteattr

import orjson

from sentrikat.domain.cpe.name import CpeName
from sentrikat.domain.cpe.name import parse as parse_name
from sentrikat.domain.errors import InvalidName
from tests.quality.reference import documents, lines, the_file
from tests.quality.selection import Selection

# The ecosystems of the labeled inventories whose records the pack holds in OSV's own form.
_ADVISORIES = (
    "osv/pypi_*.zst",
    "osv/npm_*.zst",
    "osv/maven_*.zst",
    "osv/rubygems.ndjson.zst",
    "osv/go_*.zst",
    "osv/alpine_*.zst",
    "osv/rocky.ndjson.zst",
    "osv/almalinux_*.zst",
    "osv/suse.ndjson.zst",
    "redhat/osv_redhat_*.zst",
    "debian/osv_debian_*.zst",
)
_APPLICATION = re.compile(rb'"(cpe:2\.3:a:[^"]+)"')
_UNDATED = "0001-"  # the pack's Go records came without dates, as in their source repository


@dataclass(frozen=True, slots=True)
class Source:
    """The pack, the mirror in front of it, and what is wanted of both."""

    data: Path
    mirror: str  # address
    chosen: Selection

    def fetch(self, url: str) -> bytes:
        """Get a document of an upstream from the mirror."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.mirror}/{url}", headers={"Accept": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310 - loopback
            content: bytes = answer.read()
            return gzip.decompress(content) if answer.headers.get("Content-Encoding") == "gzip" else content


def write_kev(source: Source, path: Path) -> None:
    """Unpack the newest catalog."""
    packed = the_file(source.data, "kev/known_exploited_vulnerabilities_2*.json.gz")
    path.write_bytes(gzip.decompress(packed.read_bytes()))


def write_nvd(source: Source, path: Path) -> None:
    """Put NVD's records into one document of the form of a yearly file."""
    records = [
        line.rstrip()
        for line in lines(the_file(source.data, "nvd/cves-2.0.ndjson.zst"))
        if source.chosen.wants(line)
    ]
    with path.open("wb", buffering=1 << 20) as out:
        out.write(
            b'{"resultsPerPage":%d,"startIndex":0,"totalResults":%d,"format":"NVD_CVE","version":"2.0",'
            b'"timestamp":"2026-03-13T00:00:00.000","vulnerabilities":[' % (len(records), len(records))
        )
        for number, record in enumerate(records):
            out.write((b',{"cve":' if number else b'{"cve":') + record + b"}")
        out.write(b"]}")


def write_nvd_cpe(source: Source, path: Path) -> None:
    """Put the products that are named, with what their names are made for, into a page of the dictionary.

    The pack has the dictionary's names in NVD's criteria and in purl2cpe, from which the mirror rebuilds it too.
    """
    written = {
        name
        for pattern in ("nvd/cves-2.0.ndjson.zst", "cpe/purl2cpe_*.ndjson.zst")
        for line in lines(the_file(source.data, pattern))
        if source.chosen.wants(line)
        for name in _APPLICATION.findall(line)
    }
    names = set()
    for one in written:
        try:
            names.add(parse_name(one.decode().replace("\\\\", "\\")))
        except InvalidName:
            continue  # a few of purl2cpe's; the feed sets such names aside
    products = sorted({CpeName("a", one.vendor, one.product, "-", target_sw=one.target_sw) for one in names})
    page = {
        "resultsPerPage": len(products),
        "startIndex": 0,
        "totalResults": len(products),
        "format": "NVD_CPE",
        "version": "2.0",
        "products": [{"cpe": {"deprecated": False, "cpeName": one.format()}} for one in products],
    }
    path.write_bytes(orjson.dumps(page))


def write_overrides(source: Source, path: Path) -> None:
    """Put the overrides into an archive of the form of their repository."""
    _write_archive(source, "nvd/nvd-data-overrides_*.zst", path)


def write_vulnrichment(source: Source, path: Path) -> None:
    """Put CVE records into an archive of the form of their repository."""
    _write_archive(source, "nvd/vulnrichment_*.zst", path)


def _write_archive(source: Source, pattern: str, path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for line in lines(the_file(source.data, pattern)):
            if not source.chosen.wants(line):
                continue
            # {"_path":"data/1999/CVE-1999-0037.json","doc":{...}}
            head, _, rest = line.partition(b'","doc":')
            body = rest.rstrip()[:-1]
            member = tarfile.TarInfo("main/" + head.removeprefix(b'{"_path":"').decode())
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


def write_debian(source: Source, path: Path) -> None:
    """Take the tracker's packages that somebody has."""
    tracker = orjson.loads(source.fetch("security-tracker.debian.org/tracker/data/json"))
    path.write_bytes(
        orjson.dumps({name: tracker[name] for name in tracker if name in source.chosen.packages})
    )


def write_ubuntu(source: Source, path: Path) -> None:
    """Put the tracker's files, of packages that somebody has, into an archive of the form of its repository."""
    with tarfile.open(path, "w") as archive:
        for line in documents(the_file(source.data, "ubuntu/ubuntu_cve_tracker_*.zst")):
            entry = line["doc"]
            states = [
                f"{release}_{package}: {state['status']}"
                + (f" ({note})" if (note := state.get("note")) else "")
                for release, packages in entry["packages"].items()
                for package, state in packages.items()
                if package in source.chosen.packages
            ]
            if not states:
                continue
            head = [f"Candidate: {entry['candidate']}", f"Priority: {entry['priority']}", ""]
            body = "\n".join([*head, *states, ""]).encode()
            member = tarfile.TarInfo(f"ubuntu-cve-tracker-master/active/{entry['candidate']}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


def write_redhat_data(source: Source, path: Path) -> None:
    """Put Red Hat's documents into an archive, with the packages that somebody has."""
    with tarfile.open(path, "w") as archive:
        for line in documents(the_file(source.data, "redhat/redhat_cve_secdata_*.zst")):
            entry = line["doc"]
            entry["affected_release"] = [
                one
                for one in entry.get("affected_release", ())
                if re.split(r"-\d", one.get("package", ""), maxsplit=1)[0] in source.chosen.packages
            ]
            entry["package_state"] = [
                one
                for one in entry.get("package_state", ())
                if one["package_name"].rpartition("/")[2] in source.chosen.packages
            ]
            if not entry["affected_release"] and not entry["package_state"]:
                continue
            body = orjson.dumps(entry)
            member = tarfile.TarInfo(f"cve/{entry['name']}.json")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


def write_alpine(source: Source, path: Path) -> None:
    """Put the databases of all branches into one archive, cut down to the packages that somebody has."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for document in documents(the_file(source.data, "distro/alpine_secdb_*.zst")):
            database = document["doc"]
            database["packages"] = [
                one for one in database["packages"] if one["pkg"]["name"] in source.chosen.packages
            ]
            archive.writestr(document["_path"], orjson.dumps(database))


def write_amazon(source: Source, path: Path) -> None:
    """Put the advisories back into the form of a repository's update information, cut down to what somebody has."""
    root = Element("updates")
    for document in documents(the_file(source.data, "distro/amazon_alas_*.zst")):
        record = document["doc"]
        collection = record["Pkglist"]["Collection"]
        packages = [one for one in collection["Package"] if one["Name"] in source.chosen.packages]
        if not packages:
            continue
        update = SubElement(root, "update", type=record["Type"], status=record["Status"])
        for name in ("ID", "Title", "Severity"):
            SubElement(update, name.lower()).text = record[name]
        references = SubElement(update, "references")
        for one in (record["References"] or {}).get("Reference") or ():
            SubElement(references, "reference", id=one["ID"], href=one["Href"], type=one["Type"])
        listed = SubElement(SubElement(update, "pkglist"), "collection", short=collection["Short"])
        for one in packages:
            SubElement(
                listed,
                "package",
                {name.lower(): one[name] for name in ("Name", "Epoch", "Version", "Release", "Arch")},
            )
    path.write_bytes(tostring(root))


def write_osv(source: Source, path: Path) -> None:
    """Put all ecosystems' records into one archive, cut down to the packages that somebody has."""
    held: dict[str, dict[str, Any]] = {}
    for record in _advisories(source):
        if (record := source.chosen.cut(record) or {}) and (earlier := held.get(record["id"])):
            # Filed under two ecosystems or releases: one record with what both say.
            record["affected"] = earlier["affected"] + [
                one for one in record["affected"] if one not in earlier["affected"]
            ]
        if record:
            held[record["id"]] = record
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, record in held.items():
            archive.writestr(f"{name}.json", orjson.dumps(record))


def _advisories(source: Source) -> Iterator[dict[str, Any]]:
    for pattern in _ADVISORIES:
        packed = the_file(source.data, pattern)
        for document in documents(packed):
            record = document["doc"]
            if record["modified"].startswith(_UNDATED):
                if record.get("published", _UNDATED).startswith(_UNDATED):
                    record.pop("published", None)
                record["modified"] = (
                    record.get("withdrawn") or record.get("published") or "2026-08-21T00:00:00Z"
                )
            yield record
    ubuntu = source.fetch("osv-vulnerabilities.storage.googleapis.com/Ubuntu/all.zip")
    with zipfile.ZipFile(io.BytesIO(ubuntu)) as archive:
        for name in archive.namelist():
            yield orjson.loads(archive.read(name))


def write_msrc(source: Source, path: Path) -> None:
    """Put Microsoft's months into one archive."""
    listed = orjson.loads(source.fetch("api.msrc.microsoft.com/cvrf/v3.0/updates"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for month in (one["ID"] for one in listed["value"]):
            archive.writestr(f"{month}.json", source.fetch(f"api.msrc.microsoft.com/cvrf/v3.0/cvrf/{month}"))


def write_update_catalog(source: Source, path: Path) -> None:
    """Write Microsoft's catalog of updates as an archive of its scan file's own files: the pack has them as JSON."""
    days = "<Update CreationDate={} RevisionId={} IsBundle={}><SupersededBy>{}</SupersededBy></Update>"
    revisions: list[str] = []
    with gzip.open(path, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for record in documents(the_file(source.data, "microsoft/wsusscn2_*.ndjson.zst")):
            kind, _, rest = record["_path"].partition("/")
            about = record["doc"]
            if kind == "u":
                newer = "".join(
                    f"<Revision Id={quoteattr(one['id'])}/>"
                    for one in (about["supersededby"] or {}).get("revision", ())
                )
                values = (about["creationdate"], about["revisionid"], about.get("isbundle", "false"))
                revisions.append(days.format(*map(quoteattr, values), newer))
            elif kind == "l":
                title = escape(about["title"]["text"])
                _add(
                    archive,
                    f"l/en/{rest[:-5]}",
                    f"<LocalizedProperties><Title>{title}</Title></LocalizedProperties>",
                )
            else:
                number = escape((about["kbarticleid"] or {}).get("text") or "")
                _add(
                    archive,
                    f"x/{rest[:-5]}",
                    f"<ExtendedProperties><KBArticleID>{number}</KBArticleID></ExtendedProperties>",
                )
        _add(
            archive,
            "package.xml",
            f"<OfflineSyncPackage><Updates>{''.join(revisions)}</Updates></OfflineSyncPackage>",
        )


def _add(archive: tarfile.TarFile, name: str, words: str) -> None:
    content = words.encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def write_wesng(source: Source, path: Path) -> None:
    """Take WES-NG's archive as it is."""
    path.write_bytes(the_file(source.data, "microsoft/wesng_definitions_*.zip").read_bytes())


# By feed; a word behind the feed's name tells its documents apart.
DOCUMENTS: dict[str, Callable[[Source, Path], None]] = {
    "kev": write_kev,
    "nvd": write_nvd,
    "nvd_cpe": write_nvd_cpe,
    "overrides": write_overrides,
    "vulnrichment": write_vulnrichment,
    "debian": write_debian,
    "ubuntu": write_ubuntu,
    "redhat_data": write_redhat_data,
    "alpine": write_alpine,
    "amazon": write_amazon,
    "osv": write_osv,
    "msrc": write_msrc,
    "msrc catalog": write_update_catalog,
    "wesng": write_wesng,
}
